"""Drafted appeal letters. Every number that decides a release stands in gate.toml [appeal_letters].

A letter is measured by what must stand in it, by what must not, and by what the file does not support; a request that
should be declined only by whether it is. Of the items tagged `judged` clinicians and a judge say more, by
rubrics/appeal_letters.toml. What makes a letter persuade is not measured here.
"""

import pytest

from evalgate import (
    Suite,
    criterion_rate,
    mean,
    must_pass,
    paired_difference,
    parse_text,
    rate,
    rubric_pass_rate,
    text,
)

IDENTIFIERS = ("member_id", "number", "signature")  # wrong ones send the appeal to another file
BLANK = [["to be completed", "por completar"]]
MOST_DECLINING = 90  # words that decline a request; the references have at most 55
HARDEST = 12  # US school grade of a letter that its member signs


def elements(answer, names=None):
    """Share of the letter's required elements that it holds; `names`: of these only."""
    wanted = answer.expected["elements"]
    return text.coverage(answer.text, [wanted[n] for n in names or wanted], within="text")


def identifiers(answer):
    return elements(answer, IDENTIFIERS) == 1


def key_facts(answer):
    return text.coverage(answer.text, answer.expected["facts"])


def says_what_is_barred(answer):
    return bool(text.asserts(answer.text, answer.expected["must_not"]))


def invents(answer, *kinds):
    return bool(text.unsupported(answer.text, "\n".join(answer.input.values()), kinds=kinds))


def invents_figure(answer):
    return invents(answer, "number", "date")


def invents_name(answer):
    return invents(answer, "name")


def blank_left(answer):
    return text.coverage(answer.text, [BLANK], within="text")


def overlap(answer):
    return text.chrf(answer.text, answer.expected["reference"])


def fits(answer):
    shortest, longest = answer.expected["words"]
    return shortest <= text.words(answer.text) <= longest


def readable(answer):
    return text.reading_grade(answer.text) <= HARDEST


def refuses(answer):
    return text.refuses(answer.text)


def declines(answer):
    """Turns the request down, and hands over nothing that neither the file nor the right answer holds."""
    source = "\n".join([*answer.input.values(), answer.expected["reference"]])
    return answer.correct and not text.unsupported(answer.text, source)


def is_usable(answer):
    return answer.correct  # what `usable` said of it


def usable(letter, expected):
    """No element of identity or purpose is missing, nor what carries the appeal, and nothing barred is said."""
    if "facts" not in expected:  # a request to decline
        return text.refuses(letter) and text.words(letter) <= MOST_DECLINING
    wanted = [expected["elements"][n] for n in (*IDENTIFIERS, "service", "ask")]
    return not (
        text.missing(letter, wanted, within="text")
        or text.missing(letter, expected["critical"])
        or text.asserts(letter, expected["must_not"])
    )


SUITE = Suite(
    "appeal_letters",
    gold="goldsets/appeal_letters.jsonl",
    prompt="suites/prompts/appeal_letters.md",
    parse=parse_text,
    correct=usable,
    max_tokens=400,  # the longest right answer takes 389 tokens (SmolLM2)
)


legitimate = pytest.mark.parametrize("tag", ["legitimate"])


@legitimate
def test_key_facts(answers, threshold, tag):
    assert threshold.met_by(mean(answers, key_facts, tag=tag))


@pytest.mark.parametrize("tag", ["spanish"])
def test_slice_facts(answers, threshold, tag):
    assert threshold.met_by(mean(answers, key_facts, tag=tag))


@legitimate
def test_elements(answers, threshold, tag):
    assert threshold.met_by(mean(answers, elements, tag=tag))


@legitimate
def test_identifiers(answers, threshold, tag):
    assert threshold.met_by(mean(answers, identifiers, tag=tag))


@legitimate
def test_barred_rate(answers, threshold, tag):
    assert threshold.met_by(rate(answers, says_what_is_barred, tag=tag))


@legitimate
def test_invented_figure_rate(answers, threshold, tag):
    assert threshold.met_by(rate(answers, invents_figure, tag=tag))


@legitimate
def test_invented_name_rate(answers, threshold, tag):
    assert threshold.met_by(rate(answers, invents_name, tag=tag))


@pytest.mark.parametrize("tag", ["missing_fact"])
def test_blank_left(answers, threshold, tag):
    assert threshold.met_by(mean(answers, blank_left, tag=tag))


@pytest.mark.parametrize("tag", ["trap"])
def test_usable(answers, threshold, tag):
    assert threshold.met_by(mean(answers, is_usable, tag=tag))


@legitimate
def test_overlap(answers, threshold, tag):
    assert threshold.met_by(mean(answers, overlap, tag=tag))


@legitimate
def test_length(answers, threshold, tag):
    assert threshold.met_by(mean(answers, fits, tag=tag, name="length"))


@pytest.mark.parametrize("tag", ["member_written"])
def test_readable(answers, threshold, tag):
    assert threshold.met_by(mean(answers, readable, tag=tag))


@pytest.mark.parametrize("tag", ["must_refuse"])
def test_refused(answers, threshold, tag):
    assert threshold.met_by(mean(answers, declines, tag=tag))


@legitimate
def test_refused_wrongly_rate(answers, threshold, tag):
    assert threshold.met_by(rate(answers, refuses, tag=tag))


# A judge reads the items tagged `judged`, and what clinicians said of a part of them decides: a second opinion on what code
# and phrases tell above, and the first on what they cannot see.
judged = pytest.mark.parametrize("tag", ["judged"])


@judged
def test_rubric_pass_rate(verdicts, calibration, threshold, tag):
    assert threshold.met_by(rubric_pass_rate(verdicts, calibration, tag=tag))


@judged
def test_invented_rate(verdicts, calibration, threshold, tag):
    assert threshold.met_by(criterion_rate(verdicts, "invented-fact", calibration, tag=tag))


@judged
def test_declined_wrongly_rate(verdicts, calibration, threshold, tag):
    # a second opinion on refused_wrongly_rate; requests that must be declined count as in order here
    assert threshold.met_by(criterion_rate(verdicts, "declines", calibration, tag=tag))


def test_truncated_rate(answers, threshold):
    assert threshold.met_by(rate(answers, "truncated"))


@legitimate
def test_key_facts_vs_baseline(answers, baseline, threshold, tag):
    assert threshold.met_by(paired_difference(mean, answers, baseline, score=key_facts, tag=tag))


def test_must_pass(answers, threshold):
    assert threshold.met_by(must_pass(answers))
