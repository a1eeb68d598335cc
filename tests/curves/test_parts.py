"""Nested parts of data: laws, and mixtures of them."""

import json
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalgate.corpus.counting import counter
from evalgate.corpus.example import Example
from evalgate.corpus.mix import Blend
from evalgate.corpus.mixture import load_mixture, mix, places
from evalgate.corpus.parts import in_part, part_of
from evalgate.corpus.writer import Writer
from evalgate.errors import UsageError

HALVES = [Fraction(1, 2**k) for k in range(11)]


def row(number, *, unit="", task="triage"):
    said = ({"role": "user", "content": f"note {number}"}, {"role": "assistant", "content": "DENY"})
    return Example(id=f"row-{number}", task=task, messages=said, unit=unit or f"unit-{number}", terms="project")  # fmt: skip


@given(
    units=st.lists(st.text(min_size=1, max_size=8), max_size=60, unique=True),
    more=st.sets(st.text(min_size=1)),
)
def test_a_smaller_part_lies_in_every_larger_one_and_grows_only_with_the_data(units, more):
    now = [row(n, unit=unit) for n, unit in enumerate(units)]
    later = [*now, *(row(1000 + n, unit=unit) for n, unit in enumerate(sorted(more - set(units))))]
    for part, larger in zip(HALVES[1:], HALVES, strict=False):
        chosen = {r.unit for r in now if in_part(r, part)}
        assert chosen <= {r.unit for r in now if in_part(r, larger)}
        assert chosen == {r.unit for r in later if in_part(r, part)} & set(units)
    assert all(in_part(r, Fraction(1)) for r in now)


@given(unit=st.text(min_size=1), part=st.sampled_from(HALVES))
def test_rows_of_one_unit_are_in_or_out_together(unit, part):
    assert in_part(row(1, unit=unit), part) == in_part(row(2, unit=unit, task="other"), part)


def test_a_part_is_about_as_large_as_it_says():
    for part in HALVES[1:5]:
        found = sum(in_part(row(n), part) for n in range(20_000))
        assert abs(found / 20_000 - part) < 0.01


@pytest.mark.parametrize("text", ["0", "1/3", "2", "1/0", "1/2048", "0.5", "1/ 2", "-1/2", ""])
def test_other_parts_do_not_nest_and_are_refused(text):
    with pytest.raises(UsageError, match="EG965"):
        part_of(text, where="test")


def corpus(data, count, name="made", **more):
    with Writer(data, name, command="test") as writer:
        for n in range(count):
            writer.add(row(n, **more))


def rows_of(data, name):
    """Units of a mixture's rows: here the row's number."""
    corpora = [one.name for one in load_mixture(data, name).corpora]
    assert corpora == ["made"]
    return {place.row for place in places(data, name)}


def test_mixtures_of_parts_nest_and_say_what_they_are(tmp_path):
    data = tmp_path / "data"
    corpus(data, 400)
    found = {}
    for part in ("1/8", "1/4", "1"):
        with counter(None, tmp_path) as words:
            name = f"p{part[2:]}"
            mixture = mix(data, name, [data / "made"], recipe=Blend(part=part), counter=words)
        assert mixture.made_with.arguments["part"] == part
        found[part] = rows_of(data, name)
        assert mixture.tasks["triage"].available == len(found[part]) == mixture.rows
    assert found["1/8"] < found["1/4"] < found["1"]
    assert len(found["1"]) == 400


def test_a_part_that_starves_a_task_is_refused_before_anything_is_written(tmp_path):
    data = tmp_path / "data"
    corpus(data, 400)
    out = [n for n in range(100) if not in_part(row(n, unit=f"rare-{n}"), Fraction(1, 16))][:1]
    with Writer(data, "rare", command="test") as writer:
        writer.add(Example(**{**row_fields(row(1000)), "task": "rare", "unit": f"rare-{out[0]}"}))
    with counter(None, tmp_path) as words, pytest.raises(UsageError, match=r"EG965.*rare"):
        mix(data, "part", [data / "made", data / "rare"], recipe=Blend(part="1/16"), counter=words)
    assert not list((data / "mixtures").glob("*.json*"))


def row_fields(example):
    return {name: getattr(example, name) for name in example.__struct_fields__}


def test_the_command_takes_a_part(tmp_path):
    from harness import Project

    project = Project(tmp_path, "http://127.0.0.1:9/v1")
    corpus(project.root / "data", 300)
    done = project.evalgate("data", "mix", "quarter", "--from", "made", "--part", "1/4")
    assert done.returncode == 0, done.stderr
    manifest = json.loads((project.root / "data/mixtures/quarter.manifest.json").read_text())
    assert 40 < manifest["rows"] < 110
    done = project.evalgate("data", "mix", "third", "--from", "made", "--part", "1/3")
    assert (done.returncode, "EG965" in done.stderr) == (2, True)
