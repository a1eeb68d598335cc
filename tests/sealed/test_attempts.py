"""Attempts spend alpha: by what the ledger says, whatever developers try, never more than there is."""

from __future__ import annotations

import datetime as dt
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalgate.authored import GateSettings
from evalgate.errors import IntegrityError, Refused
from evalgate.records import Record
from evalgate.store.attempts import (
    Attempts,
    Question,
    SealedSet,
    Verdict,
    attempts_of,
    close_attempt,
    open_attempt,
    refuse_worn,
    spending,
)
from evalgate.store.ledger import Ledger
from evalgate.store.signer import gate_signer, keyring_of

TODAY = dt.date(2026, 12, 1)
ONE = SealedSet(version="1", digest="sha256:one", date="2026-11-23")
TWO = SealedSet(version="2", digest="sha256:two", date="2026-11-24")


class Written(Record, kw_only=True):
    at: str = "2026-11-25T10:00:00Z"
    kind: str
    body: dict


def question(model: str = "a", plan: str = "p", *, labels: str = "", **sets: SealedSet) -> Question:
    return Question(
        model={"name": model, "digest": f"sha256:{model}"},
        plan=plan,
        sealed=sets or {"triage": ONE},
        labels={"triage": f"sha256:{labels}"} if labels else {},
    )


def begun(asked: Question) -> Written:
    body = {"model": asked.model, "plan": asked.plan, "sealed": sets_of(asked)}
    return Written(kind="attempt", body=body | labels_of(asked))


def labels_of(asked: Question) -> dict:
    """Entries from before there were labels have no such key."""
    return {"labels": asked.labels} if asked.labels else {}


def ended(asked: Question, *, open_: bool) -> Written:
    return Written(
        kind="decision",
        body={
            "model": asked.model,
            "plan": asked.plan,
            "sealed": sets_of(asked),
            "decision": "open" if open_ else "not open",
            "exit": 0 if open_ else 1,
            "bundle": {"path": "reports/sealed/x.bundle", "digest": "sha256:x"},
            **labels_of(asked),
        },
    )


def sets_of(asked: Question) -> dict:
    return {
        suite: {"version": s.version, "digest": s.digest, "date": s.date}
        for suite, s in asked.sealed.items()
    }


def history(bits: list[bool]) -> list[Written]:
    """One attempt after another, each by another model, with what it came to."""
    return [
        entry
        for n, bit in enumerate(bits)
        for entry in (begun(question(f"m{n}")), ended(question(f"m{n}"), open_=bit))
    ]


@given(
    st.floats(1e-4, 0.4),
    st.integers(1, 60),
    st.sampled_from(["flat", "basel"]),
)
@settings(deadline=None)
def test_until_a_pass_all_attempts_together_spend_at_most_alpha(alpha, most, scheme):
    chosen = GateSettings(alpha=alpha, attempts=most, attempt_spending=scheme)
    asked = [question(f"m{n}") for n in range(80)]
    attempts = Attempts([begun(one) for one in asked])
    assert attempts.count(ONE.digest) == 80
    spent = sum(attempts.alpha(one, ONE.digest, chosen) for one in asked)
    assert 0 < spent <= alpha * (1 + 1e-9)


@given(st.integers(1, 40), st.sampled_from(["flat", "basel"]))
@settings(deadline=None)
def test_a_later_attempt_and_one_after_more_passes_never_spends_more(k, scheme):
    chosen = GateSettings(attempts=40, attempt_spending=scheme, sealed_reuse=True)
    assert spending(chosen, k + 1) <= spending(chosen, k)
    by_passes = [spending(chosen, k, m) for m in range(k)]
    assert by_passes == sorted(by_passes, reverse=True)


@given(st.lists(st.booleans(), max_size=9))
@settings(deadline=None)
def test_reuse_gives_attempt_k_after_m_passes_its_share_of_the_paths(bits):
    chosen = GateSettings(sealed_reuse=True)
    attempts = Attempts(history(bits))
    k, m = len(bits) + 1, sum(bits)
    paths = sum(math.comb(k - 1, i) for i in range(m + 1))
    expected = chosen.alpha / chosen.attempts / paths
    assert attempts.alpha(question("next"), ONE.digest, chosen) == pytest.approx(expected)


@pytest.mark.parametrize(("most", "bound"), [(9, 2.81), (1, 1.71), (0, 1.0)])
def test_over_all_paths_reuse_spends_what_the_page_says(most, bound):
    """Any history may come about: each spends its own alpha, so all of them together bound the chance of a false pass."""
    chosen = GateSettings(sealed_reuse=True)
    spent = sum(
        math.comb(k - 1, m) * spending(chosen, k, m)
        for k in range(1, chosen.attempts + 1)
        for m in range(min(k - 1, most) + 1)
    )
    assert spent / chosen.alpha == pytest.approx(bound, abs=0.005)


@given(st.lists(st.booleans(), max_size=9), st.integers(0, 8))
@settings(deadline=None)
def test_what_comes_later_changes_nothing_about_an_earlier_attempt(bits, n):
    chosen = GateSettings(sealed_reuse=True)
    if n >= len(bits):
        return
    early, late = Attempts(history(bits[: n + 1])), Attempts(history(bits))
    asked = question(f"m{n}")
    assert early.alpha(asked, ONE.digest, chosen) == late.alpha(asked, ONE.digest, chosen)
    assert late.number(asked, ONE.digest) == n + 1


def test_the_same_question_again_is_the_same_attempt_and_its_first_word_stands():
    asked = question()
    entries = [begun(asked), begun(asked), ended(asked, open_=False), ended(asked, open_=True)]
    attempts = Attempts(entries)
    assert attempts.count(ONE.digest) == 1
    assert attempts.passes(ONE.digest) == 0
    assert attempts.verdict(asked) == Verdict(
        open=False, bundle="reports/sealed/x.bundle", sum="sha256:x"
    )


def test_what_a_model_or_a_version_is_called_makes_no_other_question():
    renamed = Question(
        model={"name": "other", "digest": "sha256:a"},
        plan="p",
        sealed={"triage": SealedSet(version="9", digest="sha256:one")},
    )
    assert renamed.own == question().own
    for other in (question("b"), question(plan="q"), question(triage=TWO)):
        assert other.own != question().own


def test_abandoned_attempts_count():
    attempts = Attempts([begun(question(f"m{n}")) for n in range(10)])
    with pytest.raises(Refused, match="10 of 10 attempts") as caught:
        refuse_worn(attempts, question("next"), GateSettings(), TODAY)
    assert caught.value.code == "EG770"
    assert int(caught.value.exit) == 1
    refuse_worn(attempts, question("m3"), GateSettings(), TODAY)  # resumed, not begun


def test_basel_has_no_last_attempt():
    attempts = Attempts([begun(question(f"m{n}")) for n in range(500)])
    chosen = GateSettings(attempt_spending="basel")
    refuse_worn(attempts, question("next"), chosen, TODAY)
    assert 0 < attempts.alpha(question("next"), ONE.digest, chosen) < 1e-6


def test_a_set_that_opened_the_gate_is_rotated_unless_it_may_be_reused():
    attempts = Attempts(history([False, True]))
    with pytest.raises(Refused, match="opened the gate on 2026-11-25") as caught:
        refuse_worn(attempts, question("next"), GateSettings(), TODAY)
    assert caught.value.code == "EG771"
    refuse_worn(attempts, question("next"), GateSettings(sealed_reuse=True), TODAY)


@pytest.mark.parametrize(("date", "worn"), [("2025-12-01", True), ("2025-12-02", False)])
def test_a_set_of_twelve_months_is_rotated(date, worn):
    old = SealedSet(version="1", digest="sha256:one", date=date)
    if not worn:
        refuse_worn(Attempts([]), question(triage=old), GateSettings(), TODAY)
        return
    with pytest.raises(Refused, match="twelve months") as caught:
        refuse_worn(Attempts([]), question(triage=old), GateSettings(), TODAY)
    assert caught.value.code == "EG772"


def test_everything_that_is_worn_is_told_at_once():
    attempts = Attempts([begun(question(f"m{n}", a=ONE, b=TWO)) for n in range(10)])
    with pytest.raises(Refused) as caught:
        refuse_worn(attempts, question("next", a=ONE, b=TWO), GateSettings(), dt.date(2028, 1, 1))
    told = str(caught.value)
    assert told.count("attempts spent") == 2
    assert told.count("twelve months") == 2
    assert "gold seal" in told


def test_each_set_counts_for_itself():
    attempts = Attempts([begun(question(f"m{n}", a=ONE, b=TWO)) for n in range(4)])
    fresh = SealedSet(version="3", digest="sha256:three")
    asked = question("next", a=ONE, b=fresh)
    assert attempts.number(asked, ONE.digest) == 5
    assert attempts.number(asked, fresh.digest) == 1


def test_an_entry_that_cannot_be_read_is_no_zero():
    with pytest.raises(IntegrityError) as caught:
        Attempts([Written(kind="attempt", body={"model": {}, "plan": 3})])
    assert caught.value.code == "EG775"


def test_decisions_about_dev_sets_are_no_attempts():
    body = {
        "decision": "open",
        "exit": 0,
        "model": {"name": "a", "digest": "sha256:a"},
        "plan": "p",
    }
    assert Attempts([Written(kind="decision", body=body)]).passes(ONE.digest) == 0


def test_the_real_ledger_holds_an_attempt_before_it_has_an_end(tmp_path):
    key = gate_signer(tmp_path, keyring_of(tmp_path)).private
    ledger = Ledger(tmp_path, keyring_of(tmp_path))
    chosen = GateSettings(attempts=2)
    for n in range(2):
        open_attempt(ledger, question(f"m{n}"), chosen, key, TODAY)
        open_attempt(ledger, question(f"m{n}"), chosen, key, TODAY)  # resumed
    with pytest.raises(Refused):
        open_attempt(ledger, question("m2"), chosen, key, TODAY)
    assert len(ledger.entries()) == 2
    close_attempt(ledger, question("m1"), Verdict(open=True, bundle="b", sum="sha256:b"), key)
    found = attempts_of(ledger)
    assert found.verdict(question("m1")).open
    assert found.verdict(question("m0")) is None
    assert found.passes(ONE.digest) == 1


@given(st.lists(st.sampled_from(["", "1", "2", "3"]), max_size=8))
@settings(deadline=None)
def test_however_labels_come_and_go_every_verdict_has_an_attempt_of_its_own(looks):
    """The gate's rule: ask what was not decided yet, as a new attempt where none is open; a look without labels waits."""
    chosen, entries = GateSettings(attempts=20), []
    decided: dict[str, int] = {}
    for labels in looks:
        asked, attempts = question(labels=labels), Attempts(entries)
        if attempts.verdict(asked):
            assert attempts.number(asked, ONE.digest) == decided[labels]
            continue
        if not attempts.begun(asked):
            entries.append(begun(asked))
        now = Attempts(entries)
        number = now.number(asked, ONE.digest)
        assert now.alpha(asked, ONE.digest, chosen) == spending(chosen, number)
        if labels:
            entries.append(ended(asked, open_=False))
            decided[labels] = number
    assert sorted(decided.values()) == list(range(1, len(decided) + 1))
    assert Attempts(entries).count(ONE.digest) in (len(decided), len(decided) + 1)


def test_an_attempt_that_waits_ends_with_the_first_labels_that_decide():
    waiting, labelled = question(), question(labels="1")
    attempts = Attempts([begun(waiting)])
    assert attempts.live(labelled)
    assert attempts.number(labelled, ONE.digest) == 1
    attempts = Attempts([begun(waiting), ended(labelled, open_=False)])
    assert not attempts.live(labelled)
    assert attempts.verdict(labelled) is not None
    assert attempts.verdict(waiting) is None
    assert attempts.number(question(labels="2"), ONE.digest) == 2


def test_two_checks_of_one_attempt_with_other_labels_do_not_both_decide(tmp_path):
    key = gate_signer(tmp_path, keyring_of(tmp_path)).private
    ledger = Ledger(tmp_path, keyring_of(tmp_path))
    chosen, verdict = GateSettings(), Verdict(open=False, bundle="b", sum="sha256:b")
    for labels in ("1", "2"):  # both begin before either ends
        open_attempt(ledger, question(labels=labels), chosen, key, TODAY)
    close_attempt(ledger, question(labels="1"), verdict, key)
    with pytest.raises(Refused) as caught:
        close_attempt(ledger, question(labels="2"), verdict, key)
    assert caught.value.code == "EG776"
    assert len(ledger.entries()) == 2
