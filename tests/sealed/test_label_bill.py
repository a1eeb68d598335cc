"""The label bill: what sealed sets cost in labels, by rotation and by reuse."""

from __future__ import annotations

import pytest
from sealed_project import SealedProject

from evalgate import stats
from evalgate.authored import GateSettings
from evalgate.crypto.seal import SealKey
from evalgate.gate.label_bill import bills, needed_at, sealed_lines
from evalgate.gate.planning import TARGET_POWER, PlanRow
from evalgate.suite import load_project
from evalgate.suite.sealing import seal_gold


def row(test: str = "accuracy", units: int = 200, **changes) -> PlanRow:
    values = {
        "suite": "triage",
        "test": test,
        "threshold": {"min": 0.8},
        "method": "Clopper-Pearson",
        "units": units,
        "needed": 1,
        "best": 0.99,
        "assumed": 0.95,
        "power": 1.0,
    }
    return PlanRow(**{**values, **changes})


def test_a_claim_needs_what_the_planner_says_at_that_alpha():
    expected = stats.required_n(threshold=0.8, p_true=0.95, alpha=0.005, power=TARGET_POWER)
    assert needed_at(row(), 0.005) == expected
    mirrored = row(threshold={"max": 0.2}, assumed=0.05)
    assert abs(needed_at(mirrored, 0.005) - expected) <= 1  # 1 - 0.2 is not 0.8 to the last bit
    assert needed_at(row(needed=None), 0.005) is None


def test_a_slice_counts_for_the_whole_set_around_it():
    (whole, *_), (sliced, *_) = (
        bills("triage", [row(units=units)], 200, GateSettings()) for units in (200, 50)
    )
    assert sliced.rotation == 4 * whole.rotation


def test_rotation_grows_with_promotions_and_reuse_grows_slowly():
    found = bills("triage", [row()], 200, GateSettings())
    assert [b.promotions for b in found] == [1, 2, 4]
    assert [b.rotation for b in found] == [found[0].rotation * n for n in (1, 2, 4)]
    assert found[0].reuse == found[0].rotation
    assert found[0].reuse < found[1].reuse < found[2].reuse < found[2].rotation


def test_where_no_claim_has_a_count_there_is_no_bill():
    assert bills("triage", [row(needed=None)], 200, GateSettings()) == []


@pytest.mark.parametrize("required", [True, False])
def test_the_plan_names_what_is_missing_only_where_it_matters(tmp_path, required):
    project = SealedProject(tmp_path)
    if not required:
        project.edit("gate.toml", "[gate]", "[gate]\nrequire_sealed = false")
    lines = sealed_lines(load_project(project.root), [row()])
    assert len(lines) == required
    assert not required or "triage" in lines[0]


def test_the_plan_prints_the_bill_of_a_set_that_is_there(tmp_path):
    project = SealedProject(tmp_path)
    loaded = load_project(project.root)
    key = SealKey.generate()
    seal_gold(loaded, "triage", project.vault / "triage.jsonl", key, opener=key, alpha=0.01)
    lines = sealed_lines(loaded, [row()])
    assert "160 units" in lines[0]
    assert len(lines) == 4
    assert "4 promotions" in lines[-1]
