"""Cards of gold sets."""

import pytest
from authored_files import CARD, only, told, write
from hypothesis import given
from hypothesis import strategies as st

from evalgate.authored import Card, Problems, card_path, load_card

NAME = "goldsets/triage.toml"


def load(root, text):
    problems = Problems()
    card = load_card(write(root, NAME, text), root, problems)
    assert (card is None) == (len(problems) > 0)
    return card, problems


def test_a_full_card_is_loaded(tmp_path):
    text = CARD.replace("synthetic = false", "synthetic = true").replace('"dev"', '"sealed"')
    text += """\
agreement = "kappa 0.81 on 60 doubly labelled items"
unit_weight_max = 12
generator = "goldsets/generators/triage.py"
seed = 0
description = "Short requests."
"""
    card, problems = load(tmp_path, text)
    assert not told(problems)
    assert card == Card(
        title="Triage of requests",
        task="triage",
        source="written by the project",
        licence="Apache-2.0",
        labelled_by="the project",
        reviewed="no clinician has reviewed it",
        sampling_frame="made up",
        date="2026-11-30",
        split="sealed",
        version="1.0.0",
        synthetic=True,
        agreement="kappa 0.81 on 60 doubly labelled items",
        unit_weight_max=12.0,
        generator="goldsets/generators/triage.py",
        seed=0,
        description="Short requests.",
    )


def test_the_card_is_found_beside_its_gold_set(tmp_path):
    write(tmp_path, NAME, CARD)
    gold = tmp_path / "goldsets/triage.jsonl"
    assert card_path(gold) == tmp_path / NAME
    problems = Problems()
    assert load_card(gold, tmp_path, problems).task == "triage"
    assert not told(problems)


def test_a_date_may_be_written_as_text(tmp_path):
    assert load(tmp_path, CARD.replace("2026-11-30", '"2026-11-30"'))[0].date == "2026-11-30"


def test_a_missing_card_is_a_problem(tmp_path):
    problems = Problems()
    assert load_card(tmp_path / "goldsets/triage.jsonl", tmp_path, problems) is None
    assert only(problems).startswith(
        f"{NAME}: EG160 found no card, expected one beside the gold set. Write down source, licence"
    )


@pytest.mark.parametrize(
    "key",
    [
        "title",
        "task",
        "source",
        "licence",
        "labelled_by",
        "reviewed",
        "sampling_frame",
        "date",
        "split",
        "version",
        "synthetic",
    ],
)
def test_every_required_key_is_missed(tmp_path, key):
    text = "".join(
        line for line in CARD.splitlines(keepends=True) if not line.startswith(f"{key} ")
    )
    _, problems = load(tmp_path, text)
    assert only(problems) == f"{NAME}:1:1: EG106 found no key `{key}`, expected one. Add it."


FAULTS = {
    "an empty text": (
        'licence = "Apache-2.0"',
        'licence = " "',
        "4:1: EG109 licence: found an empty text, expected words. Fill it in.",
    ),
    "a number for a text": (
        'version = "1.0.0"',
        "version = 1.0",
        "10:11: EG107 version: found 1, expected a text.",
    ),
    "an unknown split": (
        '"dev"',
        '"test"',
        '9:9: EG161 split: found the text "test", expected "dev" (may be looked at) or "sealed"',
    ),
    "a day that does not exist": (
        "2026-11-30",
        '"2026-11-31"',
        '8:8: EG161 date: found the text "2026-11-31", expected a date such as 2026-11-30. Correct it.',
    ),
    "a date in other words": ("2026-11-30", '"30.11.2026"', "8:8: EG161 date: found the text"),
    "a date with a time": (
        "2026-11-30",
        "2026-11-30 07:00:00",
        "8:8: EG161 date: found a date or time",
    ),
    "a date that is a number": (
        "2026-11-30",
        "2026",
        "8:8: EG161 date: found 2026, expected a date",
    ),
    "a flag in quotes": (
        "false",
        '"no"',
        '11:13: EG107 synthetic: found the text "no", expected true or false.',
    ),
    "a mistyped key": (
        "synthetic = false",
        'synthetic = false\nagreements = "x"',
        (
            "12:1: EG105 agreements: found an unknown key, expected one of title, task, source, licence, labelled_by, reviewed, "
            "sampling_frame, date, split, version, synthetic, agreement, unit_weight_max, generator, seed, description, sealed. "
            "Did you mean `agreement`?"
        ),
    ),
    "a weight of nothing": (
        "synthetic = false",
        "synthetic = false\nunit_weight_max = 0",
        "12:19: EG108 unit_weight_max: found 0, expected a number above 0.",
    ),
    "a weight that is no number": (
        "synthetic = false",
        'synthetic = false\nunit_weight_max = "12"',
        '12:19: EG107 unit_weight_max: found the text "12", expected a number.',
    ),
    "a seed with decimals": (
        "synthetic = false",
        "synthetic = false\nseed = 1.5",
        "12:8: EG107 seed: found 1.5",
    ),
    "a negative seed": (
        "synthetic = false",
        "synthetic = false\nseed = -1",
        "12:8: EG108 seed: found -1, expected 0 or",
    ),
    "a synthetic set without generator": (
        "synthetic = false",
        "synthetic = true\nseed = 1",
        "1:1: EG106 found no key `generator`, which a synthetic gold set needs to be made again. Add it.",
    ),
    "a synthetic set without seed": (
        "synthetic = false",
        'synthetic = true\ngenerator = "g"',
        "1:1: EG106 found no key `seed`, which a synthetic gold set needs to be made again. Add it.",
    ),
    "a fault of syntax": (
        "synthetic = false",
        "synthetic =",
        "11:12: EG103 found a fault of syntax (invalid value)",
    ),
}


@pytest.mark.parametrize(("old", "new", "expected"), FAULTS.values(), ids=FAULTS)
def test_a_faulty_card_is_refused_where_it_stands(tmp_path, old, new, expected):
    assert old in CARD
    _, problems = load(tmp_path, CARD.replace(old, new))
    assert only(problems).startswith(f"{NAME}:{expected}")


def test_everything_wrong_at_once_is_told_at_once(tmp_path):
    _, problems = load(tmp_path, 'title = ""\ndate = 1\nsplit = "x"\nsynthetic = 1\ncolour = 2\n')
    codes = [p.code for p in problems]
    assert sorted(codes) == ["EG105", *["EG106"] * 7, "EG107", "EG109", "EG161", "EG161"]


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_arbitrary_bytes_are_never_more_than_a_problem(tmp_path_factory, data):
    load(tmp_path_factory.mktemp("one"), data)
