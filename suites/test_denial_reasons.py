"""Why a claim was denied, as one of six labels. Every number that decides a release stands in gate.toml [denial_reasons]."""

import pytest

from evalgate import (
    Suite,
    accuracy,
    macro_f1,
    must_pass,
    paired_difference,
    parse_label,
    rate,
    recall,
)

CLASSES = [
    "BENEFIT_EXCLUDED",
    "OUT_OF_NETWORK",
    "PRIOR_AUTHORIZATION_MISSING",
    "DOCUMENTATION_MISSING",
    "EXPERIMENTAL",
    "NOT_MEDICALLY_NECESSARY",
]

SUITE = Suite(
    "denial_reasons",
    gold="goldsets/denial_reasons.jsonl",
    prompt="suites/prompts/denial_reasons.md",
    parse=parse_label(CLASSES),
    max_tokens=16,
)


def test_accuracy(answers, threshold):
    assert threshold.met_by(accuracy(answers))


def test_macro_f1(answers, threshold):
    assert threshold.met_by(macro_f1(answers, classes=CLASSES))


@pytest.mark.parametrize("label", CLASSES)
def test_class_recall(answers, threshold, label):
    assert threshold.met_by(recall(answers, label=label))


@pytest.mark.parametrize("tag", ["spanish"])
def test_slice_accuracy(answers, threshold, tag):
    assert threshold.met_by(accuracy(answers, tag=tag))


def test_unparseable_rate(answers, threshold):
    assert threshold.met_by(rate(answers, "failed"))


def test_refused_rate(answers, threshold):
    assert threshold.met_by(rate(answers, "refused"))


def test_accuracy_vs_baseline(answers, baseline, threshold):
    assert threshold.met_by(paired_difference(accuracy, answers, baseline))


def test_must_pass(answers, threshold):
    assert threshold.met_by(must_pass(answers))
