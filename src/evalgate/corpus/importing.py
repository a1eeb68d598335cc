"""`data import`: a vendor's rows become a corpus, each with its terms and its source, or nothing is imported at all.

Two forms are read. The outside form of a row (`corpus.files`) has its messages already. A table (CSV, XLSX, JSON lines or
Parquet with named columns) has a column for what is asked and one for the answer.
"""

from __future__ import annotations

import datetime as dt
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from evalgate import digest
from evalgate.authored import Problems, nearest, relative
from evalgate.authored.cells import read_table
from evalgate.authored.gold_lines import MOST_LISTED
from evalgate.authored.imports.csv_file import read_csv
from evalgate.authored.imports.jsonl_file import read_jsonl
from evalgate.authored.imports.rows import UNIT_ASSUMED, Options, Row
from evalgate.authored.imports.rows import Columns as TableColumns
from evalgate.authored.imports.table import row_of
from evalgate.authored.terms import FOLDER, Terms, load_terms
from evalgate.corpus.archive import check_workbook, is_archive, unpacked
from evalgate.corpus.example import Example
from evalgate.corpus.files import Manifest, Writer, rows
from evalgate.corpus.leak.gold import Gold, load_all
from evalgate.corpus.row import fault_of
from evalgate.errors import FileProblems, Refused, UsageError
from evalgate.records import Message, Problem, Record

TABLES: Final = (".csv", ".tsv", ".xlsx")
ROWS: Final = (".jsonl", ".parquet")
LONG_ENOUGH: Final = 40
"""Characters of a text of gold, without spaces at its ends, from which on the same text is no accident."""


class Columns(Record, kw_only=True):
    """Which columns of a table hold what. `id` and `unit`: "" takes the columns of these names where they are there."""

    prompt: str = "prompt"
    answer: str = "answer"
    system: str = ""
    id: str = ""
    unit: str = ""

    def table(self) -> TableColumns:
        """The same for the readers of tables: texts by role, the answer as what is expected."""
        text = {self.system: "system"} if self.system else {}
        return TableColumns(
            text=text | {self.prompt: "user"},
            expected=self.answer,
            id=self.id or None,
            unit=self.unit or None,
        )


class Imported(Record, kw_only=True):
    """What came of an import. `files`: rows by file of the source. `unread`: files of other kinds. `without_unit`: rows."""

    path: str
    rows: int
    digest: str
    terms: str
    files: dict[str, int]
    unread: tuple[str, ...]
    without_unit: int
    sealed: tuple[str, ...] = ()


def import_rows(
    root: Path,
    source: Path,
    terms_path: Path,
    out: Path,
    task: str,
    *,
    columns: Columns | None = None,
    encoding: str = "utf-8",
    on: dt.date | None = None,
    place: str = "",
) -> Imported:
    """Reads `source` (a file, a directory or an archive) and writes the corpus `out`, data/NAME of the project at `root`.

    `columns`: None reads JSON lines and Parquet in the outside form, and tables by their usual columns. `on`: the day that the
    terms must be in force on, today by default; `place`: the country where the rows are processed, "" where nobody asks.

    Raises Refused (EG843: the terms do not allow training), UsageError (EG842 the terms are no file of the project, EG850 an
    unusable source, EG851 and EG852 an unsafe archive, EG854 gold, EG855 the corpus's place or task; what Writer raises),
    FileProblems (every problem of the terms, or the first 50 of the rows), InfrastructureError (EG828).
    """
    terms = _terms(root, terms_path, on=on or dt.datetime.now().astimezone().date(), place=place)
    if out.absolute().parent.resolve() != (root / "data").resolve():
        raise _no_place(f"the place {out.as_posix()!r}", "data/NAME of this project", str(out))
    _check_task(root, task)
    gold = load_all(root, None)
    with ExitStack() as stack:
        files, unread = _files(source, stack, root / "data" / f".{out.name}.unpacking")
        _refuse_gold(files, gold)
        (root / "data").mkdir(exist_ok=True, mode=0o700)
        arguments = {
            "terms": terms.id,
            "terms_digest": terms.digest,
            "source": digest.of_value({name: digest.of_file(path) for name, path in files}),
            "task": task,
            "columns": msgspec.to_builtins(columns),
        }
        writer = Writer(root / "data", out.name, command="data import", arguments=arguments)
        reading = _Reading(out.name, terms, task, gold)
        form = _Form(columns, encoding)
        with writer:
            for name, path in files:
                for example in reading.examples(name, path, form, inside=len(files) > 1):
                    writer.add(example)
            reading.problems.raise_if_any()
            writer.figures |= {"vendor": terms.vendor, "files": dict(reading.taken)}
    manifest: Manifest = writer.manifest
    return Imported(
        path=relative(writer.path, root),
        rows=manifest.rows,
        digest=manifest.digest,
        terms=terms.id,
        files=dict(reading.taken),
        unread=unread,
        without_unit=reading.without_unit,
        sealed=gold.unopened,
    )


def _terms(root: Path, path: Path, *, on: dt.date, place: str) -> Terms:
    """The terms to import under. Raises UsageError (EG842), FileProblems, Refused (EG843)."""
    if path.absolute().parent.resolve() != (root / FOLDER).resolve() or path.suffix != ".toml":
        raise UsageError(
            f"found terms elsewhere, expected {FOLDER}/NAME.toml of this project: rows name their terms by NAME. Put the file there.",
            where=str(path),
            code="EG842",
        )
    problems = Problems()
    terms = load_terms(path, root, problems)
    problems.raise_if_any()
    assert terms is not None
    if refusals := terms.refusals("train", on, place=place):
        raise Refused(
            f"found terms that do not allow training ({'; '.join(refusals)}), expected terms that do, today. Nothing is imported; "
            "unknown means no: see who read the contract.",
            where=terms.path,
            code="EG843",
        )
    return terms


def _check_task(root: Path, task: str) -> None:
    """Rows of a task that nobody asks about are trained on and never measured. Raises UsageError (EG855)."""
    known = sorted(path.stem for path in (root / "suites" / "prompts").glob("*.md"))
    if task not in known:
        expected = f"one with a prompt in suites/prompts ({', '.join(known) or 'none'})"
        raise _no_place(f"the task {task!r}", expected, "--task", nearest(task, known))


def _no_place(found: str, expected: str, where: str, hint: str = "") -> UsageError:
    return UsageError(
        f"found {found}, expected {expected}.{hint or ' Correct it.'}", where=where, code="EG855"
    )


def _files(
    source: Path, stack: ExitStack, folder: Path
) -> tuple[list[tuple[str, Path]], tuple[str, ...]]:
    """(name, path) of every file to read, in the order of names, and the names of those of other kinds.

    Raises UsageError (EG850 to EG852).
    """
    if source.is_symlink() or not source.exists():
        raise _unusable(source, "nothing there, or a link", "a file, a directory or an archive")
    if source.is_dir() or is_archive(source):
        top = source if source.is_dir() else stack.enter_context(unpacked(source, folder))
        every = [(name, path) for name, path in digest.plain_files(top)]
    else:
        every = [(source.name, source)]
    read = [(name, path) for name, path in every if path.suffix.lower() in (*TABLES, *ROWS)]
    if not read:
        found = "no files" if not every else "no file of a kind that can be read"
        raise _unusable(source, found, f"rows in files ending in {', '.join((*ROWS, *TABLES))}")
    empty = [name for name, path in read if path.stat().st_size == 0]
    if empty:
        raise _unusable(source, f"an empty file ({empty[0]})", "rows in every file")
    for _, path in read:
        if path.suffix.lower() == ".xlsx":
            check_workbook(path)
    return read, tuple(name for name, path in every if path.suffix.lower() not in (*TABLES, *ROWS))


def _unusable(source: Path, found: str, expected: str) -> UsageError:
    return UsageError(
        f"found {found}, expected {expected}. Correct the path, or ask the vendor.",
        where=source.name,
        code="EG850",
    )


def _refuse_gold(files: list[tuple[str, Path]], gold: Gold) -> None:
    """Raises UsageError (EG854) for a file that is a gold set of this project, byte for byte."""
    for name, path in files:
        if digest.of_file(path) in gold.sets.values():
            raise _is_gold("a gold set", name)


def _is_gold(found: str, where: str) -> UsageError:
    return UsageError(
        f"found {found}, expected training data. What is trained on gold can no longer be measured with it: leave it out.",
        where=where,
        code="EG854",
    )


class _Reading:
    """From files to examples; what cannot be taken is noted, and what was taken is counted."""

    def __init__(self, corpus: str, terms: Terms, task: str, gold: Gold) -> None:
        self.problems = Problems()
        self.taken: Counter[str] = Counter()
        self.without_unit = 0
        self._corpus = corpus
        self._terms = terms
        self._task = task
        self._gold_ids = {item.id for item in gold.items}
        self._gold_texts = {
            _bare(text): item.id
            for item in gold.items
            for text in item.question
            if len(text.strip()) >= LONG_ENOUGH
        }

    def examples(
        self, name: str, path: Path, form: _Form, *, inside: bool = False
    ) -> Iterator[Example]:
        """The examples of one file; `inside`: of several, whose numbered rows need its name. Raises UsageError (EG854).

        After a problem none come any more: the rest is read for its problems.
        """
        table = form.columns is not None or path.suffix.lower() in TABLES
        prefix = f"{name.removesuffix(path.suffix)}." if inside else ""
        found = self._table(name, path, form, prefix) if table else self._outside(name, path)
        for example in found:
            if not self.problems:
                self.taken[name] += 1
                yield example

    def _outside(self, name: str, path: Path) -> Iterator[Example]:
        try:
            for row in rows(path, strict=False):
                if row.task != self._task:
                    message = f"found a row of the task {row.task!r}, expected {self._task!r}, which --task names. Import each task by itself."
                    self._note(name, "EG853", message)
                self.without_unit += not row.unit
                example = msgspec.structs.replace(
                    row,
                    id=self._named(row.id),
                    parents=tuple(map(self._named, row.parents)),
                    unit=row.unit or self._named(row.id),
                    source=self._terms.vendor,
                    terms=self._terms.id,
                    checks={},
                )
                self._refuse_gold(row.id, example, name)
                yield example
        except FileProblems as e:  # the vendor's paths mean nothing once they are unpacked
            self._note_all(name, e)

    def _table(self, name: str, path: Path, form: _Form, prefix: str) -> Iterator[Example]:
        try:
            for row in _table_rows(path, form):
                yield from self._of_table(name, path, row, prefix)
        except FileProblems as e:
            self._note_all(name, e)

    def _of_table(self, name: str, path: Path, row: Row, prefix: str) -> Iterator[Example]:
        for fault in row.faults:
            if fault.kind.of == "row":
                place = f"{name}{fault.place.removeprefix(path.name)}"
                self._note(place, fault.kind.code, fault.kind.message.removesuffix(" Left out."))
        if row.item is None:
            return
        item, place = row.item, f"{name}{row.place.removeprefix(path.name)}"
        assert isinstance(item.input, dict)
        turns = (*item.input.items(), ("assistant", item.expected))
        if not all(isinstance(text, str) for _, text in turns):
            message = (
                "found a value that is no text, expected texts. Name other columns with --columns."
            )
            self._note(place, "EG853", message)
            return
        named = self._named(f"{prefix}{item.id}")
        assumed = any(fault.kind is UNIT_ASSUMED for fault in row.faults)
        self.without_unit += assumed
        example = Example(
            id=named,
            task=self._task,
            messages=tuple(Message(role=role, content=text) for role, text in turns),
            unit=named if assumed else item.unit,
            source=self._terms.vendor,
            terms=self._terms.id,
        )
        self._refuse_gold(item.id, example, place)
        if (found := fault_of(example)) is not None:
            self._note(place, *found)
        else:
            yield example

    def _refuse_gold(self, own_id: str, example: Example, place: str) -> None:
        """Raises UsageError (EG854): a gold item's id or its whole text. Leaks in part are for `data check`."""
        if own_id in self._gold_ids:
            raise _is_gold(f"the id of the gold item {own_id}", place)
        for message in example.messages:
            if item := self._gold_texts.get(_bare(message["content"])):
                raise _is_gold(f"the text of the gold item {item} in the row {example.id}", place)

    def _named(self, row_id: str) -> str:
        return f"{self._corpus}.{row_id}"

    def _note_all(self, name: str, error: FileProblems) -> None:
        for one in error.problems:
            self._note(name, one.code, one.message, one.line)

    def _note(self, place: str, code: str, message: str, line: int = 0) -> None:
        if len(self.problems) < MOST_LISTED:
            self.problems.add(place, code, message, line=line)


class _Form(NamedTuple):
    """How tables are read. `columns`: None where nobody named any."""

    columns: Columns | None
    encoding: str


def _table_rows(path: Path, form: _Form) -> Iterator[Row]:
    """The rows of a table. Raises FileProblems, UsageError (EG829, EG175)."""
    columns = (form.columns or Columns()).table()
    options = Options(columns=columns, encoding=form.encoding)
    match path.suffix.lower():
        case ".xlsx":
            return _workbook(path, columns)
        case ".parquet":
            return _parquet(path, columns)
        case ".jsonl":
            return read_jsonl(path, options)
        case _:
            return read_csv(path, options)


def _bare(text: str) -> str:
    """A text without what copying changes: case and white space."""
    return " ".join(text.split()).casefold()


def _workbook(path: Path, columns: TableColumns) -> Iterator[Row]:
    """The rows of a workbook's only sheet, its head in the first row that is not empty.

    Raises FileProblems: a formula (EG648), several sheets, or a column that is not there (EG853).
    """
    with zipfile.ZipFile(path) as book:
        sheets = sum(name.startswith("xl/worksheets/") for name in book.namelist())
    problems = Problems()
    if sheets != 1:
        message = f"found {sheets} sheets, expected one: which are meant? Save each as a file."
        problems.add(path.name, "EG853", message)
    cells = read_table(path, path.name, problems)
    problems.raise_if_any()
    filled = ((n, row) for n, row in enumerate(cells or [], 1) if any(cell.strip() for cell in row))
    _, head = next(filled, (0, []))
    names = [cell.strip() for cell in head]
    _check_columns(path, names, columns)
    for number, row in filled:
        values = dict(zip(names, row, strict=False))
        yield row_of(values, columns, f"{path.name}:{number}", f"{path.stem}-{number}")


def _parquet(path: Path, columns: TableColumns) -> Iterator[Row]:
    """The rows of a Parquet file, a batch at a time. Raises FileProblems (EG853), UsageError (EG829)."""
    try:
        import pyarrow as pa  # type: ignore[import-untyped]
        import pyarrow.parquet as pq  # type: ignore[import-untyped]
    except ImportError:
        raise UsageError(
            "found no package `datasets`, expected the extra `hf`, which reads Parquet. Run pip install 'evalgate-release[hf]'.",
            where=path.name,
            code="EG829",
        ) from None
    problems = Problems()
    number = 0
    try:
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            _check_columns(path, names, columns)
            wanted = [n for n in names if n in {*columns.required(), "id", "unit"}]
            for batch in file.iter_batches(batch_size=1000, columns=wanted):
                for values in batch.to_pylist():
                    number += 1
                    yield row_of(values, columns, f"{path.name}[{number}]", f"{path.stem}-{number}")
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        message = f"found Parquet that cannot be read after row {number} ({type(error).__name__}), expected a whole file. Get it again."
        problems.add(path.name, "EG853", message)
    problems.raise_if_any()


def _check_columns(path: Path, there: list[str], columns: TableColumns) -> None:
    """Raises FileProblems (EG853) for columns that are not there once. Headers are not shown: they may be somebody's text."""
    found = [
        Problem(
            path=path.name,
            code="EG853",
            message=f"found the column {name!r} {there.count(name)} times, expected it once.{nearest(name, there)} Name the right one with --columns.",
        )
        for name in columns.required()
        if there.count(name) != 1
    ]
    if found:
        raise FileProblems(found)


def columns_of(text: str) -> Columns:
    """`prompt=question,answer=reply` as Columns. Raises UsageError (EG853)."""
    given: dict[str, Any] = {}
    for part in text.split(","):
        key, equals, name = part.partition("=")
        if not equals or key.strip() not in Columns.__struct_fields__ or not name.strip():
            known = ", ".join(Columns.__struct_fields__)
            raise UsageError(
                f"found {part!r}, expected KEY=COLUMN with one of {known}.{nearest(key.strip(), Columns.__struct_fields__)} Correct it.",
                where="--columns",
                code="EG853",
            )
        given[key.strip()] = name.strip()
    return Columns(**given)
