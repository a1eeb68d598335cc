"""Made appeal letters: right by every measure of the suite, from the file alone, varied, and nobody else's words."""

from __future__ import annotations

import random
import re
from datetime import date

import pytest
from made_rows import alike, gold, rows, without_figures
from spoiling import Bench

from evalgate import text
from evalgate.corpus.making import appeal_letters, telling
from evalgate.corpus.making.appeal_letters_case import Case
from evalgate.corpus.making.common import slots_of, table
from evalgate.text.dates import date_at

TASK = "appeal_letters"
PRONOUNS = {"S", "s", "P", "p", "o"}
ONLY_A_READER_SEES = [  # said in a letter without a figure, a date, a name or anything that the item bars
    "The pain keeps me up every night.",
    "The nurse on the phone promised to approve it.",
]


@pytest.fixture(scope="module")
def made():
    return rows(TASK, 200)


def letters(made):
    return [m for m in made if "facts" in m.expected]


def test_a_made_row_has_the_keys_and_shapes_of_the_gold_set(made):
    of_letters = set(next(i for i in gold(TASK) if "facts" in i["expected"])["expected"])
    elements = {e for i in gold(TASK) for e in i["expected"].get("elements", {})}
    for m in made:
        assert set(m.input) == {"denial", "case", "request"}
        assert set(m.expected) in (of_letters, {"reference"})
        assert set(m.expected.get("elements", {})) <= elements
        assert m.answer == m.expected["reference"]


@pytest.mark.slow
def test_every_planted_fault_is_seen(tmp_path):
    bench = Bench(TASK, 90, tmp_path, seed=12)
    for kind in bench.kinds:
        found = bench.caught(kind)
        assert found.seen >= 0.95 * found.planted, kind


def test_a_plausible_sentence_that_nobody_wrote_is_seen_by_no_measure(tmp_path):
    bench = Bench(TASK, 40, tmp_path, seed=13)
    of_letters = {i for i, m in enumerate(bench.made) if "facts" in m.expected}
    for said in ONLY_A_READER_SEES:
        texts = bench.right()
        for i in of_letters:
            texts[i] = telling.inserted(random.Random(i), texts[i], said)
        after = bench.marks(texts, of_letters)
        assert all(
            after[i][n] >= bench.before[i][n] for i in after for n in after[i] if n != "fits"
        )


def test_every_day_of_a_letter_stands_in_notice_or_file_and_the_appeal_is_in_time(made):
    for m in letters(made):
        assert not text.unsupported(m.answer, telling.given(m), kinds=("date",))
        if m.seeds["gap"] == "notice" or m.seeds["form"] == "short":
            continue
        [[written]] = m.expected["elements"]["notice_date"]
        notice = date.fromisoformat(written)
        written_on = max(date.fromisoformat(day) for day in whole_dates(m.answer))
        assert 0 < (written_on - notice).days <= 30  # the shortest time for an appeal is 45 days


def whole_dates(told):
    found = (date_at(told, i) for i in range(len(told)))
    return [value[0] for value in found if value and len(value[0]) == len("2024-03-02")]


def test_what_the_file_lacks_is_a_marked_blank_and_asked_for(made):
    gaps = [m for m in letters(made) if m.seeds["gap"]]
    assert {m.seeds["gap"] for m in gaps} == {"mid", "num", "phone", "notice"}
    for m in gaps:
        assert re.search(r"\[(to be completed|por completar): ", m.answer)
        assert "to be completed" in m.input["request"]
    assert not any(
        re.search(r"to be completed|por completar", m.answer)
        for m in letters(made)
        if m not in gaps
    )


def test_spanish_letters_are_spanish_and_signed_by_the_member(made):
    spanish = [m for m in letters(made) if m.seeds["voice"] == "spanish"]
    assert spanish
    for m in spanish:
        assert not re.search(r"\b(the|and|is|was|with|because)\b", m.answer)
        assert m.answer.endswith(m.expected["elements"]["signature"][0][0])


def test_every_feature_case_and_kind_of_refusal_is_made():
    made = rows(TASK, 1200, start=4000)
    assert {m.seeds["case"] for m in made} == {
        c["key"] for c in table("appeal_letters_cases")["case"]
    }
    assert {m.seeds["feature"] for m in letters(made)} == set(appeal_letters.FEATURES)
    cards = {card["why"] for card in table("appeal_letters_refusals")["refusal"]}
    assert {m.seeds["declined"] for m in made if "declined" in m.seeds} == cards
    for m in made:
        if "declined" in m.seeds:
            assert text.refuses(m.answer)
            # the number for help, in reply to somebody in danger
            assert set(text.unsupported(m.answer, telling.given(m))) <= {"911"}


@pytest.mark.parametrize("case", table("appeal_letters_cases")["case"], ids=lambda c: c["key"])
def test_a_case_with_all_its_facts_is_stated_by_its_letter_in_every_voice(case):
    voices = ["family", "provider"]
    voices += ["member"] if case["age"][0] >= 18 else []
    voices += ["spanish"] if "es" in case else []
    for voice in voices:
        told = Case(random.Random(voice), case, voice, "plain")
        told.chosen = case["fact"]
        for form in ("long", "short"):
            letter = told.letter(form, "")
            wanted = list(told.elements(form, "").values())
            assert text.missing(letter, told.stated()) == []
            assert text.missing(letter, wanted, within="text") == []
            assert text.asserts(letter, told.never()) == []
            source = f"{told.denial('')}\n{told.file('')}"
            assert text.unsupported(letter, source) == []


def test_no_value_of_a_case_hides_a_word_for_the_member():
    for case in table("appeal_letters_cases")["case"]:
        assert not PRONOUNS.intersection({*case["days"], *case.get("pick", {})})
        for fact in case["fact"]:
            assert not PRONOUNS & slots_of(fact["k"])


def test_no_two_rows_are_nearly_the_same(made):
    assert alike(["\n".join([*m.input.values(), m.answer]) for m in made]) == []
    plain = [without_figures("\n".join([*m.input.values(), m.answer])) for m in made]
    assert len({i for pair in alike(plain) for i in pair}) < 0.05 * len(made)
