"""`data import`: every form of delivery becomes the same corpus, and whatever is wrong with one, nothing of it comes in."""

from __future__ import annotations

import csv
import io
import json
import tarfile
import zipfile
from pathlib import Path

import pytest
from terms.contracts import (
    GOLD_TEXT,
    LAST_YEAR,
    NEXT_YEAR,
    TODAY,
    contract,
    lines,
    project,
    run,
    vendor_rows,
)

from evalgate.corpus.files import load_manifest, rows, verify
from evalgate.corpus.importing import Columns, columns_of, import_rows
from evalgate.digest import of_file
from evalgate.errors import EvalgateError, FileProblems, Refused, UsageError

TABLE = [
    ("case", "member", "ask", "reply"),
    ("c1", "plan-7", "Is acupuncture covered?", "Yes, twelve visits a year."),
    ("c2", "plan-7", "¿Está cubierta la fisioterapia?", "Sí, con una remisión."),
    ("c3", "plan-8", "A question\nof two lines, with a comma", 'An "answer"'),
]
COLUMNS = "prompt=ask,answer=reply,id=case,unit=member"


@pytest.fixture
def root(tmp_path):
    return project(tmp_path / "p")


def take(root: Path, source: Path, **how):
    return import_rows(
        root, source, root / "terms/northfield.toml", root / "data/nf", "policy_qa", **how
    )


def nothing_imported(root: Path) -> bool:
    left = list((root / "data").rglob("*")) if (root / "data").exists() else []
    return [p for p in left if not p.name.endswith(".lock")] == []


def refused(root: Path, source: Path, **how) -> EvalgateError:
    with pytest.raises(EvalgateError) as caught:
        take(root, source, **how)
    assert nothing_imported(root)
    return caught.value


def write_table(path: Path, table=TABLE, encoding="utf-8") -> Path:
    if path.suffix == ".xlsx":
        import openpyxl

        book = openpyxl.Workbook()
        for row in table:
            book.active.append(row)
        book.save(path)
    elif path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        head, *body = table
        pq.write_table(pa.table({name: [r[n] for r in body] for n, name in enumerate(head)}), path)
    elif path.suffix == ".jsonl":
        head, *body = table
        path.write_text(lines([dict(zip(head, row, strict=True)) for row in body]))
    else:
        text = io.StringIO()
        csv.writer(text, delimiter="\t" if path.suffix == ".tsv" else ",").writerows(table)
        path.write_bytes(text.getvalue().encode(encoding))
    return path


def test_rows_in_the_outside_form_get_their_terms_and_source(root, tmp_path):
    (tmp_path / "v.jsonl").write_text(lines(vendor_rows(5)))
    found = take(root, tmp_path / "v.jsonl")
    assert (found.rows, found.terms, found.without_unit) == (5, "northfield", 0)
    kept = list(rows(root / "data/nf", strict=True))
    assert {(r.terms, r.source, r.task) for r in kept} == {("northfield", "Northfield Records", "policy_qa")}  # fmt: skip
    assert [r.id for r in kept] == [f"nf.r{n}" for n in range(5)]
    manifest = verify(root / "data/nf")
    assert manifest.made_with.command == "data import"
    assert manifest.made_with.arguments["terms_digest"] == of_file(root / "terms/northfield.toml")
    assert manifest.tasks["policy_qa"].terms == {"northfield": 5}
    assert manifest.figures["vendor"] == "Northfield Records"


@pytest.mark.parametrize("ending", ["csv", "tsv", "xlsx", "parquet", "jsonl"])
def test_a_table_in_any_file_gives_the_same_rows(root, tmp_path, ending):
    found = take(root, write_table(tmp_path / f"v.{ending}"), columns=columns_of(COLUMNS))
    assert found.rows == 3
    kept = list(rows(root / "data/nf", strict=True))
    assert [(r.id, r.unit) for r in kept] == [("nf.c1", "plan-7"), ("nf.c2", "plan-7"), ("nf.c3", "plan-8")]  # fmt: skip
    for row, (_, _, ask, reply) in zip(kept, TABLE[1:], strict=True):
        assert row.messages == ({"role": "user", "content": ask}, {"role": "assistant", "content": reply})  # fmt: skip


def test_a_system_column_comes_first_and_rows_without_units_are_units(root, tmp_path):
    table = [("s", "prompt", "answer"), ("Be brief.", "Covered?", "Yes."), ("Be kind.", "Paid?", "No.")]  # fmt: skip
    found = take(root, write_table(tmp_path / "v.csv", table), columns=Columns(system="s"))
    assert found.without_unit == 2
    kept = list(rows(root / "data/nf", strict=True))
    assert [m["role"] for m in kept[0].messages] == ["system", "user", "assistant"]
    assert len({r.unit for r in kept}) == 2


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "directory"])
def test_several_files_come_in_together_and_numbered_rows_keep_apart(root, tmp_path, kind):
    top = tmp_path / "in"
    (top / "deep").mkdir(parents=True)
    table = [("prompt", "answer"), ("Covered?", "Yes."), ("Paid?", "No.")]
    write_table(top / "a.csv", table)
    write_table(top / "deep/a.csv", table)
    (top / "README.txt").write_text("words")
    source = top
    if kind == "zip":
        source = tmp_path / "v.zip"
        with zipfile.ZipFile(source, "w") as z:
            for path in sorted(top.rglob("*.*")):
                z.write(path, path.relative_to(top))
    elif kind == "tar.gz":
        source = tmp_path / "v.tar.gz"
        with tarfile.open(source, "w:gz") as t:
            t.add(top, ".")
    found = take(root, source)
    assert (found.rows, found.unread) == (4, ("README.txt",))
    assert found.files == {"a.csv": 2, "deep/a.csv": 2}
    assert len({r.id for r in rows(root / "data/nf", strict=True)}) == 4
    assert not list((root / "data").glob(".*unpacking"))


def test_the_same_delivery_twice_is_the_same_corpus(root, tmp_path):
    source = write_table(tmp_path / "v.csv")
    first = take(root, source, columns=columns_of(COLUMNS)).digest
    (root / "data/nf").rename(root / "data/old")
    assert take(root, source, columns=columns_of(COLUMNS)).digest == first


# terms


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"may_train": None, "may_distil": None, "may_augment": None}, "may_train is not stated"),
        ({"expires": str(LAST_YEAR)}, "expired after"),
        ({"effective": str(NEXT_YEAR)}, "not in force before"),
        ({"territory": None}, "territory is not stated"),
    ],
)
def test_terms_that_do_not_allow_training_let_nothing_in(root, tmp_path, changes, words):
    (root / "terms/northfield.toml").write_text(contract(**changes))
    (tmp_path / "v.jsonl").write_text(lines(vendor_rows(2)))
    error = refused(root, tmp_path / "v.jsonl")
    assert isinstance(error, Refused)
    assert error.code == "EG843"
    assert words in error.message


def test_a_contract_of_another_country_lets_nothing_in_there(root, tmp_path):
    (tmp_path / "v.jsonl").write_text(lines(vendor_rows(2)))
    assert refused(root, tmp_path / "v.jsonl", place="DE").code == "EG843"
    assert take(root, tmp_path / "v.jsonl", place="US").rows == 2


def test_contradictory_terms_are_a_file_to_correct(root, tmp_path):
    (root / "terms/northfield.toml").write_text(contract(may_train="false"))
    (tmp_path / "v.jsonl").write_text(lines(vendor_rows(2)))
    error = refused(root, tmp_path / "v.jsonl")
    assert isinstance(error, FileProblems)
    assert {p.code for p in error.problems} == {"EG841"}


def test_terms_elsewhere_cannot_be_looked_up_later(root, tmp_path):
    (tmp_path / "mine.toml").write_text(contract())
    with pytest.raises(UsageError) as caught:
        import_rows(root, tmp_path / "v.jsonl", tmp_path / "mine.toml", root / "data/nf", "policy_qa")  # fmt: skip
    assert caught.value.code == "EG842"


# gold


@pytest.mark.parametrize(
    "case", [GOLD_TEXT, GOLD_TEXT.upper(), f"  {GOLD_TEXT.replace(' ', '  ')}\n"]
)
def test_the_text_of_a_gold_item_is_refused_however_it_is_spaced(root, tmp_path, case):
    (row, *_) = vendor_rows(1)
    row["messages"][0]["content"] = case
    (tmp_path / "v.jsonl").write_text(lines([*vendor_rows(3)[1:], row]))
    error = refused(root, tmp_path / "v.jsonl")
    assert error.code == "EG854"
    assert "pq-0001" in error.message
    assert "surgeon" not in str(error)


def test_the_id_of_a_gold_item_and_its_whole_file_are_refused(root, tmp_path):
    (tmp_path / "v.jsonl").write_text(lines([vendor_rows(1)[0] | {"id": "pq-0001"}]))
    assert refused(root, tmp_path / "v.jsonl").code == "EG854"
    copy = tmp_path / "innocent.jsonl"
    copy.write_bytes((root / "goldsets/policy_qa.jsonl").read_bytes())
    assert refused(root, copy).code == "EG854"
    assert refused(root, root / "goldsets/policy_qa.jsonl").code == "EG854"
    table = [("id", "prompt", "answer"), ("pq-0001", "Covered?", "Yes.")]
    assert refused(root, write_table(tmp_path / "t.csv", table)).code == "EG854"


# rows and files that cannot be taken


def codes(error: EvalgateError) -> set[str]:
    return {p.code for p in error.problems} if isinstance(error, FileProblems) else {error.code}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "EG850"),
        (b"\n\n", "EG820"),
        (lines(vendor_rows(2)).replace("\n", "\r\n").encode(), "EG821"),
        (b"\xef\xbb\xbf" + lines(vendor_rows(2)).encode(), "EG102"),
        (lines(vendor_rows(2)).encode() + b'{"id": "Jos\xe9"}\n', "EG102"),
        (lines(vendor_rows(2)).encode("utf-16"), "EG102"),
        (lines(vendor_rows(2) + vendor_rows(1)).encode(), "EG824"),
        (lines([r | {"parents": [r["id"]]} for r in vendor_rows(2)]).encode(), "EG825"),
        (lines([vendor_rows(1)[0] | {"task": "other"}]).encode(), "EG853"),
        (lines([vendor_rows(1)[0] | {"id": "x", "messages": []}]).encode(), "EG823"),
        (b'{"id": "x", ' + b'"pad": "' + b"x" * (17 << 20) + b'"}\n', "EG821"),
        (b'{"id": NaN}\n', "EG822"),
        (b"[1, 2]\n", "EG822"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_one_bad_row_keeps_all_out(root, tmp_path, data, code):
    (tmp_path / "v.jsonl").write_bytes(data)
    assert code in codes(refused(root, tmp_path / "v.jsonl"))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"prompt,answer\nCovered?,Yes.\nJos\xe9?,No.\n", "EG179"),  # a row of another encoding
        (b"prompt,answer\nCovered?\n", "EG180"),
        (b'prompt,answer\n"Covered?,Yes.\n', "EG180"),
        (b"prompt,answer\nCovered?,\n", "EG181"),
        (b"prompt,reply\nCovered?,Yes.\n", "EG178"),
        (b"prompt,answer\n", "EG820"),
    ],
)
def test_one_bad_line_of_a_table_keeps_all_out(root, tmp_path, data, code):
    (tmp_path / "v.csv").write_bytes(data)
    error = refused(root, tmp_path / "v.csv")
    assert code in codes(error)
    assert "Left out" not in str(error)
    assert "Covered" not in str(error)


def test_another_encoding_is_read_where_it_is_named(root, tmp_path):
    source = write_table(tmp_path / "v.csv", TABLE, "latin-1")
    assert take(root, source, columns=columns_of(COLUMNS), encoding="latin-1").rows == 3
    assert "Está" in list(rows(root / "data/nf", strict=True))[1].text


def test_a_formula_in_a_workbook_is_no_text(root, tmp_path):
    source = write_table(tmp_path / "v.xlsx", [("prompt", "answer"), ("Sum?", "=1+2")])
    error = refused(root, source)
    assert codes(error) == {"EG648"}
    assert "B2: found a formula" in str(error)


def test_a_second_sheet_is_not_left_out_in_silence(root, tmp_path):
    import openpyxl

    book = openpyxl.Workbook()
    for sheet in (book.active, book.create_sheet()):
        sheet.append(("prompt", "answer"))
        sheet.append(("Covered?", "Yes."))
    book.save(tmp_path / "v.xlsx")
    assert codes(refused(root, tmp_path / "v.xlsx")) == {"EG853"}


@pytest.mark.parametrize("cut", [10, 300])
def test_parquet_that_was_cut_off_is_refused_in_both_forms(root, tmp_path, cut):
    source = write_table(tmp_path / "v.parquet")
    source.write_bytes(source.read_bytes()[:-cut])
    assert codes(refused(root, source, columns=columns_of(COLUMNS))) == {"EG853"}
    assert codes(refused(root, source)) <= {"EG821", "EG820"}


def test_problems_of_all_files_come_at_once_and_never_more_than_fifty(root, tmp_path):
    top = tmp_path / "in"
    top.mkdir()
    (top / "a.csv").write_text("prompt,answer\n" + "one,two,three\n" * 80)
    (top / "b.csv").write_text("prompt,reply\nx,y\n")
    error = refused(root, top)
    assert isinstance(error, FileProblems)
    assert len(error.problems) == 50
    (top / "a.csv").write_text("prompt,answer\none,two,three\n")
    error = refused(root, top)
    assert isinstance(error, FileProblems)
    assert [p.path for p in error.problems] == ["a.csv:2", "b.csv"]


@pytest.mark.parametrize("what", ["nowhere.csv", "words.txt", "empty"])
def test_a_source_without_rows_is_told(root, tmp_path, what):
    (tmp_path / "words.txt").write_text("hello")
    (tmp_path / "empty").mkdir()
    assert refused(root, tmp_path / what).code == "EG850"


def test_a_link_is_no_source_and_a_hostile_archive_leaves_nothing(root, tmp_path):
    (tmp_path / "v.jsonl").write_text(lines(vendor_rows(1)))
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "v.jsonl")
    assert refused(root, tmp_path / "link.jsonl").code == "EG850"
    with zipfile.ZipFile(tmp_path / "v.zip", "w") as z:
        z.writestr("../out.jsonl", lines(vendor_rows(1)))
    assert refused(root, tmp_path / "v.zip").code == "EG851"


def test_a_corpus_is_never_written_over_and_lies_in_data_alone(root, tmp_path):
    (tmp_path / "v.jsonl").write_text(lines(vendor_rows(2)))
    take(root, tmp_path / "v.jsonl")
    before = load_manifest(root / "data/nf").digest
    with pytest.raises(UsageError, match="new one"):
        take(root, tmp_path / "v.jsonl")
    assert load_manifest(root / "data/nf").digest == before
    for out, task, code in (
        ("elsewhere/nf", "policy_qa", "EG855"),
        ("data/b", "policy_qs", "EG855"),
    ):
        with pytest.raises(UsageError) as caught:
            import_rows(root, tmp_path / "v.jsonl", root / "terms/northfield.toml", root / out, task)  # fmt: skip
        assert caught.value.code == code
    assert "Did you mean `policy_qa`?" in caught.value.message


@pytest.mark.parametrize("text", ["ask", "prompts=ask", "prompt=", "=x"])
def test_columns_are_named_by_what_they_hold(text):
    with pytest.raises(UsageError) as caught:
        columns_of(text)
    assert caught.value.code == "EG853"


def test_the_command_says_what_came_in_and_what_did_not(root, tmp_path):
    write_table(tmp_path / "v.csv")
    words = ("data", "import", str(tmp_path / "v.csv"), "--terms", "terms/northfield.toml", "--task", "policy_qa")  # fmt: skip
    done = run(root, *words, "--out", "data/nf", "--columns", COLUMNS)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("data/nf: 3 rows from 1 files under northfield, sha256:")
    (root / "terms/northfield.toml").write_text(contract(expires=str(LAST_YEAR)))
    done = run(root, *words, "--out", "data/b", "--columns", COLUMNS)
    assert done.returncode == 1
    assert f"EG843 found terms that do not allow training (expired after {LAST_YEAR}" in done.stderr
    assert TODAY > LAST_YEAR
    checked = run(root, "data", "check", "data/nf", "--json")
    assert checked.returncode == 1
    kinds = {hit["kind"] for hit in json.loads(checked.stdout)["hits"]}
    assert kinds == {"terms"}
