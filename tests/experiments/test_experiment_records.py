"""The record of an experiment: what is written is read, what was edited is not; curves and seconds from logs and rows."""

import json
import math
import shutil

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalgate.errors import InfrastructureError, IntegrityError, UsageError
from evalgate.release.experiments import _covered, _curve
from evalgate.report.experiment import differences
from evalgate.store.experiments import (
    FOLDER,
    Experiment,
    Kept,
    Seconds,
    TaskData,
    find,
    keep,
    of_candidate,
    read,
)

PLAIN = Experiment(
    name="rc1",
    artifact="sha256:a",
    when="2026-01-02T03:04:05.000000Z",
    recipe="trainers/rc1.toml",
    recipe_digest="sha256:b",
    trainer="sha256:c",
    config={"steps": 4, "learning_rate": 2e-4},
    seed=1,
    base="base",
    base_digest="sha256:d",
    mixture="first",
    mixture_digest="sha256:e",
    corpora={"made": "sha256:f"},
    data={"triage": TaskData(rows=7, trained_tokens=21)},
    starts=1,
    loss=((1, 2.0), (2, 1.0)),
    held_out={"triage": ((2, 1.5),)},
    seconds=Seconds(training=3.0),
)
numbers = st.floats(allow_nan=False, allow_infinity=False)


def kept(root, stem="20260102T030405000000-rc1", **changes):
    one = Kept(stem=stem, experiment=msgspec.structs.replace(PLAIN, **changes))
    return keep(root, one), one


@settings(deadline=None)  # a file is written, which takes as long as it takes
@given(losses=st.lists(numbers, max_size=5), training=numbers)
def test_what_is_kept_is_what_is_read(tmp_path_factory, losses, training):
    root = tmp_path_factory.mktemp("r")
    path, one = kept(root, loss=tuple(enumerate(losses)), seconds=Seconds(training=training))
    found = read(path)
    assert msgspec.structs.replace(found.experiment, sum="") == one.experiment
    assert found.stem == one.stem
    shutil.rmtree(root)


def test_a_record_is_for_its_owner_only_and_is_written_over_as_a_whole(tmp_path):
    path, one = kept(tmp_path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    keep(tmp_path, msgspec.structs.replace(one, experiment=msgspec.structs.replace(PLAIN, why="")))
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    assert read(path).experiment.why == ""


@pytest.mark.parametrize(
    ("old", "new"), [('"seed": 1', '"seed": 2'), ("2.0", "1.9"), ('"rows": 7', '"rows": 8')]
)
def test_an_edited_record_is_not_believed(tmp_path, old, new):
    path, _ = kept(tmp_path)
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(IntegrityError, match="EG952"):
        read(path)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"schema": "evalgate.experiment/2"}'])
def test_a_record_that_is_none_is_refused(tmp_path, content):
    path, _ = kept(tmp_path)
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match="EG951"):
        read(path)


def test_a_record_that_cannot_be_written_is_an_outage_and_leaves_nothing(tmp_path):
    (tmp_path / "reports").write_text("no directory")
    with pytest.raises(InfrastructureError, match="EG950"):
        kept(tmp_path)


def test_an_experiment_is_found_by_candidate_stem_or_beginning(tmp_path):
    kept(tmp_path, "20260102T030405000000-rc1", seed=1)
    kept(tmp_path, "20260103T030405000000-rc1", seed=2)
    kept(tmp_path, "20260103T040405000000-rc1-b", name="rc1-b", seed=3)
    assert find(tmp_path, "rc1").experiment.seed == 2  # the latest
    assert find(tmp_path, "20260102T030405000000-rc1").experiment.seed == 1
    assert find(tmp_path, "20260102").experiment.seed == 1
    assert find(tmp_path, "rc1-b").experiment.seed == 3
    assert of_candidate(tmp_path, "20260102") is None
    with pytest.raises(UsageError, match="EG953"):
        find(tmp_path, "20260103")
    with pytest.raises(UsageError, match="'rc2', expected one of: rc1, rc1-b"):
        find(tmp_path, "rc2")


def test_two_experiments_differ_in_what_went_in_and_in_nothing_that_came_out(tmp_path):
    _, one = kept(tmp_path)
    _, same = kept(tmp_path, name="rc2", artifact="sha256:z", loss=(), seconds=Seconds(training=9.0))  # fmt: skip
    assert differences(one, same).rows == ()
    more = {"triage": TaskData(rows=9, trained_tokens=21), "codes": TaskData(rows=1, trained_tokens=2)}  # fmt: skip
    _, other = kept(tmp_path, seed=2, config={"steps": 5, "rank": 8}, data=more, base="other")
    assert {n: (a, b) for n, a, b in differences(one, other).rows} == {
        "config learning_rate": ("0.0002", "–"),
        "config steps": ("4", "5"),
        "config rank": ("–", "8"),
        "seed": ("1", "2"),
        "base": ("base sha256:d", "other sha256:d"),
        "rows of triage": ("7", "9"),
        "rows of codes": ("–", "1"),
        "trained tokens of codes": ("–", "2"),
    }


intervals = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)).map(lambda p: (p[0], p[0] + p[1])))  # fmt: skip


@given(intervals)
def test_seconds_of_answering_count_each_moment_once(found):
    moments = {t for low, high in found for t in range(low, high)}
    assert _covered(sorted(found)) == len(moments)


def test_harness_time_is_known_only_where_both_parts_of_it_are():
    assert Seconds(training=1.0).harness is None
    assert Seconds(training=1.0, check=5.0).harness is None
    assert Seconds(training=1.0, check=5.0, answering=1.5, opening=1.0).harness == 3.5


def test_a_step_that_was_done_twice_counts_once_and_what_is_no_number_not_at_all():
    log = [{"step": 1, "loss": 3}, {"step": 2, "loss": 2.5}, {"step": 2, "loss": 2.0}, {"step": 3, "loss": math.nan},
           {"step": 4, "loss": None}, {"step": 4, "eval_a_loss": 1.0}]  # fmt: skip
    assert _curve(log, "loss") == ((1, 3.0), (2, 2.0))
    assert _curve(log, "eval_a_loss") == ((4, 1.0),)


def test_the_file_says_its_schema(tmp_path):
    path, _ = kept(tmp_path)
    assert path.parent == tmp_path / FOLDER
    assert json.loads(path.read_text())["schema"] == "evalgate.experiment/1"
