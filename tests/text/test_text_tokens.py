"""Words, numbers and dates are read by what they mean."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalgate.text.dates import date_at, holds_date
from evalgate.text.sentences import sentences
from evalgate.text.tokens import tokens


def values(text):
    return [token.value for token in tokens(text)]


def dates(text):
    return [token.value for token in tokens(text) if token.kind == "date"]


@pytest.mark.parametrize(
    "written",
    [
        "2 March 2024", "March 2, 2024", "March 2nd, 2024", "Mar. 2, 2024", "2nd of March, 2024", "03/02/2024", "3/2/24",
        "3-2-2024", "2024-03-02", "2024/3/2", "2 de marzo de 2024", "MARCH 2 2024",
    ],
)  # fmt: skip
def test_a_day_is_one_day_however_it_is_written(written):
    assert values(written) == ["2024-03-02"]
    assert values(f"({written}).") == ["2024-03-02"]


@settings(deadline=None)
@given(st.dates(date(1900, 1, 1), date(2049, 12, 31)))
def test_every_day_is_read_in_all_its_forms(day):
    month = ["january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
             "november", "december"][day.month - 1]  # fmt: skip
    for written in (
        day.isoformat(),
        f"{day.month}/{day.day}/{day.year}",
        f"{month.title()} {day.day}, {day.year}",
        f"{day.day} {month} {day.year}",
    ):
        assert dates(f"On {written}, she came.") == [day.isoformat()]


def test_what_a_date_does_not_say_is_left_out():
    assert dates("in March 2024, 03/2024, on March 2 and 2 de marzo") == [
        "2024-03",
        "2024-03",
        "--03-02",
        "--03-02",
    ]
    assert holds_date("2024-03-02", "2024-03")
    assert holds_date("2024-03-02", "--03-02")
    assert not holds_date("2024-03", "2024-03-02")
    assert not holds_date("2024-03-02", "--03-03")


def test_day_first_is_read_only_where_month_first_is_no_date():
    assert dates("13/02/2024") == ["2024-02-13"]
    assert dates("12/02/2024") == ["2024-12-02"]


def test_a_day_that_no_calendar_has_equals_only_itself():
    assert dates("02/30/2024 and 30 February 2024") == ["02/30/2024", "30 February 2024"]


@pytest.mark.parametrize(
    "text", ["120/80", "she may 2", "march on", "5/5", "version 1.2.3", "L4-5"]
)
def test_figures_that_are_no_dates(text):
    assert dates(text) == ([] if text != "she may 2" else ["--05-02"])


def test_no_date_begins_inside_a_longer_figure():
    assert date_at("123/02/2024", 1) is None
    assert dates("CLM-03/02/2024") == []


@settings(deadline=None)
@given(st.integers(0, 10**9), st.integers(0, 999))
def test_numbers_are_equal_by_value(whole, thousandths):
    value = f"{whole}.{thousandths:03}".rstrip("0").rstrip(".")
    assert values(f"{whole:,}.{thousandths:03}") == values(f"{whole}.{thousandths:03}0") == [value]


@settings(deadline=None)
@given(st.integers(0, 999_999))
def test_number_words_are_read(value):
    assert values(spelled(value)) == values(spelled(value).replace(" ", "-")) == [str(value)]


def spelled(n):
    units = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
             "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]  # fmt: skip
    tens = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
    if n < 20:
        return units[n]
    if n < 100:
        return tens[n // 10 - 2] + (f" {units[n % 10]}" if n % 10 else "")
    scale, word = (1000, "thousand") if n >= 1000 else (100, "hundred")
    rest = f" {spelled(n % scale)}" if n % scale else ""
    return f"{spelled(n // scale)} {word}{rest}"


def test_numbers_in_words_end_where_speech_ends_them():
    assert values("one thirty") == ["1", "30"]
    assert values("one, two") == ["1", "2"]
    assert values("two hundred and fifty") == ["250"]
    assert values("two and fifty") == ["2", "and", "50"]


@pytest.mark.parametrize(
    "words", ["one million", "million", "one hundred hundred", "two dozen dozen"]
)
def test_endless_number_words_stay_short_numbers(words):
    found = tokens(f"{words} " * 5000)
    assert any(token.kind == "number" for token in found) == (words != "million")
    assert max(len(token.value) for token in found) <= 20


def test_fractions_have_one_value():
    assert values("½ 1/2 half 0.5") == ["0.5"] * 4
    assert values("1½, 1 1/2, 1 ½, one and a half") == ["1.5"] * 4
    assert values("⅓, 1⅓, 2/3") == ["1/3", "4/3", "2/3"]
    assert values("120/80, 3/4/2024, 1/2024, 5/5") == [
        "120",
        "80",
        "2024-03-04",
        "2024-01",
        "5",
        "5",
    ]


def test_units_stand_apart_and_codes_stay_whole():
    assert values("5mg E11.9 A1c B12 2.5%") == ["5", "mg", "e11.9", "a1c", "b12", "2.5", "percent"]


def test_times_of_day_are_one_value():
    assert values("2:30 pm, 14:30, 3 p.m., 12am") == ["14:30", "14:30", "15:00", "00:00"]


def test_words_lose_case_accents_and_hyphens():
    assert values("Follow-up NIÑO’s **bold**") == ["follow", "up", "nino's", "bold"]


@settings(deadline=None)
@given(st.text())
def test_tokens_lie_in_order_in_any_text(text):
    found = tokens(text)
    assert all(a.end <= b.start for a, b in pairwise(found))
    assert all(token.start < token.end and token.value for token in found)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Dr. Vasko came. She left.", ["Dr. Vasko came.", "She left."]),
        ("Dose 5.0 mg vs. 2.5 mg. Stop!", ["Dose 5.0 mg vs. 2.5 mg.", "Stop!"]),
        ("a line\nthat goes on\nA new one", ["a line that goes on", "A new one"]),
        (
            "Stopped:\n- metformin\n- aspirin",
            ["Stopped:", "Stopped: metformin", "Stopped: aspirin"],
        ),
        ("1. First.\n2) Second", ["First.", "Second"]),
        ("No. The plan pays claim no. 12.", ["No.", "The plan pays claim no. 12."]),
        (
            "Maria J. Lopez has hepatitis B. She knows.",
            ["Maria J. Lopez has hepatitis B.", "She knows."],
        ),
        (
            "Not a current allergy. eGFR fell.\npH 7.3.",
            ["Not a current allergy.", "eGFR fell.", "pH 7.3."],
        ),
        ("no fever. the claim was paid.", ["no fever.", "the claim was paid."]),
        ("Seen at 5 p.m. Sent home.", ["Seen at 5 p.m.", "Sent home."]),
        ("J. Smith signed. (See p. 4.)", ["J. Smith signed.", "(See p. 4.)"]),
        ("", []),
    ],
)
def test_sentences_end_where_a_reader_ends_them(text, pieces):
    assert sentences(text) == pieces


PIECES = st.sampled_from(
    ["She", "takes", "5.0", "Dr.", "etc.", "end.", "why?", "(so)", "a:", "- x", "2)", "\n", "\n\n"]
)


@settings(deadline=None)
@given(st.lists(PIECES))
def test_no_word_is_lost_between_sentences(pieces):
    text = " ".join(pieces)
    found = sentences(text)
    assert all(piece and piece == piece.strip() for piece in found)
    said = " ".join(found)
    assert all(piece in said for piece in pieces if piece.strip() and piece not in ("- x", "2)"))
