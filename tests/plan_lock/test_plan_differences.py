"""What counts as asking for less: the laws of comparing two plans."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalgate.authored import Problems, load_gate
from evalgate.authored.gate_toml import GateSettings
from evalgate.gate.locked import Change, Gold, LockedPlan, Marks, Task, differences
from evalgate.gate.plan import Locked, weakened
from evalgate.records import Bar

shares = st.floats(0.01, 0.99).map(lambda x: round(x, 3))
judges = st.sampled_from([None, "calibrated", "screen"])
bars = st.one_of(
    st.builds(lambda v, j: Bar(min=v, judge=j), shares, judges),
    st.builds(lambda v, j: Bar(max=v, judge=j), shares, judges),
    st.just(Bar(all=True)),
)
tables = st.dictionaries(st.sampled_from(["recall", "f1", "failed_rate", "slice[a]"]), bars)
settings_ = st.builds(
    GateSettings,
    alpha=st.sampled_from([0.01, 0.05]),
    attempts=st.integers(1, 3),
    attempt_spending=st.sampled_from(["flat", "basel"]),
    sealed_reuse=st.booleans(),
    unscored_max=st.sampled_from([0.0, 0.02]),
    valid_days=st.sampled_from([30, 90]),
    sign_off=st.sampled_from([(), ("lead",), ("lead", "manager")]),
    require_sealed=st.booleans(),
    require_locked=st.booleans(),
    baseline=st.sampled_from([None, "a", "b"]),
    first_release=st.booleans(),
)


def gold(units=100, items=None, digest="sha256:1", **slices):
    return Gold(
        path="goldsets/t.jsonl",
        digest=digest,
        items=items or units,
        units=units,
        slices=slices,
    )


def task(rows=None, **parts):
    parts = {"gold": gold(), "prompt": "suites/prompts/t.md", "suite": "sha256:s"} | parts
    return Task(rows=rows or {}, **parts)


def plan(rows=None, *, settings=None, files=None, judge=(), evalgate="1", **parts):
    return LockedPlan(
        evalgate=evalgate,
        settings=settings or GateSettings(),
        tasks={"t": task(rows, **parts)},
        files=files or {},
        judge=judge,
    )


def weaker(old, new):
    return [str(change) for change in differences(old, new) if change.weaker]


def admits(bar: Bar, low: float, high: float, *, labelled: bool, flawless: bool) -> bool:
    """Whether a row is met, written down anew: by the interval, by people's labels where it asks for them, by a census."""
    if bar.judge == "screen" or (bar.judge == "calibrated" and not labelled):
        return False
    if bar.all:
        return flawless
    return low >= bar.min if bar.min is not None else high <= bar.max


def anything_new_passes(old: Bar, new: Bar) -> bool:
    ends = sorted({0.0, 1.0, *(v for b in (old, new) for v in (b.min, b.max) if v is not None)})
    return any(
        admits(new, low, high, labelled=labelled, flawless=flawless)
        and not admits(old, low, high, labelled=labelled, flawless=flawless)
        for low in ends
        for high in ends
        if low <= high
        for labelled in (True, False)
        for flawless in (True, False)
    )


@given(bars, bars)
def test_a_row_is_named_exactly_if_something_passes_that_did_not_before(old, new):
    named = weaker(plan({"recall": old}), plan({"recall": new}))
    assert bool(named) == anything_new_passes(old, new)


@given(tables, tables)
def test_dropped_rows_are_named_and_added_ones_are_not(old, new):
    named = weaker(plan(old), plan(new))
    for key in old.keys() - new.keys():
        assert any(line.startswith(f"gate.toml [t] {key} ") and "dropped" in line for line in named)
    for key in new.keys() - old.keys():
        assert not any(line.startswith(f"gate.toml [t] {key} ") for line in named)


@given(tables)
def test_a_dropped_suite_is_named_row_by_row(rows):
    old = plan(rows)
    gone = msgspec.structs.replace(old, tasks={})
    assert len(weaker(old, gone)) == len(rows)
    assert weaker(gone, old) == []


@given(settings_, settings_, tables, tables)
def test_two_plans_differ_in_nothing_exactly_if_they_are_equal(one, other, rows, more):
    old, new = plan(rows, settings=one), plan(more, settings=other)
    assert (differences(old, new) == []) == (old == new)
    assert differences(old, old) == []


LOOSER = {
    "alpha": lambda was, now: now > was,
    "unscored_max": lambda was, now: now > was,
    "valid_days": lambda was, now: now > was,
    "sealed_reuse": lambda was, now: now and not was,
    "first_release": lambda was, now: now and not was,
    "require_sealed": lambda was, now: was and not now,
    "require_locked": lambda was, now: was and not now,
    "sign_off": lambda was, now: bool(set(was) - set(now)),
    "baseline": lambda was, now: was and now and was != now,
}


@given(settings_, settings_)
def test_every_setting_that_asks_for_less_is_named_and_no_other(old, new):
    named = weaker(plan(settings=old), plan(settings=new))
    for name, looser in LOOSER.items():
        hit = any(line.startswith(f"gate.toml [gate] {name} ") for line in named)
        assert hit == bool(looser(getattr(old, name), getattr(new, name))), name
    endless = (old.attempt_spending, new.attempt_spending) == ("flat", "basel")
    more = old.attempt_spending == new.attempt_spending == "flat" and new.attempts > old.attempts
    assert any("attempt" in line for line in named) == (endless or more)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9), st.integers(1, 9))
def test_a_gold_set_is_named_exactly_if_it_or_a_slice_became_smaller(was, now, slice_was, slice_is):
    old = plan(gold=gold(was, spanish=slice_was))
    new = plan(gold=gold(now, digest="sha256:2", spanish=slice_is))
    assert bool(weaker(old, new)) == (now < was or slice_is < slice_was)
    assert differences(old, new) != []


def test_other_items_in_equal_number_are_a_change_and_no_weakening():
    found = differences(plan(), plan(gold=gold(digest="sha256:2")))
    assert found == [Change(what="goldsets/t.jsonl", task="t")]


def test_a_sealed_set_that_is_gone_or_smaller_is_named():
    big, small = gold(90), gold(80, digest="sha256:2")
    assert weaker(plan(sealed=big), plan(sealed=small)) == [
        "goldsets/t.jsonl units 90 -> 80",
        "goldsets/t.jsonl items 90 -> 80",
    ]
    assert weaker(plan(sealed=big), plan()) == ["goldsets/t.jsonl dropped"]
    assert weaker(plan(), plan(sealed=big)) == []


def test_a_rubric_that_lets_more_pass_is_named():
    old = plan(rubric=Marks(pass_mark=0.8, critical={"reason": False, "invented": True}))
    new = plan(rubric=Marks(pass_mark=0.7, critical={"invented": False, "more": True}))
    assert weaker(old, new) == [
        "rubric t pass_mark 0.8 -> 0.7",
        "rubric t reason dropped",
        "rubric t invented critical true -> false",
    ]
    assert weaker(new, old) == ["rubric t more dropped"]


@pytest.mark.parametrize(
    ("was", "now", "told"),
    [
        (0.85, 0.8, "gate.toml [t] recall 0.85 -> 0.80"),
        (0.85, 0.8499999, "gate.toml [t] recall 0.8500000 -> 0.8499999"),
    ],
)
def test_numbers_are_told_so_that_the_difference_shows(was, now, told):
    assert weaker(plan({"recall": Bar(min=was)}), plan({"recall": Bar(min=now)})) == [told]


def test_files_judge_and_version_are_named_as_changes():
    old = plan(
        files={"suites/test_t.py": "1", "suites/gone.py": "1"}, judge=("a", "sha256:" + "1" * 64)
    )
    new = plan(files={"suites/test_t.py": "2", "conftest.py": "1"}, judge=("b",), evalgate="2")
    assert [str(change) for change in differences(old, new)] == [
        "suites/test_t.py",
        "suites/gone.py removed",
        "conftest.py added",
        "the judge a sha256:111111111111 -> b",
        "evalgate 1 -> 2",
    ]
    assert weaker(old, new) == ["the judge a sha256:111111111111 -> b"]
    assert differences(old, new)[0].task == "t"


def test_another_judge_needs_a_reason_and_no_judge_at_all_needs_none():
    some, other, none = plan(judge=("a", "1")), plan(judge=("a", "2")), plan()
    assert weaker(some, other) == ["the judge a 1 -> a 2"]
    assert weaker(none, some) == ["the judge none -> a 1"]
    assert weaker(some, none) == []


ROWS = [
    "recall = { min = 0.85 }",
    "unparseable_rate = { max = 0.05 }",
    '"slice_recall[spanish]" = { min = 0.75 }',
    "must_pass = { all = true }",
    'rubric_pass_rate = { min = 0.8, judge = "calibrated" }',
]


@given(
    st.permutations(ROWS),
    st.lists(st.sampled_from(["", "# because", "   "]), min_size=5, max_size=5),
)
def test_order_layout_and_comments_of_gate_toml_are_no_difference(tmp_path_factory, rows, between):
    path = tmp_path_factory.getbasetemp() / "gate.toml"

    def read(lines):
        path.write_text("[gate]\nalpha = 0.05\n[t]\n" + "\n".join(lines) + "\n")
        problems = Problems()
        gate = load_gate(path, path.parent, problems)
        problems.raise_if_any()
        return plan(gate.suites["t"], settings=gate.settings)

    shuffled = [line for pair in zip(rows, between, strict=True) for line in pair]
    assert differences(read(ROWS), read(shuffled)) == []


def lock(floor: float, seq: int, reason: str = "why") -> Locked:
    return Locked(
        seq=seq,
        at=f"2026-11-{seq + 1:02}T00:00:00.000000Z",
        by="gate",
        digest=f"sha256:{seq}",
        plan=plan({"recall": Bar(min=floor)}),
        reason=reason,
        after=3,
    )


@given(st.lists(st.integers(1, 9), min_size=1, max_size=8))
def test_a_weakening_is_in_force_exactly_as_long_as_less_is_asked_than_ever_before(floors):
    """However many small steps it was done in, and whatever was locked in between."""
    found = [lock(floor / 10, seq) for seq, floor in enumerate(floors)]
    assert bool(list(weakened(found))) == (floors[-1] < max(floors))


def test_a_weakening_says_when_why_and_how_many_results_were_seen():
    found = [lock(0.9, 0), lock(0.8, 1, "too strict"), lock(0.85, 2)]
    assert list(weakened(found)) == [
        "gate.toml [t] recall 0.9 -> 0.8, now 0.85 (locked 2026-11-02, after 3 decisions were seen): too strict"
    ]


def test_a_row_that_was_dropped_and_came_back_lower_stays_named():
    out = msgspec.structs.replace(lock(0.9, 1, "dropped"), plan=plan({}))
    (line,) = weakened([lock(0.9, 0), out, lock(0.5, 2)])
    assert line.startswith("gate.toml [t] recall min 0.9 -> dropped, now 0.5 (locked 2026-11-02")
