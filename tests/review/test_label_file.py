"""Labels on disk: nothing is lost, nothing is half written, nothing wrong is read."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import signal

import pytest
from label_rows import OUTPUT, Files

from evalgate.authored.label_file import append, extend, replace
from evalgate.errors import InfrastructureError, IntegrityError


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


def only(told: list[str]) -> str:
    assert len(told) == 1, told
    return told[0]


def test_no_file_is_no_labels(files):
    found, told = files.load()
    assert (len(found), told) == (0, [])


def test_what_was_appended_is_read(files):
    given = [files.label(0), files.label(1), files.label(0, "plain", answer="5")]
    for label in given:
        append(files.path, label)
    found, told = files.load()
    assert told == []
    assert list(found.usable) == given
    assert found.stale == ()


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        ({"item": "L-999"}, "EG631", "L-999"),
        ({"criterion": "states-raeson"}, "EG632", "Did you mean `states-reason`?"),
        ({"answer": "yes"}, "EG633", "met, not_met"),
        ({"criterion": "plain", "answer": "met"}, "EG633", "1, 2, 3, 4, 5"),
        ({"answer": "3"}, "EG633", "met, not_met"),
        ({"rater": ""}, "EG634", "pseudonym"),
        ({"rater": "Jo Doe"}, "EG634", "pseudonym"),
        ({"criterion": "states-reason", "answer": "met", "quote": " "}, "EG636", "asks for them"),
        ({"output": "sha256:12"}, "EG637", "output"),
        ({"rubric": ""}, "EG637", "rubric"),
    ],
)
def test_every_kind_of_wrong_label_is_told_with_its_line(files, changes, code, says):
    fields = {"criterion": "invented-fact", **changes}
    files.write(files.label(0), files.label(1, **fields))
    found, told = files.load()
    assert found is None
    line = only(told)
    assert (
        line.startswith(f"rubrics/letters.labels.jsonl:2: {code} found") or f":2: {code} " in line
    )
    assert says in line


@pytest.mark.parametrize(
    "line",
    [
        "prose\n",
        "\n",
        "[]\n",
        '{"item": 3}\n',
        '{"item": "L-000"}\n',
        '{"item": "L-000", "reply": "met"}\n',
    ],
)
def test_a_line_that_is_no_label_is_told(files, line):
    files.write(files.label(0), line)
    found, told = files.load()
    assert found is None
    assert ":2: EG630" in only(told)


def test_all_problems_of_a_file_come_at_once(files):
    files.write(
        files.label(0, item="L-999", rater="", answer="perhaps"),
        "nothing\n",
        files.label(1),
        files.label(1, answer="met"),
        '{"item": "L-0',
    )
    _, told = files.load()
    assert [(t.split(":")[1], t.split(" ")[1]) for t in told] == [
        ("5", "EG638"), ("1", "EG634"), ("1", "EG631"), ("1", "EG633"), ("2", "EG630"), ("4", "EG635"),
    ]  # fmt: skip


def test_no_text_of_a_label_is_repeated(files):
    secret = "Marta Quill has diabetes"
    value = json.loads(
        json.dumps({f: getattr(files.label(0), f) for f in files.label(0).__struct_fields__})
    )
    files.write(
        json.dumps(value | {"answer": secret, "item": secret, "criterion": secret, "rater": secret})
        + "\n",
        json.dumps(value | {"answer": secret}) + "\n",
        json.dumps(value | {secret: 1}) + "\n",
    )
    _, told = files.load()
    assert len(told) == 5
    assert not any("Marta" in t or "diabetes" in t for t in told)


def test_a_second_label_on_one_question_is_told_but_not_repeats_outputs_or_disputes(files):
    others = [
        files.label(0),
        files.label(0, rater="B"),
        files.label(0, repeat=True),
        files.label(0, adjudicates=True),
        files.label(0, output="sha256:" + "1" * 64),
        files.label(0, criterion_digest="sha256:" + "2" * 64),
    ]
    files.write(*others)
    found, told = files.load()
    assert told == []
    assert len(found) == len(others)
    files.write(*others, files.label(0, answer="met"))
    assert "EG635" in only(files.load()[1])


def test_a_rater_who_answers_a_repeat_otherwise_made_no_mistake_of_form(files):
    files.write(files.label(0, answer="met"), files.label(0, answer="not_met", repeat=True))
    assert files.load()[1] == []


def test_an_edited_criterion_makes_its_labels_stale_and_no_others(files):
    files.write(files.label(0), files.label(0, "plain"))
    text = files.rubric_path.read_text().replace("states a finding", "states any finding")
    files.rubric_path.write_text(text)
    edited = Files.__new__(Files)
    edited.__dict__ = dict(files.__dict__)
    from evalgate.authored import Problems
    from evalgate.authored.rubric_file import load_rubric

    edited.rubric = load_rubric(files.rubric_path, files.root, Problems())
    found, told = edited.load()
    assert told == []
    assert [x.criterion for x in found.usable] == ["plain"]
    assert [x.criterion for x in found.stale] == ["invented-fact"]


def test_points_change_without_a_label_going_stale(files):
    files.write(files.label(0))
    files.rubric_path.write_text(
        files.rubric_path.read_text().replace("points = -10", "points = -4")
    )
    from evalgate.authored import Problems
    from evalgate.authored.rubric_file import load_rubric

    files.rubric = load_rubric(files.rubric_path, files.root, Problems())
    assert len(files.load()[0].usable) == 1


def test_nothing_is_written_behind_a_torn_line(files):
    files.write(files.label(0), '{"item": "L-0')
    before = files.path.read_bytes()
    with pytest.raises(IntegrityError, match="torn off"):
        append(files.path, files.label(1))
    with pytest.raises(IntegrityError, match="torn off"):
        replace(files.path, files.label(0), files.label(0, answer="met"))
    assert files.path.read_bytes() == before


def test_going_back_replaces_one_label_and_keeps_the_others(files):
    extend(files.path, [files.label(0), files.label(1), files.label(2)])
    replace(files.path, files.label(1), files.label(1, answer="met"))
    found, _ = files.load()
    assert [x.answer for x in found.usable] == ["not_met", "met", "not_met"]
    assert list(files.path.parent.glob(".*")) == []
    with pytest.raises(ValueError, match="not in list"):
        replace(files.path, files.label(1), files.label(1))


def _write_many(path, files, rater):
    for i in range(12):
        append(path, files.label(i, rater=rater))


def test_raters_at_work_at_the_same_time_lose_nothing(files):
    context = multiprocessing.get_context("fork")
    workers = [
        context.Process(target=_write_many, args=(files.path, files, rater)) for rater in "ABCD"
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
        assert worker.exitcode == 0
    found, told = files.load()
    assert told == []
    assert len(found) == 48


def test_a_label_that_does_not_fit_on_the_disk_leaves_the_file_as_it_was(files):
    """A real limit of the operating system: the write stops in the middle of the line."""
    append(files.path, files.label(0))
    size = files.path.stat().st_size
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, size + 100))
        try:
            append(files.path, files.label(1))
        except InfrastructureError as error:
            os._exit(0 if error.code == "EG639" else 2)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert files.path.stat().st_size == size
    append(files.path, files.label(1))
    assert len(files.load()[0]) == 2


def test_a_place_that_cannot_be_written_to_is_an_outage(files):
    with pytest.raises(InfrastructureError, match="EG639"):
        append(files.root / "nowhere/letters.labels.jsonl", files.label(0))


def test_the_repr_shows_no_answer(files):
    files.write(files.label(0, quote="secret words", comment="more"))
    found, _ = files.load()
    assert "secret" not in repr(found) + repr(found.usable)
    assert OUTPUT not in repr(found)
