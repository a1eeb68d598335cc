"""Parsers are strict: what the workflow could not read is unparseable here."""

from __future__ import annotations

import json
from typing import Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalgate import Entity, Suite, parse_json, parse_label, parse_text
from evalgate.suite.parse import parser_id

ENTITIES = st.lists(
    st.builds(
        Entity, label=st.text(min_size=1), text=st.text(), start=st.none() | st.integers(0, 99)
    )
)


@given(ENTITIES)
def test_entities_written_as_json_come_back(entities):
    text = json.dumps([{"label": e.label, "text": e.text, "start": e.start} for e in entities])
    assert parse_json(list[Entity])(text) == entities
    assert parse_json(list[Entity])(f"```json\n{text}\n```") == entities


@given(st.text())
def test_no_text_makes_a_parser_raise(text):
    parse_json(list[Entity])(text)
    parse_label(["A", "B"])(text)
    parse_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "here: []",
        "[] and more",
        '[{"label": "A"}]',
        '[{"label": "A", "text": "b", "note": 1}]',
        "NaN",
        '{"label": "A", "text": "b"}',
    ],
)
def test_what_is_not_exactly_the_type_is_unparseable(text):
    assert parse_json(list[Entity])(text) is None


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("deny", "DENY"),
        (' "DENY". ', "DENY"),
        ("**DENY**", "DENY"),
        ("DENY because", None),
        ("", None),
    ],
)
def test_a_label_stands_alone(text, label):
    assert parse_label(["DENY", "ALLOW"])(text) == label


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        ("John Smith has HIV and was denied", "a text of 33 characters"),
        ("Smith", "a text of 5 characters"),
        ("deny", "a text of 4 characters much like DENY"),
        (["John Smith"], "list"),
        (None, "NoneType"),
    ],
)
def test_a_gold_value_that_is_no_label_is_refused_without_being_quoted(expected, found):
    with pytest.raises(ValueError, match="expected one of DENY, ALLOW") as caught:
        parse_label(["DENY", "ALLOW"]).gold(expected)
    assert str(caught.value) == f"found {found}, expected one of DENY, ALLOW"


class Reply(msgspec.Struct, forbid_unknown_fields=True):
    reason: Literal["DENY", "ALLOW"]
    days: int = 0
    notes: dict[str, int] = {}

    def __post_init__(self):
        if self.days < 0:
            raise ValueError(f"no {self.reason} of John Smith")


@pytest.mark.parametrize(
    ("expected", "why"),
    [
        ([{"reason": "John Smith has HIV"}], "Invalid enum value - at `$[0].reason`"),
        ([{"reason": "DENY", "John Smith": 1}], "Object contains unknown field - at `$[0]`"),
        ([{"reason": "DENY", "notes": {"John Smith": "x"}}],
         "Expected `int`, got `str` - at `$[0].notes[...]`"),
        ([{"reason": "DENY", "days": -1}], "a value not allowed there - at `$[0]`"),
        ([{}], "Object missing required field `reason` - at `$[0]`"),
        ("John Smith", "Expected `array`, got `str`"),
    ],
)  # fmt: skip
def test_a_gold_value_of_another_form_is_refused_without_being_quoted(expected, why):
    with pytest.raises(ValueError, match=r".") as caught:
        parse_json(list[Reply]).gold(expected)
    assert str(caught.value) == why


def test_labels_that_read_alike_are_refused():
    with pytest.raises(ValueError, match="no two alike"):
        parse_label(["deny", "DENY"])


def test_parsers_have_names_that_enter_the_key():
    assert parser_id(parse_label(["A", "B"])) != parser_id(parse_label(["A", "C"]))
    assert parser_id(parse_json(list[Entity])) != parser_id(parse_json(list[str]))
    assert parser_id(parse_text) == "parse.parse_text"


@pytest.mark.parametrize("expected", ["A text.", {"reference": "A text.", "facts": [[["a"]]]}])
def test_the_gold_of_a_written_task_is_a_text_or_an_object_with_a_reference(expected):
    suite = Suite("a", gold="g", prompt="p", parse=parse_text)
    assert suite.expected(expected) == expected
    assert parse_text("  A text.\n") == "A text."
    assert parse_text(" \n") is None


@pytest.mark.parametrize(
    "expected", ["", " ", {}, {"reference": ""}, {"reference": 1}, {"text": "x"}, ["x"], 3, None]
)
def test_gold_without_a_text_is_refused_without_being_quoted(expected):
    with pytest.raises(ValueError, match=r"without a text, expected a text or an object") as caught:
        parse_text.gold(expected)
    assert "{" not in str(caught.value)


@pytest.mark.parametrize(
    "values",
    [
        {"name": "a b"},
        {"gold": "/abs.jsonl"},
        {"prompt": "../x.md"},
        {"temperature": -1},
        {"max_tokens": 0},
        {"max_tokens": True},
    ],
)
def test_a_suite_refuses_values_outside_their_ranges(values):
    good = {"name": "a", "gold": "goldsets/a.jsonl", "prompt": "suites/prompts/a.md"}
    given_values = {**good, **values}
    with pytest.raises(ValueError, match="expected"):
        Suite(given_values.pop("name"), **given_values)


def test_entity_lists_are_equal_without_order_and_offsets():
    suite = Suite("a", gold="g", prompt="p", parse=parse_json(list[Entity]))
    gold = [Entity(label="A", text="x  y", start=1, end=4), Entity(label="B", text="z")]
    assert suite.correct([Entity(label="B", text="z"), Entity(label="A", text="x y")], gold)
    assert not suite.correct([Entity(label="A", text="x y")], gold)
    assert not suite.correct([*gold, gold[0]], gold)
