"""The scanner for people's data: what it finds, what is excused, and that its silence is never taken on trust."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from training.training_project import example

from evalgate.corpus.example import MadeBy
from evalgate.corpus.phi import People, Scanner, scan, scan_example
from evalgate.corpus.phi.planted import plant, types
from evalgate.corpus.phi.proof import prove, proved
from evalgate.corpus.phi.shapes import is_npi

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
    return example(1, messages=messages, **more)


def test_what_a_rewritten_row_declares_is_excused_and_nothing_else():
    rewritten = MadeBy(template="notes@1", seed=1, model="sha256:aa")
    every = {NOTE[f.start : f.end] for _, f in scan_example(row(made_by=rewritten))}
    assert {"Wilhelmina Oakhurst", "219-09-9999"} <= every
    left = scan_example(row(made_by=rewritten, invented=("Wilhelmina Oakhurst",)))
    assert {NOTE[f.start : f.end] for _, f in left} == every - {"Wilhelmina Oakhurst"}


def test_a_row_of_templates_alone_is_nobodys_and_any_other_origin_is_scanned():
    assert list(scan_example(row())) == []
    for more in (
        {"made_by": None, "invented": ("Wilhelmina Oakhurst", "219-09-9999")},
        {"source": "Northfield"},
        {"parents": ("row-0",)},
    ):
        assert list(scan_example(row(**more))), more


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
