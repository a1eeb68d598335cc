"""The scanner for people's data: what it finds, what is excused, and that its silence is never taken on trust."""

import json
from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from training.training_project import ROOT, example

from evalgate.corpus.example import MadeBy
from evalgate.corpus.phi import People, Scanner, scan, scan_example
from evalgate.corpus.phi.planted import plant, types
from evalgate.corpus.phi.proof import prove, proved
from evalgate.corpus.phi.settings import scanner_of
from evalgate.corpus.phi.shapes import is_npi
from evalgate.corpus.synthesis import TASKS, makers, rows_of, template_of

NOTE = "Patient: Wilhelmina Oakhurst\nSSN 219-09-9999\nPhone: 555-0134"


@given(st.text(max_size=300))
def test_a_scan_never_raises_and_its_findings_lie_in_the_text_in_order(text):
    last = 0
    for found in scan(text):
        assert last <= found.start < found.end <= len(text)
        last = found.end


@pytest.mark.parametrize("kind", types())
def test_planted_canaries_of_every_type_are_found(kind):
    planted = list(plant("held", kind, "plain", 100, seed=3))
    found = sum(
        any(f.start < one.end and one.start < f.end for f in scan(one.text)) for one in planted
    )
    assert found >= 90


def test_plain_words_are_nobody():
    assert scan("The plan covers two visits a year after a copay is paid in full.") == []


@given(st.integers(100_000_000, 299_999_999))
def test_exactly_one_last_figure_makes_a_provider_number(nine):
    body = str(nine)
    assert sum(is_npi(body + str(last)) for last in range(10)) == 1


def row(**more):
    messages = (
        {"role": "user", "content": NOTE},
        {"role": "assistant", "content": "DENY"},
    )
    return example(**{"number": 1, "messages": messages} | more)


def test_a_rows_own_word_excuses_nothing():
    """Whoever writes a row can write that a template made it, or that a name in it is invented."""
    said = {NOTE[f.start : f.end] for _, f in scan_example(row(made_by=None))}
    assert {"Wilhelmina Oakhurst", "219-09-9999"} <= said
    for made_by in (
        MadeBy(template="notes@1", seed=1),
        MadeBy(template=f"notes@{template_of('claim_entities')}", seed=1),
    ):
        forged = row(
            id="claim_entities.s0.0000001",
            task="claim_entities",
            made_by=made_by,
            invented=("Wilhelmina Oakhurst", "219-09-9999"),
        )
        assert {NOTE[f.start : f.end] for _, f in scan_example(forged)} == said


def made_rows(task, count=20):
    (maker,) = makers(ROOT, [task])
    return list(rows_of(maker, count, seed=5, processes=1, redrawn=Counter()))


@pytest.mark.parametrize("task", TASKS)
def test_made_rows_are_nobodys_because_they_are_made_again(task):
    scanner = scanner_of(ROOT)
    assert [f for one in made_rows(task) for f in scanner.scan_example(one)] == []


@pytest.mark.parametrize("task", TASKS)
def test_a_name_that_was_put_into_a_made_row_is_found_where_it_stands(task):
    scanner = scanner_of(ROOT)
    for one in made_rows(task, 5):
        *before, last = one.messages
        changed = {**last, "content": f"{last['content']}\n{NOTE}"}
        edited = msgspec.structs.replace(one, messages=(*before, changed))
        found = {changed["content"][f.start : f.end] for _, f in scanner.scan_example(edited)}
        assert {"Wilhelmina Oakhurst", "219-09-9999"} <= found


def test_a_blind_scanner_does_not_prove_itself(monkeypatch):
    blind = Scanner()
    monkeypatch.setattr(blind, "scan", lambda _text: [])
    proof = prove(blind, per_cell=20)
    assert not proof.holds
    assert len(proof.short) == len(proof.cells)


def test_the_proof_is_kept_and_made_again_when_it_is_of_another_scanner(tmp_path):
    first = proved(Scanner(), tmp_path)
    assert first.holds
    (kept,) = (tmp_path / ".evalgate/phi").iterdir()
    edited = msgspec.json.decode(kept.read_bytes())
    edited["scanner"] = "sha256:other"
    kept.write_text(json.dumps(edited))
    assert proved(Scanner(), tmp_path) == first
    assert "above their bars" in People(tmp_path).told
