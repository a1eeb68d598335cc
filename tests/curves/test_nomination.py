"""A pair of families given as points: one ahead of the other with little data, behind it with much."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from evalgate.authored.curve import CurveFile
from evalgate.release.nomination import nominated, task_curves
from evalgate.report.curve import CurvePoint, CurveReport, curve_page, curve_text

ROWS = 8000
SIZES = tuple(ROWS // 2**k for k in (4, 3, 2, 1, 0))


def quick(n):
    """Soon good, soon at its end."""
    return 0.10 + 3.0 * n**-0.6


def deep(n):
    """Slow to start, better beyond 10 000 rows."""
    return 0.03 + 1.36 * n**-0.30


def hopeless(n):
    return 0.30 + 3.0 * n**-0.6


LAWS = {"quick": quick, "deep": deep, "hopeless": hopeless}


def points(*bases, seeds=(1, 2, 3), se=0.008, sizes=SIZES):
    rng = np.random.default_rng(7)
    return [
        CurvePoint(
            base=base,
            part=f"1/{ROWS // size}" if size < ROWS else "1",
            seed=seed,
            key=f"{base}{size}{seed}",
            name=f"c-{base}-{size}-{seed}",
            model="sha256:0",
            rows={"triage": size},
            error={"triage": float(np.clip(LAWS[base](size) + 0.006 * rng.standard_normal(), 0, 1))},
            se={"triage": se},
            seconds=1.0,
        )
        for size in sizes
        for base in bases
        for seed in seeds
    ]  # fmt: skip


def drawn(current, challenger, doubled="", **more):
    file = CurveFile(
        path="trainers/growth.toml",
        digest="sha256:" + "a1" * 32,
        recipe="trainers/rc1.toml",
        current=current,
        challengers=(challenger,),
        parts=("1",),
        seeds=(1, 2, 3),
    )
    made = points(current, challenger, **more)
    task = task_curves(file, made, "triage", "1 - accuracy", ROWS)
    return CurveReport(
        name="growth",
        file=file.digest,
        measure="metric",
        current=current,
        challengers=(challenger,),
        rows=ROWS,
        points=tuple(made),
        tasks=(task,),
        doubled=doubled,
        nominated=nominated((challenger,), [task], doubled),
        decided="2026-11-24T05:00:00+00:00",
    )


def test_the_family_that_wins_with_more_data_is_nominated_though_it_is_behind_now():
    report = drawn("quick", "deep")
    (task,) = report.tasks
    now, later = ({c.base: getattr(c, at).error for c in task.curves} for at in ("now", "planned"))
    assert now["quick"] < now["deep"]
    assert later["quick"] > later["deep"]
    assert task.planned == 4 * ROWS
    assert 0.25 < task.better["deep"] < 1
    assert report.nominated.keys() == {"deep"}
    assert "nominated: deep (triage: Pr(better)" in curve_text(report)


def test_the_other_way_round_and_a_hopeless_one_are_not_nominated_unless_the_data_doubled():
    assert drawn("deep", "quick", se=0.002).tasks[0].better["quick"] < 0.25
    report = drawn("quick", "hopeless")
    assert report.nominated == {}
    assert "not nominated: hopeless (triage: Pr(better) 0.00; more than 0.25 is asked)" in curve_text(report)  # fmt: skip
    assert drawn("quick", "hopeless", doubled="data doubled").nominated == {"hopeless": "data doubled"}  # fmt: skip


@pytest.mark.parametrize("few", [{"seeds": (1, 2)}, {"sizes": SIZES[1:]}])
def test_too_few_points_say_so_and_predict_nothing(few):
    report = drawn("quick", "deep", **few)
    (task,) = report.tasks
    assert all("not enough points to fit" in c.why and c.planned is None for c in task.curves)
    assert (task.better, report.nominated) == ({}, {})
    assert "polyline" not in curve_page(report)
    assert "not enough points to fit" in curve_page(report)


def test_the_page_has_a_whole_picture_and_the_same_numbers_as_a_table():
    report = drawn("quick", "deep")
    page = curve_page(report)
    (picture,) = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    svg = ET.fromstring(picture)
    assert len(svg.findall(".//polyline")) == 2
    assert len([p for p in svg.iter("polygon") if p.get("class") == "band"]) == 2
    assert len(svg.findall(".//circle")) == 15 + 1  # points, and the marker beside the name
    for _, x, y in re.findall(r'<(circle|line) [^>]*(?:cx|x1)="([-\d.]+)" [^>]*(?:cy|y1)="([-\d.]+)"', picture):  # fmt: skip
        assert 0 <= float(x) <= 560
        assert 0 <= float(y) <= 280
    (task,) = report.tasks
    for curve in task.curves:
        assert f"{curve.planned.error:.4f}" in page
    assert "<script" not in page


def test_a_base_with_a_strange_name_stays_text():
    report = drawn("quick", "deep")
    page = curve_page(report).replace("deep", "")
    assert "<b>" not in page
    import msgspec

    task = report.tasks[0]
    odd = tuple(msgspec.structs.replace(c, base="<b>x</b>") for c in task.curves)
    odd_task = msgspec.structs.replace(task, curves=odd)
    assert "<b>" not in curve_page(msgspec.structs.replace(report, tasks=(odd_task,)))
