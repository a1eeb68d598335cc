"""Which items a judge and clinicians read was drawn by lot, and what gate.toml says about them is so."""

import re

import pytest
from gold_files import GENERATORS, ROOT, load

from evalgate.stats import cp_lower

WRITTEN = ("history_summary", "appeal_letters", "policy_qa")


@pytest.fixture(scope="module")
def common():
    return load(GENERATORS / "common.py")


@pytest.fixture(params=WRITTEN)
def name(request):
    return request.param


@pytest.fixture
def rows(common, name):
    return common.read_jsonl(ROOT / f"goldsets/{name}.jsonl")


def judged(rows):
    return [row for row in rows if "judged" in row["tags"]]


def test_the_committed_draw_is_the_one_that_its_seed_gives(common, name, rows):
    seed = load(GENERATORS / f"{name}.py").SEED
    assert common.with_judged(rows, seed=seed) == rows
    assert len(judged(rows)) == common.JUDGED
    another = common.with_judged(rows, seed=seed + 1)
    both = {r["id"] for r in judged(rows)} & {r["id"] for r in judged(another)}
    assert len(both) < common.JUDGED, "another seed draws others"


def test_nothing_but_the_tag_is_touched(common, rows):
    bare = [{**row, "tags": [t for t in row["tags"] if t != "judged"]} for row in rows]
    tagged = common.with_judged(bare, seed=3, size=7)
    assert len(judged(tagged)) == 7
    for before, after in zip(bare, tagged, strict=True):
        assert list(after) == list(before), "the keys keep their order"
        assert {**after, "tags": [t for t in after["tags"] if t != "judged"]} == before


def test_requests_to_decline_keep_their_share(common, rows):
    every, drawn = (
        sum("must_refuse" in row["tags"] for row in some) / len(some)
        for some in (rows, judged(rows))
    )
    assert drawn == pytest.approx(every, abs=2 / common.JUDGED)


def test_the_starters_choice_does_not_depend_on_the_draw(common, name, rows):
    generator = load(GENERATORS / f"{name}.py")
    other = common.with_judged(rows, seed=99)
    assert judged(other) != judged(rows)
    chosen, again = (generator.starter_subset(some, 20) for some in (rows, other))
    assert [row["id"] for row in chosen] == [row["id"] for row in again]


def test_the_numbers_in_gate_toml_are_right(common):
    text = re.sub(r"\n# ", " ", (ROOT / "gate.toml").read_text(encoding="utf-8"))
    sets = [common.read_jsonl(ROOT / f"goldsets/{name}.jsonl") for name in WRITTEN]
    due = [sum("must_refuse" in row["tags"] for row in judged(rows)) for rows in sets]
    first, second, third = due
    assert f"only {first}, {second} and {third} of the judged items must be declined" in text
    first, second, third = (round(100 - 100 * n / common.JUDGED) for n in due)
    assert f"be right on {first}, {second} and {third} % of all" in text
    bars = list(map(float, re.findall(r'm\w\w = ([\d.]+), judge = "calibrated"', text)))
    assert bars == [0.80, 0.12, 0.14] * 3
    allowed = [faults_allowed(bar if bar > 0.5 else 1 - bar) for bar in bars[:3]]
    assert "With 100 labels the three bars allow {}, {} and {} faults".format(*allowed) in text


def faults_allowed(floor, n=100):
    """Most faults among n labels with which the lower end still reaches the floor."""
    return max(f for f in range(n) if cp_lower(k=n - f, n=n, alpha=0.05) >= floor)
