"""A model tells rows in other words: what is kept, what is dropped, what a kept row says of itself; and vendors' rows."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from scripted import Response
from synthesis_project import Project, retold, telling

from evalgate.corpus.example import Example
from evalgate.corpus.files import Writer, load_manifest, rows
from evalgate.corpus.rewriting import PROMPT, source_of
from evalgate.corpus.synthesis_corpus import figures_of

CLAIMS = ("--rows", "40", "--task", "claim_entities", "--model", "teller")
MAY = """\
[terms]
vendor = "Harrow Data"
contract = "Data licence 7, 2026"
read_by = "the project"
read_on = 2026-11-01
"""
VALUES = {
    "may_train": "true", "may_distil": "true", "may_augment": "true", "effective": "2026-01-01", "expires": '"never"',
    "retention": '"unlimited"', "deletion_on_termination": "false", "territory": '["worldwide"]',
}  # fmt: skip


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def terms(project: Project, name: str, **other: str) -> None:
    values = {k: v for k, v in {**VALUES, **other}.items() if v}
    text = MAY + "".join(
        f'\n[{k}]\nvalue = {v}\nclause = "as agreed"\nwhere = "section 1"\n'
        for k, v in values.items()
    )
    (project.root / "terms" / f"{name}.toml").write_text(text)


def test_honest_retellings_are_kept_and_say_who_wrote_them(project):
    with telling(project, retold):
        done = project.synthesize("--out", "data/x", *CLAIMS, "--rewrite-share", "1")
    assert done.returncode == 0, done.stderr
    plain = project.synthesize("--out", "data/plain", *CLAIMS[:4])
    assert plain.returncode == 0
    told = figures_of(load_manifest(project.root / "data/x"))["claim_entities"].rewritten
    before = {e.id: e for e in rows(project.root / "data/plain", strict=True)}
    new = [e for e in rows(project.root / "data/x", strict=True) if e.made_by.model]
    assert told.chosen == sum(1 for e in before.values() if source_of(e) is not None)
    assert len(new) == told.kept > told.chosen / 3
    assert told.kept + sum(told.dropped.values()) == told.chosen
    for example in new:
        old, text = before[example.id], example.input["narrative"]
        assert text != old.input["narrative"]
        assert text in example.messages[-2]["content"]
        assert example.messages[-1] == old.messages[-1]
        assert all(text[e["start"] : e["end"]] == e["text"] for e in example.expected)
        assert example.made_by.model.startswith("sha256:")
        assert (example.made_by.prompt, example.made_by.seed) == (PROMPT, old.made_by.seed)
        assert list(example.checks) == ["facts"]
    kept_as_they_were = [
        e for e in rows(project.root / "data/x", strict=True) if not e.made_by.model
    ]
    assert all(e == before[e.id] for e in kept_as_they_were)
    assert f"{told.kept} of {told.chosen} kept" in done.stdout


def test_retellings_that_change_a_figure_are_all_dropped_by_name(project):
    def wrong(text: str) -> str:
        return re.sub(r"\d", lambda m: str((int(m[0]) + 1) % 10), retold(text))

    with telling(project, wrong):
        done = project.synthesize("--out", "data/x", *CLAIMS, "--rewrite-share", "1")
    assert done.returncode == 0, done.stderr
    told = figures_of(load_manifest(project.root / "data/x"))["claim_entities"].rewritten
    assert told.kept == 0
    assert told.dropped["new-figure-or-date"] > 0.8 * told.chosen
    assert all(not e.made_by.model for e in rows(project.root / "data/x", strict=True))


def test_answers_that_were_cut_off_or_declined_are_dropped(project):
    replies = [Response(text="Member", finish_reason="length"), Response(text="I'm sorry, I can't help with that request.")]  # fmt: skip
    with telling(project, lambda text: replies[len(text) % 2]):
        project.synthesize("--out", "data/x", *CLAIMS, "--rewrite-share", "0.5")
    told = figures_of(load_manifest(project.root / "data/x"))["claim_entities"].rewritten
    assert 0 < told.chosen < 40
    assert set(told.dropped) == {"cut-off", "declined"}


def test_the_share_is_chosen_by_id_and_seed_whatever_stands_beside_a_row(project):
    with telling(project, retold):
        for name, count in (("x", "40"), ("y", "20")):
            args = ("--rows", count, *CLAIMS[2:], "--rewrite-share", "0.4")
            assert project.synthesize("--out", f"data/{name}", *args).returncode == 0
    many, few = (rows(project.root / "data" / name, strict=True) for name in "xy")
    chosen = [
        [e for e in found if e.made_by.model and int(e.id[-7:]) < 20] for found in (many, few)
    ]
    assert chosen[0] == chosen[1] != []


def test_a_label_keeps_its_text_and_gets_something_before_it(project):
    added = "This came in by mail and was put on the desk."
    args = ("--rows", "30", "--task", "denial_reasons", "--model", "teller", "--rewrite-share", "1")
    with telling(project, lambda text: added):
        assert project.synthesize("--out", "data/x", *args).returncode == 0
    new = [e for e in rows(project.root / "data/x", strict=True) if e.made_by.model]
    assert new
    assert all(e.input["text"].startswith(f"{added}\n\n") for e in new)
    with telling(
        project, lambda text: "The plan denied it, as the provider is not in the network."
    ):
        assert project.synthesize("--out", "data/y", *args).returncode == 0
    told = figures_of(load_manifest(project.root / "data/y"))["denial_reasons"].rewritten
    assert told.kept == 0
    assert told.dropped["other-reason"] > 0


def test_a_model_that_is_not_there_is_an_outage_and_nothing_is_left(project):
    project.model("http://127.0.0.1:9/v1")
    done = project.synthesize("--out", "data/x", *CLAIMS)
    assert done.returncode == 4, done.stderr
    assert project.left() == []


def vendor(project: Project, terms_id: str, count: int = 6) -> list[Example]:
    """A vendor's corpus: claim narratives that this project did not make, and rows that cannot be told anew."""
    notes = [
        Example(
            id=f"v-{i}",
            task="claim_entities",
            messages=(
                {"role": "user", "content": f"Extract the entities.\n\n{note}"},
                {"role": "assistant", "content": f"gout; ${60 + i}"},
            ),
            unit=f"vendor-member-{i}",
            source="harrow",
            terms=terms_id,
            documents=("chart-9",),
            input={"narrative": note},
            expected=[
                {"label": "DIAGNOSIS", "text": "gout", "start": note.index("gout"), "end": note.index("gout") + 4},
                {"label": "AMOUNT", "text": f"${60 + i}", "start": 0, "end": 3},
            ],
        )
        for i in range(count)
        for note in [f"The member came back with gout. The visit was on May {i + 1}, 2026. The clinic charged ${60 + i}."]
    ]  # fmt: skip
    bare = Example(
        id="v-bare",
        task="claim_entities",
        messages=({"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}),
        terms=terms_id,
    )
    with Writer(project.root / "data", "harrow", command="data import") as writer:
        for example in (*notes, bare):
            writer.add(example)
    return notes


FROM = ("--from", "data/harrow", "--model", "teller")


def test_derived_rows_name_their_parents_and_inherit_terms_unit_and_documents(project):
    terms(project, "harrow")
    parents = {e.id: e for e in vendor(project, "harrow")}
    with telling(project, retold):
        done = project.synthesize("--out", "data/x", "--rows", "6", *FROM)
    assert done.returncode == 0, done.stderr
    found = list(rows(project.root / "data/x", strict=True))
    assert len(found) == 6
    for child in found:
        parent = parents[child.parents[0]]
        assert (child.terms, child.unit, child.documents) == ("harrow", parent.unit, ("chart-9",))
        assert (child.source, child.id != parent.id) == ("", True)
        assert child.made_by.model
        assert child.messages[-1] == parent.messages[-1]
        assert child.messages[-2]["content"].startswith("Extract the entities.\n\n")
        assert parent.input["narrative"] not in child.messages[-2]["content"]
    manifest = load_manifest(project.root / "data/x")
    assert manifest.tasks["claim_entities"].terms == {"harrow": 6}
    assert (
        manifest.made_with.arguments["from"] == load_manifest(project.root / "data/harrow").digest
    )


def test_more_rows_than_parents_tell_them_again_and_a_repeat_is_dropped(project):
    terms(project, "harrow")
    vendor(project, "harrow", count=3)
    with telling(project, retold):  # which says the same every time
        done = project.synthesize("--out", "data/x", "--rows", "9", *FROM)
    assert done.returncode == 0, done.stderr
    told = figures_of(load_manifest(project.root / "data/x"))["claim_entities"].rewritten
    assert (told.chosen, told.kept, told.dropped) == (9, 3, {"duplicate": 6})


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"may_augment": "false"}, "may_augment"),
        ({"may_augment": ""}, "may_augment"),
        ({"expires": "2026-06-01"}, "expired"),
    ],
)
def test_terms_that_do_not_allow_it_refuse_with_1_before_the_model_is_asked(project, other, said):
    terms(project, "harrow", **other)
    vendor(project, "harrow")
    with telling(project, retold) as server:
        done = project.synthesize("--out", "data/x", "--rows", "6", *FROM)
    assert (done.returncode, "EG895" in done.stderr) == (1, True), done.stderr
    assert said in done.stderr
    assert server.count == 0
    assert project.left() == ["harrow"]


def test_unknown_terms_and_rows_without_terms_refuse(project):
    vendor(project, "")
    with telling(project, retold):
        done = project.synthesize("--out", "data/x", "--rows", "6", *FROM)
    assert (done.returncode, "EG895" in done.stderr) == (1, True), done.stderr


def test_a_corpus_without_a_fact_has_no_descendants(project):
    terms(project, "harrow")
    vendor(project, "harrow", count=0)
    with telling(project, retold):
        done = project.synthesize("--out", "data/x", "--rows", "6", *FROM)
    assert (done.returncode, "EG896" in done.stderr) == (2, True), done.stderr


def test_an_edited_corpus_is_no_parent(project):
    terms(project, "harrow")
    vendor(project, "harrow")
    part = project.root / "data/harrow/part-00000.jsonl"
    part.write_bytes(part.read_bytes().replace(b"gout", b"mumps"))
    with telling(project, retold):
        done = project.synthesize("--out", "data/x", "--rows", "6", *FROM)
    assert done.returncode == 5, done.stderr


def test_requests_to_decline_and_open_questions_are_not_told_anew():
    def asking(expected) -> Example:
        return Example(
            id="a",
            task="policy_qa",
            messages=({"role": "user", "content": "Question: q"}, {"role": "assistant", "content": "a"}),
            input={"question": "q", "passages": "p"},
            expected=expected,
        )  # fmt: skip

    facts = {"facts": [[["x"]]], "must_not": []}
    assert source_of(asking(facts)) == "q"
    assert source_of(asking({**facts, "facts": []})) is None
    assert source_of(asking(None)) is None
    assert source_of(msgspec.structs.replace(asking(facts), input={"question": "other"})) is None
