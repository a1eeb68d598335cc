"""Labels outside of evalgate: questions go out as CSV, XLSX, JSON lines or Label Studio tasks, and come back as labels.

Every format carries the same rows, one a question: what is read (sources, output, criterion), what is to be filled in
(answer, quote, comment), and whose word it is about (digests), so that a file that comes back late is told from one that
fits. Nothing in them names a model, a verdict or another rater.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, get_args

import msgspec

from evalgate.authored.cells import read_table, write_table
from evalgate.authored.label_file import Labels, faults, is_current, key
from evalgate.authored.labels import Label
from evalgate.authored.problems import Problems, listing, read_bytes
from evalgate.authored.rubric import Criterion, Rubric
from evalgate.errors import InfrastructureError
from evalgate.judge.case import Case
from evalgate.judge.reply import occurs
from evalgate.judge.review import answer_lines, example_lines
from evalgate.judge.review_labelstudio import (
    CHOICES_APART,
    config_of,
    rows_of_export,
    tasks_of,
)
from evalgate.records import Record

Format = Literal["csv", "xlsx", "jsonl", "labelstudio"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
ENDINGS: Final = {"csv": ".csv", "xlsx": ".xlsx", "jsonl": ".jsonl", "labelstudio": ".json"}

FILLED_IN: Final = ("answer", "quote", "comment")
_FLAGS: Final = ("blind", "adjudicates", "repeat", "simulated")
KEPT: Final = ("rater", "output_digest", "criterion_digest", "rubric_digest", *_FLAGS, "at")
NEEDED: Final = ("item", "criterion", *FILLED_IN, *KEPT)
"""Columns that an import needs. The others are for reading."""

Row = dict[str, str]


class Imported(Record, kw_only=True):
    """What an import found: `new` labels to be added, how many rows were there before, unanswered, or of an older wording."""

    new: tuple[Label, ...]
    known: int
    unanswered: int
    stale: int


def rows_of(
    rubric: Rubric,
    items: Sequence[str],
    cases: Mapping[str, Case],
    labels: Iterable[Label],
    rater: str,
) -> list[Row]:
    """A row for every label of `rater` about these outputs, and one for every question about `items` that is left."""
    digests = {name: case.digest for name, case in cases.items()}
    mine = [x for x in labels if x.who == rater.casefold() and x.output == digests.get(x.item)]
    answered = {(x.item, x.criterion) for x in mine if is_current(x, rubric) and not x.adjudicates}
    rows = []
    for name in dict.fromkeys((*items, *(label.item for label in mine))):
        case = cases[name]
        for criterion in rubric.read_by_people:
            kept = [x for x in mine if (x.item, x.criterion) == (name, criterion.id)]
            read = _read(case, criterion)
            rows += [{**read, **_kept(label)} for label in kept]
            if name in items and (name, criterion.id) not in answered:
                rows.append({**read, **_kept(_blank(rubric, criterion, case, rater))})
    return rows


def _blank(rubric: Rubric, criterion: Criterion, case: Case, rater: str) -> Label:
    return Label(
        item=case.id,
        criterion=criterion.id,
        rater=rater,
        answer="",
        rubric=rubric.digest,
        criterion_digest=criterion.digest,
        output=case.digest,
    )


def _read(case: Case, criterion: Criterion) -> Row:
    """The part of a row that is there to be read."""
    sources = {f"source: {name}": text for name, text in case.sources}
    answers = "\n".join(f"{word}: {meaning}" for word, meaning in answer_lines(criterion))
    answers = "\n".join([answers, *example_lines(criterion)])
    if criterion.evidence == "quote":
        answers += "\nWith met, copy the words that show it into the column quote."
    return {
        "item": case.id,
        **sources,
        "output": case.output,
        "criterion": criterion.id,
        "ask": criterion.ask,
        "answers": answers,
        "choices": CHOICES_APART.join(word for word, _ in answer_lines(criterion)),
    }


def _kept(label: Label) -> Row:
    return {
        "answer": label.answer,
        "quote": label.quote,
        "comment": label.comment,
        "rater": label.rater,
        "output_digest": label.output,
        "criterion_digest": label.criterion_digest,
        "rubric_digest": label.rubric,
        **{flag: "true" if getattr(label, flag) else "false" for flag in _FLAGS},
        "at": label.at,
    }


def write_rows(path: Path, format_: Format, rows: Sequence[Row]) -> list[Path]:
    """Writes the file, whole or not at all; for Label Studio also NAME.xml, the labelling interface. Returns what was written.

    Raises UsageError (EG655), InfrastructureError (EG639).
    """
    written = [path]
    part = path.with_name(f".part-{path.name}")
    try:
        part.touch(mode=0o600)  # what it holds is as private as a run
        if format_ in ("csv", "xlsx"):
            header = list(dict.fromkeys(name for row in rows for name in row))
            write_table(part, [header, *([row.get(name, "") for name in header] for row in rows)])
        elif format_ == "jsonl":
            part.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
        else:
            part.write_bytes(msgspec.json.format(msgspec.json.encode(tasks_of(rows))) + b"\n")
            written.append(path.with_suffix(".xml"))
            written[1].write_text(config_of(rows), encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise InfrastructureError(
            f"found that nothing can be written there ({error.strerror or type(error).__name__}), expected a writable "
            "place. Make room or correct the path.",
            where=str(path),
            code="EG639",
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return written


def read_rows(path: Path, format_: Format, problems: Problems) -> list[tuple[int, Row]]:
    """The rows with their places: line, row of the sheet, or number of the task. Notes EG101, EG102, EG648."""
    name = str(path)
    if format_ in ("csv", "xlsx"):
        if path.suffix != ENDINGS[format_]:
            _no_format(
                problems,
                name,
                f"the ending {path.suffix or 'of no kind'}",
                f"a {ENDINGS[format_]} file",
            )
            return []
        return _rows_of_table(read_table(path, name, problems), name, problems)
    data = read_bytes(path, name, problems)
    if data is None:
        return []
    if format_ == "jsonl":
        return _rows_of_lines(data, name, problems)
    try:
        return list(rows_of_export(json.loads(data)))
    except (ValueError, RecursionError) as error:
        reason = (
            "no JSON"
            if isinstance(error, json.JSONDecodeError | UnicodeDecodeError)
            else str(error)
        )
        _no_format(problems, name, reason, "tasks as Label Studio exports them (JSON)")
        return []


def _rows_of_table(
    table: list[list[str]] | None, name: str, problems: Problems
) -> list[tuple[int, Row]]:
    if not table:
        if table is not None:
            _no_format(problems, name, "an empty table", "a header and rows")
        return []
    header = [cell.strip() for cell in table[0]]
    if missing := [column for column in NEEDED if column not in header]:
        _no_format(
            problems,
            name,
            f"no column {listing(missing)}",
            "the columns of 'evalgate review export'",
        )
        return []
    rows = []
    for number, cells in enumerate(table[1:], start=2):
        if len(cells) > len(header):
            _no_format(
                problems, name, "more cells than the header has", "one cell a column", number
            )
        elif any(cells):
            rows.append((number, dict(zip(header, cells, strict=False))))
    return rows


def _rows_of_lines(data: bytes, name: str, problems: Problems) -> list[tuple[int, Row]]:
    rows = []
    for number, line in enumerate(data.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            row = msgspec.json.decode(line, type=Row)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            _no_format(
                problems, name, "a line that is no JSON object of texts", "one row a line", number
            )
            continue
        if missing := [column for column in NEEDED if column not in row]:
            _no_format(
                problems,
                name,
                f"no key {listing(missing)}",
                "the keys of 'evalgate review export'",
                number,
            )
        else:
            rows.append((number, row))
    return rows


def _no_format(problems: Problems, name: str, found: str, expected: str, line: int = 0) -> None:
    problems.add(
        name,
        "EG648",
        f"found {found}, expected {expected}. Correct it, or export again.",
        line=line,
    )


def labels_of(
    rows: Iterable[tuple[int, Row]],
    name: str,
    problems: Problems,
    *,
    rubric: Rubric,
    cases: Mapping[str, Case],
    labels: Labels,
    rater: str,
    clinician: bool,
) -> Imported:
    """The rows' labels that are not there yet. Notes everything that is wrong with any row, with its place.

    Without `clinician` every label is simulated; with it those that say so are. EG631 to EG637, EG650 to EG653.
    """
    known = {key(label): label for label in (*labels.usable, *labels.stale)}
    new: dict[tuple[object, ...], Label] = {}
    counts = {"known": 0, "unanswered": 0, "stale": 0}
    for place, row in rows:
        if not row.get("answer", "").strip():
            counts["unanswered"] += 1
            continue
        label = _label(row, rater, clinician=clinician)
        wrong = [*_faults_of_row(label, row, rater, rubric, cases)]
        before = known.get(key(label)) or new.get(key(label))
        if before is not None and _said(before) != _said(label):
            wrong.append(
                (
                    "EG651",
                    "found another answer than this rater has given already, expected the same or none. Settle which is meant.",
                )
            )
        for code, message in wrong:
            problems.add(name, code, message, line=place)
        if before is not None:
            counts["known"] += 1
        elif not wrong:
            new[key(label)] = label
            counts["stale"] += not is_current(label, rubric)
    return Imported(new=tuple(new.values()), **counts)


def _label(row: Mapping[str, str], rater: str, *, clinician: bool) -> Label:
    flags: dict[str, Any] = {flag: row[flag].strip().lower() == "true" for flag in _FLAGS}
    flags["simulated"] = flags["simulated"] or not clinician
    return Label(
        item=row["item"],
        criterion=row["criterion"],
        rater=row["rater"].strip() or rater,
        answer=row["answer"].strip(),
        rubric=row["rubric_digest"],
        criterion_digest=row["criterion_digest"],
        output=row["output_digest"],
        quote=row["quote"],
        comment=row["comment"],
        at=row["at"],
        **flags,
    )


def _said(label: Label) -> tuple[str, str, str]:
    return label.answer, label.quote, label.comment


def _faults_of_row(
    label: Label, row: Mapping[str, str], rater: str, rubric: Rubric, cases: Mapping[str, Case]
) -> Iterable[tuple[str, str]]:
    yield from faults(label, rubric, cases, of="the review plan's answers")
    if label.who != rater.casefold():
        yield (
            "EG652",
            f"rater: found another than {rater}, expected {rater} or nothing. Import each rater's file by itself.",
        )
    for flag in _FLAGS:
        if row[flag].strip().lower() not in ("true", "false"):
            yield (
                "EG630",
                f"{flag}: found neither true nor false, expected one of them. Restore the column.",
            )
    case = cases.get(label.item)
    if case is None:
        return
    if label.output != case.digest:
        yield (
            "EG650",
            "output_digest: found that of another output or of other sources, expected that of what is shown now. Export again.",
        )
    elif label.quote.strip() and not occurs(label.quote, case):
        yield (
            "EG653",
            "quote: found words that stand neither in the output nor in a source, expected them copied. Correct them, or use comment.",
        )
