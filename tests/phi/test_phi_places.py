"""People in files of every kind, and rows set apart: nothing is lost, nothing is left after a fault, nothing is quoted."""

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from training.training_project import example

from evalgate.corpus.example import encode
from evalgate.corpus.files import rows
from evalgate.corpus.phi import Scanner
from evalgate.corpus.phi.places import look
from evalgate.corpus.phi.quarantine import set_apart
from evalgate.errors import EvalgateError, FileProblems, UsageError

NAME, SSN = "Wilhelmina Oakhurst", "219-09-9999"
TEXTS = {
    "gold.jsonl": json.dumps({"id": "g1", "input": {"text": f"Patient: {NAME}"}, "unit": "u"}),
    "run/answers.jsonl": json.dumps({"id": "a1", "text": f"Dear {NAME},\nyour SSN is {SSN}."}),
    "run/verdict.json": json.dumps({"verdicts": [{"why": f"It names Mrs. {NAME}."}]}),
    "server.log": f"info: started\ninfo: patient {NAME} asked\n",
    "report.html": f"<html><body><p>Mr. {NAME}</p><td>SSN</td><td>{SSN}</td></body></html>",
    "report.md": f"| member | {NAME} |\n| SSN | {SSN} |\n",
    "rows.csv": f"id,ssn,note\n1,{SSN},fine\n",
    "keys.json": json.dumps({"member_id": "88123476501", "date_of_birth": "1961-04-11"}),
}


def laid(folder: Path) -> Path:
    for name, text in TEXTS.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("name", TEXTS)
def test_people_are_found_in_files_of_every_kind(tmp_path, name):
    looked = look([laid(tmp_path) / name], Scanner())
    assert not looked.clean
    assert {p.type for p in looked.places} & {"NAME", "SSN", "MEMBER_ID", "DATE_OF_BIRTH"}


def test_a_directory_is_read_whole_and_what_is_no_text_is_named(tmp_path):
    laid(tmp_path)
    (tmp_path / "weights.gguf").write_bytes(b"GGUF\0\0\xff\xfe")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "note.md").write_text(f"Patient: {NAME}")
    looked = look([tmp_path], Scanner())
    assert looked.files == len(TEXTS) + 1
    assert looked.unread == (str(tmp_path / "weights.gguf"),)
    assert {Path(p.file).relative_to(tmp_path).as_posix() for p in looked.places} == set(TEXTS)


def test_the_line_of_a_log_is_told_and_its_words_are_not(tmp_path):
    looked = look([laid(tmp_path) / "server.log"], Scanner())
    assert {p.line for p in looked.places} == {2}
    assert "Oakhurst" not in msgspec.json.encode(looked).decode()


def test_a_path_that_leads_nowhere_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="EG881"):
        look([tmp_path / "absent"], Scanner())


def corpus(path: Path, every: int = 3, count: int = 30) -> Path:
    lines = []
    for number in range(count):
        said = (
            f"Patient: {NAME}, SSN {SSN}" if number % every == 0 else "The plan covers two visits."
        )
        turns = (
            {"role": "user", "content": f"{said} Case {number}."},
            {"role": "assistant", "content": "DENY"},
        )
        lines.append(encode(example(number, messages=turns, made_by=None, source="Northfield")))
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def test_every_row_lies_in_exactly_one_of_the_two_as_it_was_and_the_source_is_untouched(tmp_path):
    source = corpus(tmp_path / "rows.jsonl")
    before = source.read_bytes()
    apart = set_apart(source, tmp_path / "apart", Scanner())
    assert source.read_bytes() == before
    clean, held = (list(rows(tmp_path / "apart" / side, strict=True)) for side in ("clean", "held"))
    assert (len(clean), len(held)) == (apart.clean, apart.held) == (20, 10)
    assert sorted(map(encode, clean + held)) == sorted(before.splitlines())
    scanner = Scanner()
    assert all(list(scanner.scan_rows([row])) for row in held)
    assert not list(scanner.scan_rows(clean))
    assert (tmp_path / "apart" / "held").stat().st_mode & 0o077 == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["apart", "rows.jsonl"]


@pytest.mark.parametrize(("every", "left"), [(1, ["held"]), (1000, ["clean", "held"])])
def test_a_side_without_rows_is_not_written(tmp_path, every, left):
    set_apart(corpus(tmp_path / "rows.jsonl", every, 6), tmp_path / "apart", Scanner())
    assert sorted(p.name for p in (tmp_path / "apart").iterdir()) == left


@pytest.mark.parametrize("at", [0, 7, 29])
def test_a_fault_at_any_row_leaves_nothing(tmp_path, at):
    source = corpus(tmp_path / "rows.jsonl")
    scanner = Scanner()
    seen = []

    def failing(text):
        seen.append(text)
        if len(seen) > at:
            raise MemoryError
        return iter(())

    with pytest.raises(MemoryError):
        set_apart(source, tmp_path / "apart", Scanner([failing]))
    assert [p.name for p in tmp_path.iterdir()] == ["rows.jsonl"]
    assert set_apart(source, tmp_path / "apart", scanner).held == 10


def test_a_broken_row_leaves_nothing_either(tmp_path):
    source = corpus(tmp_path / "rows.jsonl")
    source.write_bytes(source.read_bytes() + b'{"id": "half"')
    with pytest.raises(FileProblems):
        set_apart(source, tmp_path / "apart", Scanner())
    assert [p.name for p in tmp_path.iterdir()] == ["rows.jsonl"]


def test_nothing_is_written_over(tmp_path):
    (tmp_path / "apart").mkdir()
    with pytest.raises(EvalgateError, match="EG827"):
        set_apart(corpus(tmp_path / "rows.jsonl"), tmp_path / "apart", Scanner())


def command(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "evalgate", "data", "phi", *args]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)


def test_the_command_tells_types_and_lines_exits_1_and_sets_apart(tmp_path):
    (tmp_path / "evalgate.toml").write_text("")
    laid(tmp_path)
    corpus(tmp_path / "rows.jsonl")
    (tmp_path / "plain.md").write_text("The plan covers two visits a year.")
    done = command(tmp_path, "run", "server.log")
    assert done.returncode == 1, done.stderr
    assert "server.log: 1 NAME (lines 2)" in done.stdout
    assert "bar" in done.stderr
    assert "Oakhurst" not in done.stdout + done.stderr
    assert command(tmp_path, "plain.md").returncode == 0
    assert command(tmp_path, "absent").returncode == 2
    told = json.loads(command(tmp_path, "rows.csv", "--json").stdout)
    assert told["schema"] == "evalgate.phi/1"
    assert [p["type"] for p in told["places"]] == ["SSN"]
    done = command(tmp_path, "rows.jsonl", "--quarantine", "apart")
    assert done.returncode == 1, done.stderr
    assert "10 rows in held, 20 in clean" in done.stdout
    assert command(tmp_path, "run", "plain.md", "--quarantine", "other").returncode == 2
