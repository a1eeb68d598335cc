"""The facts behind made claim narratives, denials and plan questions: consistent, and as hard as the tasks are."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from made_rows import rows

from evalgate import text
from evalgate.corpus.making import claim_entities, policy_qa
from evalgate.corpus.making.common import table
from evalgate.corpus.making.denial_reasons import CLASSES
from evalgate.text.dates import date_at


@pytest.fixture(scope="module")
def narratives():
    return rows("claim_entities", 1500)


@pytest.fixture(scope="module")
def denials():
    return rows("denial_reasons", 1500)


@pytest.fixture(scope="module")
def questions():
    return rows("policy_qa", 1200)


# Claim narratives


def test_entities_stand_where_they_are_said_to_stand_in_order_and_each_once(narratives):
    for m in narratives:
        told = m.input["narrative"]
        end = 0
        for e in m.expected:
            assert told[e["start"] : e["end"]] == e["text"]
            assert e["start"] >= end
            end = e["end"]
        keys = [(e["label"], e["text"].casefold()) for e in m.expected]
        assert len(set(keys)) == len(keys)


def test_a_mark_repeated_in_another_case_is_one_entity_at_its_first_place():
    mark = claim_entities.mark
    told, found = claim_entities.unmark(f"A {mark('DOSE', '5 mg')}, b {mark('DOSE', '5 MG')}.")
    assert told == "A 5 mg, b 5 MG."
    assert found == [{"label": "DOSE", "text": "5 mg", "start": 2, "end": 6}]


def test_a_claim_has_one_claimant_a_day_and_a_diagnosis_and_nothing_that_was_excluded(narratives):
    for m in narratives:
        if m.seeds["register"] == "empty":
            assert m.expected == []
            assert m.answer == "[]"
            continue
        by_label = Counter(e["label"] for e in m.expected)
        assert by_label["MEMBER_ID"] == 1
        assert by_label["DATE_OF_SERVICE"] in (1, 2)
        assert by_label["DIAGNOSIS"]
        excluded = m.seeds["excluded"].casefold()
        assert all(e["text"].casefold() != excluded for e in m.expected)


def test_nobody_is_born_after_the_service(narratives):
    seen = 0
    for m in narratives:
        told = m.input["narrative"]
        if m.seeds.get("noise") or m.seeds["language"] == "es":
            continue
        born = re.search(r"(?:[Bb]orn|DOB|[Bb]irth date|[Bb]irth)\s+(?=\S)", told)
        service = next((e for e in m.expected if e["label"] == "DATE_OF_SERVICE"), None)
        if not (born and service):
            continue
        days = [date_at(told, at) for at in (born.end(), service["start"])]
        if all(days) and all(len(day[0]) == len("2024-03-02") for day in days):
            seen += 1
            if not re.search(
                r"/\d\d$|\d\d[A-Za-z]{3}\d\d$", service["text"]
            ):  # years in two digits
                assert days[0][0] < days[1][0]
    assert seen > 20


def test_languages_registers_hard_parts_and_cases_are_all_told(narratives):
    share = sum(m.seeds["language"] == "es" for m in narratives) / len(narratives)
    assert 0.15 < share < 0.35
    for name in ("claim_entities", "claim_entities_es"):
        assert set(table(name)["register"]) <= {m.seeds["register"] for m in narratives}
    hard = {part for m in narratives for part in m.seeds["hard"].split()}
    assert {*claim_entities_hard()} <= hard
    for m in narratives:  # what a scene is said to be hard by is told in it
        if "conflict_member" in m.seeds["hard"] and "noise" not in m.seeds:
            assert len([w for w in m.invented if same_form(w, number(m)) and w != number(m)]) >= 1
    assert 0.01 < sum(m.expected == [] for m in narratives) / len(narratives) < 0.06
    assert sum("noise" in m.seeds for m in narratives) > 100


def number(m):
    return next(e["text"] for e in m.expected if e["label"] == "MEMBER_ID")


def same_form(a, b):
    return re.sub(r"\d", "0", a) == re.sub(r"\d", "0", b)


def claim_entities_hard():
    return {part for key in table("claim_entities")["world"]["hard"] for part in key.split()}


def test_no_child_writes_phones_or_declines_a_drug(narratives):
    children = {"pediatrics", "pediatría", "ent"}
    for m in narratives:
        if m.seeds["specialty"] in children - {"ent"}:
            assert m.seeds["register"] not in {"letter", "message", "voicemail", "phone", "nurse"}
            assert not re.search(r"turned it down|Smoking", m.input["narrative"])


# Denials


def test_labels_are_equally_frequent_and_the_background_is_another(denials):
    assert Counter(m.expected for m in denials) == dict.fromkeys(CLASSES, len(denials) // 6)
    for m in denials:
        assert m.seeds.get("background") != m.expected
        assert m.seeds.get("injected") != m.expected


def test_where_papers_are_missing_nothing_was_decided_about_need_or_evidence(denials):
    clinical = {"EXPERIMENTAL", "NOT_MEDICALLY_NECESSARY"}
    aside = {"withdrawn", "noted", "believed", "both", "met", "not_that"}
    for m in denials:
        if m.expected == "DOCUMENTATION_MISSING" and m.seeds["mode"] in aside:
            assert m.seeds["background"] not in clinical


def test_every_document_mode_service_and_plan_is_told_and_no_word_gives_the_label_away(denials):
    documents = table("denial_reasons")
    assert {m.seeds["kind"] for m in denials} == set(documents["document"])
    assert {m.seeds["mode"] for m in denials} == set(documents["world"]["modes"])
    services = table("denial_reasons_services")["service"]
    assert len({m.seeds["service"] for m in denials}) > len(services)  # of both languages
    assert 0.12 < sum(m.seeds["language"] == "es" for m in denials) / len(denials) < 0.3
    for word in ("authorization", "network", "records", "approval", "contract", "guideline"):
        labels = {m.expected for m in denials if word in m.input["text"]}
        assert len(labels) >= 3, word


def test_text_has_no_open_slot_choice_or_doubled_stop(denials, narratives, questions):
    for m in (*denials, *narratives, *questions):
        told = "\n".join([*m.input.values(), m.answer])
        assert not re.search(r"\{\w*\}|\[[^\]]*\|[^\]]*\]| {2}|(?<!\.)\.\.(?!\.)|\bthe the\b", told)
        assert not re.search("[\ue000-\ue002]", told)


# Plan questions


def test_acts_and_their_kinds_have_their_shares(questions):
    acts = Counter(m.seeds["act"] for m in questions)
    assert {act: acts[act] / len(questions) for act in acts} == {
        "answer": pytest.approx(0.62, abs=0.06),
        "silent": pytest.approx(0.25, abs=0.06),
        "decline": pytest.approx(0.13, abs=0.05),
    }
    kinds = {m.seeds["kind"] for m in questions}
    book = table("policy_qa")
    assert kinds == {*book["world"]["kinds"], *book["world"]["silence"], *book["decline"]}
    topics = {key for m in questions for key in m.seeds["topic"].split("+")}
    assert {t["key"] for t in table("policy_qa_topics")["topic"]} <= topics
    assert sum("injected" in m.seeds for m in questions) > 40


def test_three_to_five_passages_are_shown_with_numbers_that_differ_and_are_cited(questions):
    for m in questions:
        numbers = re.findall(r"^\[([^\]]+)\]", m.input["passages"], re.MULTILINE)
        assert 3 <= len(numbers) == len(set(numbers)) <= 5
        assert set(text.citations(m.answer)) <= set(numbers)
        assert text.citations(m.answer) == numbers_in_order(m) or not m.expected["answerable"]
        assert 120 <= len(m.input["passages"].split()) <= 330


def numbers_in_order(m):
    return [n for n in text.citations(m.answer) if n in m.expected["citations"]]


def test_the_paragraph_that_would_answer_is_not_shown_where_there_is_no_answer(questions):
    titles = {t["key"]: t["title"] for t in table("policy_qa_topics")["topic"]}
    for m in questions:
        if m.seeds["kind"] in ("absent", "spanish") and m.seeds["act"] == "silent":
            shown = m.input["passages"]
            assert not any(f"] {title}. " in shown for title in titles[m.seeds["topic"]])


def test_figures_of_an_answer_are_in_its_paragraphs_or_add_up(questions):
    for m in questions:
        if m.expected["answerable"]:
            known = f"{m.input['passages']}\n{m.input['question']}"
            for figure in text.unsupported(m.answer, known, kinds=("number",)):
                assert figure.replace(",", "") in sums(known), (m.seeds, figure)


def sums(known):
    """What two or three figures of a text give when they are added, subtracted or multiplied."""
    found = {int(n.replace(",", "")) for n in re.findall(r"\d[\d,]*", known) if n.strip(",")}
    pairs = {f(a, b) for a in found for b in found for f in (int.__add__, int.__sub__, int.__mul__)}
    rest = {(a - b) * c for a in found for b in found if 0 < a - b < 60 for c in found}
    return {str(n) for n in pairs | rest}


def test_a_sum_is_worked_out_from_its_numbers_and_nothing_else_is_read():
    worked = policy_qa._worked(
        ["rest = n - 2", "sum = rest * a + b"], {"n": "6", "a": "$1,200", "b": "$5"}
    )
    assert worked["sum"] == "$4,805"
    with pytest.raises(ValueError, match="expected"):
        policy_qa._worked(["sum = a / 2"], {"a": "4"})


def test_what_another_members_file_says_is_never_in_the_answer(questions):
    files = [m for m in questions if m.seeds["kind"] == "records"]
    assert files
    for m in files:
        assert "[M1]" in m.input["passages"]
        assert len(m.expected["must_not"]) >= 2
        assert not text.asserts(m.answer, m.expected["must_not"])
