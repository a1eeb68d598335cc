"""`evalgate models curve`: real commands and processes, with a trainer that knows two families' laws instead of learning."""

import json
import sys
import tomllib
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from models import stand_in
from training.training_project import RECIPE, TrainingProject, example

STAND_IN = """\
import hashlib, math, os
from evalgate import training

def law(base, n):
    return 0.30 + 2 * n**-0.5 if base == "base" else 0.15 + 3 * n**-0.35  # the second one wins beyond 3 000 rows

def train(work):
    n = sum(1 for _ in work.examples("rows"))
    base = os.path.basename(work.job.base)
    for folder in (work.adapter, work.merged):
        folder.mkdir(exist_ok=True)
        (folder / "model.safetensors").write_bytes(work.job.digest.encode())
    if base == "other" and n > 60 and os.path.exists(os.path.join({marks!r}, "stop")):
        os.kill(os.getpid(), 9)
    luck = int(hashlib.sha256(work.job.digest.encode()).hexdigest()[:4], 16) / 65536 - 0.5
    with open(os.path.join({marks!r}, base), "a") as f:
        f.write("x")
    work.note("step", step=1, of=1, loss=0.5, eval_triage_loss=law(base, n) * (1 + 0.02 * luck))
    work.note("trained", steps=1)

training.run_trainer(train)
"""
CURVE = """\
[curve]
recipe = "trainers/rc1.toml"
current = "base"
challengers = ["other"]
measure = "loss"
"""


FEW = """parts = ["1/2", "1"]
seeds = [1]
"""


@pytest.fixture
def project(tmp_path):
    project = TrainingProject(tmp_path)
    project.write("models/other/config.json", '{"other": 1}')
    with (project.root / "evalgate.toml").open("a") as f:
        f.write(
            '\n[models.other]\nartifact = "models/other"\nserver = "transformers"\nlicence = "Apache-2.0"\n'
        )
    project.write("trainers/rc1.toml", RECIPE.replace("lora.py", "standin.py"))
    (tmp_path / "marks").mkdir()
    project.write("trainers/standin.py", STAND_IN.format(marks=str(tmp_path / "marks")))
    project.write("trainers/growth.toml", CURVE)
    return project


def grown(project, rows):
    """The project with so many rows of data, all of which may be trained on."""
    project.corpus(*(example(n) for n in range(rows)))
    project.mixture()
    project.lock()
    return project


@pytest.fixture
def small(project):
    """A hundred rows, and a curve of four points."""
    project.edit("trainers/growth.toml", "[curve]\n", f"[curve]\n{FEW}")
    return grown(project, 100)


def trainings(project):
    return sum(path.stat().st_size for path in (project.root / "marks").iterdir())


def curve(project, *args):
    command = ("evalgate", "models", "curve", "trainers/growth.toml", *args)
    return project.run(sys.executable, "-m", *command, timeout=900)


def record(project):
    return json.loads((project.root / "reports/curves/growth.json").read_text())


@pytest.mark.slow
def test_a_family_that_learns_more_of_more_data_is_nominated_and_not_promoted(project):
    grown(project, 1000)
    before = (project.root / "evalgate.toml").read_text()
    done = curve(project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nominated: other (triage: Pr(better)" in done.stdout
    found = record(project)
    assert len(found["points"]) == 30
    task = found["tasks"][0]
    small, large = task["curves"]
    assert small["now"]["error"] < large["now"]["error"]  # behind today
    assert small["planned"]["error"] > large["planned"]["error"]
    assert task["better"]["other"] > 0.25
    assert found["rows"] == 1000
    # nothing of it stays but numbers, and what made them
    assert tomllib.loads((project.root / "evalgate.toml").read_text()) == tomllib.loads(before)
    assert sorted(p.name for p in (project.root / "models").iterdir()) == ["base", "other"]
    assert not (project.root / "reports/aliases").exists()
    assert len(list((project.root / "trainers/curves/growth").glob("*.toml"))) == 30
    kept = [json.loads(p.read_text()) for p in (project.root / "reports/experiments").glob("*.json")]
    assert len(kept) == 30
    assert {one["why"] for one in kept} == {"a point of a curve"}
    page = (project.root / "reports/curves/growth.html").read_text()
    svg = page[page.index("<svg") : page.index("</svg>") + 6]
    assert len(ET.fromstring(svg).findall(".//polyline")) == 2
    # the same again trains nothing and says the same
    again = curve(project)
    assert again.stdout == done.stdout
    assert trainings(project) == 30


def test_a_killed_start_goes_on_where_it_was_and_still_knows_that_the_data_doubled(small):
    stop = small.root / "marks/stop"
    stop.touch()
    last = {
        "schema": "evalgate.curve/1",
        "name": "growth",
        "file": "",
        "measure": "loss",
        "current": "base",
    }
    last |= {"challengers": ["other"], "rows": 40, "decided": "2026-01-02T00:00:00+00:00"}
    small.write("reports/curves/growth.json", json.dumps(last))
    died = curve(small)
    assert (died.returncode, "EG912" in died.stderr) == (4, True)
    assert len(record(small)["points"]) == 3
    assert record(small)["decided"] == ""
    stop.unlink()
    done = curve(small)
    assert done.returncode == 0, done.stdout + done.stderr
    assert trainings(small) == 4  # each once
    assert len(record(small)["points"]) == 4
    assert "not enough points to fit: found 2 sizes with 1 seeds" in done.stdout
    told = "nominated: other (data doubled: 100 rows now, 40 at the last choice (2026-01-02"
    assert told in done.stdout


def test_what_may_not_be_trained_is_refused_before_anything_is(small):
    small.edit(
        "evalgate.toml",
        'server = "transformers"\nlicence = "Apache-2.0"',
        'server = "transformers"',
    )
    done = curve(small)
    assert (done.returncode, "EG967" in done.stderr, "EG923" in done.stderr) == (1, True, True)
    assert trainings(small) == 0


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"1/2"', '"1/3"', "EG965"),
        ("[curve]", '[curve]\ntasks = ["nothing"]', "EG966"),
        ('"loss"', '"metric"\n[primary]\ntriage = "nothing"', "EG966"),
        ('"loss"', '"vibes"', "EG108"),
        ("[curve]", "[curve]\nplanned = 40", "EG108"),
        ("[1]", "[1, 1]", "EG107"),
        ("[curve]", "[curve]\nsteps = 3", "EG105"),
        ('["other"]', '["base"]', "EG104"),
        ('["other"]', '["nobody"]', "EG145"),
        ('current = "base"\n', "", "EG106"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(small, old, new, said):
    small.edit("trainers/growth.toml", old, new)
    done = curve(small)
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr
    assert trainings(small) == 0


def test_a_trainer_that_measured_nothing_at_its_last_step_is_no_point(small):
    small.edit("trainers/standin.py", "eval_triage_loss", "eval_other_loss")
    done = curve(small)
    assert (done.returncode, "EG968" in done.stderr) == (2, True)


def test_a_record_that_was_edited_is_not_gone_on_with(small):
    small.write("reports/curves/growth.json", "{}")
    done = curve(small)
    assert (done.returncode, "EG969" in done.stderr) == (5, True)


SERVED = """\
import sys
sys.path[:0] = {tests!r}
import stand_in
from evalgate import training

def train(work):
    work.adapter.mkdir(exist_ok=True)
    (work.adapter / "adapter.safetensors").write_bytes(work.job.digest.encode())
    stand_in.model(work.merged, made_by=work.job.digest)
    work.note("trained", steps=1)

training.run_trainer(train)
"""


def test_by_metric_points_are_asked_the_dev_suites_and_too_few_of_them_nominate_nobody(
    small,
):
    """Real servers, of a stand-in that is always right: an error of 0 with the doubt that 120 items leave."""
    here = Path(__file__).parents[1]
    small.write("trainers/standin.py", SERVED.format(tests=[str(here), str(here / "models")]))
    python = stand_in.environment(small.root / "env")
    with (small.root / "evalgate.toml").open("a") as f:
        f.write(f'\n[servers.transformers]\npython = "{python}"\n')
    small.edit("trainers/growth.toml", 'measure = "loss"', 'measure = "metric"')
    done = curve(small, "--keep")
    assert done.returncode == 0, done.stdout + done.stderr
    points = record(small)["points"]
    assert [p["error"] for p in points] == [{"triage": 0.0}] * 4
    assert all(0.005 < p["se"]["triage"] < 0.02 for p in points)
    assert record(small)["tasks"][0]["measured"] == "1 - accuracy"
    assert len(list((small.root / "reports/runs/triage").iterdir())) == 4
    assert not list((small.root / "reports").glob("certificates/*"))
    assert "not enough points to fit" in done.stdout
    assert "not nominated: other (no curve" in done.stdout
    kept = [p for p in (small.root / "models").iterdir() if p.name.startswith("growth-")]
    assert len(kept) == 4
