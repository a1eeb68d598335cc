"""What people see of interference: text, Markdown, a page's section, JSON; and the command over real runs."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scripted import ScriptedServer
from three_tasks import TASKS, ThreeTasks, but, right

from evalgate.report.interference import (
    Against,
    Cell,
    Interference,
    interference_json,
    interference_markdown,
    interference_section,
    interference_text,
    sentences,
)

numbers = st.none() | st.floats(-1, 1)
cells = st.builds(
    Cell,
    kind=st.sampled_from(["metric", "form", "refusals", "loss"]),
    suite=st.text(max_size=30),
    model=st.text(max_size=10),
    state=st.sampled_from(["alarm", "non-inferior", "not shown", "inconclusive", "not comparable"]),
    reason=st.text(max_size=20),
    margin=numbers,
    difference=numbers,
    low=numbers,
    high=numbers,
    units=st.integers(0, 500),
    adjusted=st.none() | st.floats(0, 1),
)
found = st.builds(
    Interference,
    candidate=st.text(max_size=10),
    alpha=st.just(0.05),
    against=st.lists(st.builds(Against, role=st.text(max_size=10), model=st.text(max_size=10), cells=st.lists(cells, max_size=4).map(tuple)), max_size=2).map(tuple),
    notes=st.lists(st.text(max_size=20), max_size=2).map(tuple),
)  # fmt: skip
anything = settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])


@anything
@given(found)
def test_the_section_is_well_formed_whatever_the_names_hold_and_has_a_table_beside_each_picture(f):
    tree = ET.fromstring(interference_section(f).replace("<wbr>", ""))
    pictures = list(tree.iter("svg"))
    compared = [a for a in f.against if any(c.kind == "metric" and c.difference is not None for c in a.cells)]  # fmt: skip
    assert len(pictures) == len(compared)
    assert sum(len(list(p.iter("circle"))) for p in pictures) == sum(
        c.kind == "metric" and c.difference is not None for a in f.against for c in a.cells
    )
    assert len(list(tree.iter("tbody"))) == sum(len({c.kind for c in a.cells}) for a in f.against)
    ids = [e.get("id") for e in tree.iter() if e.get("id")]
    assert len(ids) == len(set(ids))


@anything
@given(found)
def test_every_cell_stands_in_the_text_and_in_the_markdown(f):
    total = sum(len(a.cells) for a in f.against)
    text = interference_text(f)
    assert sum(line.startswith("    ") for line in text.splitlines()) == total + len(f.against)
    rows = [line for line in interference_markdown(f).splitlines() if line.startswith("| ")]
    groups = sum(len({c.kind for c in a.cells}) for a in f.against)
    assert len(rows) == total + groups + len(f.against)
    assert json.loads(json.dumps(interference_json(f)))["schema"] == "evalgate.interference/1"


def test_no_alarm_says_that_this_is_no_proof():
    one = Cell(kind="metric", suite="a", model="m", state="inconclusive")
    f = Interference(candidate="c", alpha=0.05, against=(Against(role="base", model="m", cells=(one,)),))  # fmt: skip
    assert sentences(f) == ["no alarm, which is no proof of anything: of 1 comparisons 1 inconclusive"]  # fmt: skip


def models(server):
    """Scripted models by the name they are asked under: one that knows all, then one that was fed one task too much."""
    said = {"first": right, "second": but("codes", 36, "DENY")}

    def reply(messages, payload):
        task, number = messages[-1]["content"].split()[-2:]
        return said[payload["model"]](task, int(number.strip("<>")))

    return ScriptedServer(reply, **server)


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """Two candidates, asked by `gate check` one after the other; the second is worse on one task."""
    with models({}) as server:
        project = ThreeTasks(tmp_path_factory.mktemp("checked") / "p", "first", "second", n=60)
        project.models(first=server.url, second=server.url)
        done = {name: project.evalgate("gate", "check", name) for name in ("first", "second")}
        yield project, done
        assert server.count == 2 * len(TASKS) * 60  # the comparison asked nothing


def test_the_gate_closes_on_the_starved_task_and_the_table_names_it_and_the_previous_candidate(
    checked,
):
    project, done = checked
    assert (done["first"].returncode, done["second"].returncode) == (0, 1), done["first"].stderr
    told = project.evalgate("run", "interference", "second")
    assert told.returncode == 0, told.stderr
    assert "ALARM: codes is worse than first (previous candidate): -0.6000 [" in told.stdout
    assert "codes is answered in another task's form more often than first" in told.stdout
    found = json.loads(project.evalgate("run", "interference", "second", "--json").stdout)
    (reference,) = found["against"]
    states = {c["suite"]: c["state"] for c in reference["cells"] if c["kind"] == "metric"}
    assert states == {"triage": "non-inferior", "codes": "alarm", "letters": "non-inferior"}


@pytest.mark.parametrize(("form", "sign"), [("md", "### previous candidate"), ("html", "<svg")])
def test_every_format_of_the_command_names_the_alarm_and_quotes_no_answer(checked, form, sign):
    project, _ = checked
    done = project.evalgate("run", "interference", "second", "--format", form)
    assert done.returncode == 0, done.stderr
    assert sign in done.stdout
    assert "codes is worse than first" in done.stdout
    assert "Dear member" not in done.stdout


def test_the_command_refuses_what_it_cannot_compare(checked):
    project, _ = checked
    first = project.evalgate("run", "interference", "first")  # nothing was checked before it
    assert (first.returncode, "EG955" in first.stderr) == (2, True)
    same = project.evalgate("run", "interference", "first", "--against", "first")
    assert (same.returncode, "EG957" in same.stderr) == (2, True)
