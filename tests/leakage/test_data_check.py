"""`evalgate data check` as its user runs it, and the report that training keeps."""

import json
import random
import shutil
import sys
from pathlib import Path

import pytest
from harness import CARD, PROMPT, Project, gold_items

sys.path.insert(0, str(Path(__file__).parents[1] / "sealed"))
from plants import filler
from sealed_project import SECRET, SealedProject

from evalgate.corpus.example import Example
from evalgate.corpus.files import Writer
from evalgate.corpus.leak.gold import load_all
from evalgate.corpus.leakage import check_corpora, keep, kept

LONG = "The cobalt ferry leaves before the ninth bell on every second market day in spring."


@pytest.fixture
def project(tmp_path):
    made = Project(tmp_path, "http://127.0.0.1:9/v1")
    made.write("goldsets/ferries.jsonl", json.dumps(gold("f-1", LONG)) + "\n")
    made.write("goldsets/ferries.toml", CARD)
    return made


def gold(name, text):
    return {"id": name, "input": {"text": text}, "expected": "A", "unit": f"unit of {name}"}


def row(name, text, **fields):
    said = [{"role": "user", "content": text}, {"role": "assistant", "content": "DENY"}]
    return {"id": name, "task": "triage", "messages": said, **fields}


def write(project, *rows, name="rows.jsonl"):
    return project.write(name, "".join(json.dumps(each) + "\n" for each in rows))


def test_a_clean_file_ends_with_0_and_says_what_was_not_looked_for(project):
    write(project, row("a", PROMPT.replace("{{text}}", "quite another request")))
    done = project.evalgate("data", "check", "rows.jsonl")
    assert (done.returncode, done.stdout) == (0, "1 rows against 2 gold sets: no hit\n")
    assert done.stderr.splitlines() == [
        "1 rows have no terms: training refuses them (--training shows it)",
        "people's data was not looked for: --phi does",
    ]


def test_hits_are_told_as_json_with_the_items_they_touch(project):
    leak = row("a", f"Dear all,\n\n{LONG.upper()}")
    rows = [
        leak,
        row("b", "As I said: request <0003> of member 3"),
        row("c", "new", unit="member-7"),
    ]
    write(project, *rows, row("d", "New!"))
    done = project.evalgate(
        "data", "check", "rows.jsonl", "--json", "--contaminated", "touched.json"
    )
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert (told["schema"], told["clean"]) == ("evalgate.datacheck/1", False)
    assert {(hit["kind"], hit["row"], hit["gold"]) for hit in told["hits"]} == {
        ("leak", "a", "f-1"),
        ("leak", "b", "t-0003"),
        ("lineage", "c", "t-0007"),
        ("duplicate", "d", None),
    }
    assert all(set(hit) == {"kind", "row", "gold", "evidence"} for hit in told["hits"])
    assert "cobalt" not in (done.stdout + done.stderr).lower()
    touched = json.loads((project.root / "touched.json").read_text())
    assert touched["schema"] == "evalgate.contaminated/1"
    assert {name: list(one["items"]) for name, one in touched["gold"].items()} == {
        "ferries": ["f-1"],
        "triage": ["t-0003", "t-0007"],
    }
    assert "3 gold items are touched" in done.stderr


def test_text_is_shown_only_on_request(project):
    write(project, row("a", LONG))
    quiet = project.evalgate("data", "check", "rows.jsonl")
    assert "ferry" not in quiet.stdout + quiet.stderr
    assert "a: leak of f-1: ferries: verbatim, 100% of the question" in quiet.stdout
    assert '"the cobalt ferry leaves' in project.evalgate("data", "check", "rows.jsonl", "--show-text").stdout  # fmt: skip


def test_gold_as_training_data_is_refused_wherever_it_lies(project):
    source = project.root / "goldsets/triage.jsonl"
    shutil.copy(source, project.root / "copy.jsonl")
    write(project, *gold_items(3), name="others.jsonl")
    (project.root / "link.jsonl").symlink_to(source)
    for name in ("goldsets/triage.jsonl", "copy.jsonl", "others.jsonl", "link.jsonl"):
        done = project.evalgate("data", "check", name)
        assert (done.returncode, done.stdout) == (2, ""), name
        assert "EG870" in done.stderr


def test_files_that_cannot_be_used_end_with_2(project):
    project.write("broken.jsonl", '{"id": "a"\n')
    for args in (["nothing.jsonl"], ["broken.jsonl"], ["suites"], [], ["broken.jsonl", "--keep"]):
        done = project.evalgate("data", "check", *args)
        assert done.returncode == 2, args
        assert "Traceback" not in done.stderr
    assert "EG872" in done.stderr


def test_terms_that_allow_no_training_are_hits_and_missing_ones_where_training_asks(project):
    write(project, row("a", "one"), row("b", "two", terms="nobody-knows"))
    done = project.evalgate("data", "check", "rows.jsonl", "--json")
    assert [(h["kind"], h["row"]) for h in json.loads(done.stdout)["hits"]] == [("terms", "b")]
    assert "1 rows have no terms" in done.stderr
    done = project.evalgate("data", "check", "rows.jsonl", "--json", "--training")
    assert [h["row"] for h in json.loads(done.stdout)["hits"]] == ["a", "b"]


def test_people_are_looked_for_on_request(project):
    write(project, row("a", "Her social security number is 536-22-8145."))
    assert project.evalgate("data", "check", "rows.jsonl").returncode == 0
    done = project.evalgate("data", "check", "rows.jsonl", "--phi", "--json")
    assert done.returncode == 1
    assert {hit["kind"] for hit in json.loads(done.stdout)["hits"]} == {"phi"}
    assert "536" not in done.stdout + done.stderr
    assert "--phi" not in done.stderr


def test_sealed_items_are_compared_by_whoever_has_the_key_and_nobody_else(tmp_path):
    sealed = SealedProject(tmp_path)
    assert sealed.seal().returncode == 0
    write(sealed, row("a", f"request <5003> of {SECRET}"))
    without = sealed.evalgate("data", "check", "rows.jsonl", "--show-text")
    assert without.returncode == 0
    assert "goldsets/triage.sealed was not compared" in without.stderr
    done = sealed.as_gate("data", "check", "rows.jsonl", "--show-text")
    assert done.returncode == 1
    assert "a: leak of s-5003: triage.sealed:" in done.stdout
    assert "not compared" not in done.stderr
    assert SECRET not in done.stdout + done.stderr


# -- the kept report


def corpus(root, *said):
    with Writer(root / "data", "demo", command="test") as made:
        for n, text in enumerate(said):
            made.add(Example(**row(f"r{n}", text, messages=tuple(row("", text)["messages"]))))
    return made.path


def test_a_kept_report_holds_for_the_same_corpus_gold_prompts_and_rules_only(project):
    path = corpus(project.root, LONG, filler(random.Random(1), 30))
    done = project.evalgate("data", "check", "data/demo", "--keep")
    assert done.returncode == 1
    gold = load_all(project.root, None)
    report = kept(path, gold)
    assert [hit.gold for hit in report.hits] == ["f-1"]
    assert report.gold == gold.sets
    assert (
        project.evalgate("data", "check", "data/demo").stdout == done.stdout
    )  # and it is a corpus still
    project.write("goldsets/ferries.jsonl", json.dumps(gold_items(1)[0] | {"id": "new"}) + "\n")
    assert kept(path, load_all(project.root, None)) is None
    project.write("suites/prompts/triage.md", PROMPT + "Please.\n")
    assert kept(path, gold) is not None
    assert kept(path, load_all(project.root, None)) is None
    shutil.rmtree(path)
    corpus(project.root, LONG)
    keep(report, path)
    assert kept(path, gold) is None, "another corpus"
    (project.root / "data/demo.checks.json").write_text("{}")
    assert kept(path, gold) is None


def test_several_files_are_one_corpus_to_the_check(project):
    write(project, row("a", "the same words"), name="one.jsonl")
    write(project, row("b", "The same WORDS!"), name="two.jsonl")
    paths = [project.root / name for name in ("one.jsonl", "two.jsonl")]
    report = check_corpora(paths, load_all(project.root, None))
    assert [(hit.kind, hit.row) for hit in report.hits] == [("duplicate", "b")]
    assert list(report.corpora) == [path.as_posix() for path in paths]
