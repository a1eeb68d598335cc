"""Entities in claim narratives. Every number that decides a release stands in gate.toml [claim_entities].

Overall recall and precision forgive small differences of boundary (`relaxed`). Where one character decides whose claim
is paid or how much of a drug is meant, and in the slices made of near-misses, the text must be exact: a relative's
member number differs from the claimant's by a digit.
"""

import pytest

from evalgate import (
    Entity,
    Suite,
    must_pass,
    paired_difference,
    parse_json,
    precision,
    rate,
    recall,
)

SUITE = Suite(
    "claim_entities",
    gold="goldsets/claim_entities.jsonl",
    prompt="suites/prompts/claim_entities.md",
    parse=parse_json(list[Entity]),
    max_tokens=320,  # the longest right answer takes 229 tokens as in the prompt, 270 with spaces (SmolLM2)
)


def test_recall(answers, threshold):
    assert threshold.met_by(recall(answers, match="relaxed"))


def test_precision(answers, threshold):
    assert threshold.met_by(precision(answers, match="relaxed"))


def test_member_id_recall(answers, threshold):
    assert threshold.met_by(recall(answers, label="MEMBER_ID"))


def test_medication_recall(answers, threshold):
    assert threshold.met_by(recall(answers, label="MEDICATION"))


def test_dose_recall(answers, threshold):
    assert threshold.met_by(recall(answers, label="DOSE"))


@pytest.mark.parametrize("tag", ["spanish", "abbreviation"])
def test_slice_recall(answers, threshold, tag):
    assert threshold.met_by(recall(answers, match="relaxed", tag=tag))


@pytest.mark.parametrize("tag", ["negation", "conflict", "look_alike"])
def test_slice_precision(answers, threshold, tag):
    assert threshold.met_by(precision(answers, tag=tag))


def test_unparseable_rate(answers, threshold):
    assert threshold.met_by(rate(answers, "failed"))


def test_refused_rate(answers, threshold):
    assert threshold.met_by(rate(answers, "refused"))


def test_truncated_rate(answers, threshold):
    assert threshold.met_by(rate(answers, "truncated"))


def test_recall_vs_baseline(answers, baseline, threshold):
    assert threshold.met_by(paired_difference(recall, answers, baseline, match="relaxed"))


def test_must_pass(answers, threshold):
    assert threshold.met_by(must_pass(answers))
