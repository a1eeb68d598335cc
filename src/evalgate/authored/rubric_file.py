"""Reading rubrics/TASK.toml: strictly, and with every problem at once.

The table [rubric] and the criteria may also stand in two files: criteria that come back from a spreadsheet are read by
the same rules as those of the TOML file, and their problems bear rows and columns in place of lines.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any, TypeVar, cast

from evalgate import digest
from evalgate.authored.gold import GoldSet
from evalgate.authored.problems import Problems, count, describe, listing, nearest
from evalgate.authored.rubric import RATERS, SCALE, Criterion, Example, Rater, Rubric
from evalgate.authored.rubric_leaks import check_gold, identifier_in
from evalgate.authored.toml_file import Section, TomlFile, read_toml
from evalgate.authored.toml_places import Path

W = TypeVar("W", bound=str)

MOST_POINTS = 1000.0
LONGEST_TEXT = 10_000
"""Characters of one text of a rubric: longer ones are no questions, and a spreadsheet's cell would not hold them."""

NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff]")

HEAD_KEYS = (
    "id", "task", "version", "title", "reader", "owner", "status", "sign_off", "show", "pass_mark",
)  # fmt: skip
CRITERION_KEYS = Criterion.__struct_fields__


def load_rubric(
    path: FilePath, root: FilePath, problems: Problems, *, gold: GoldSet | None = None
) -> Rubric | None:
    """The rubric, or None after noting every problem of the file (EG101 to EG109, EG600 to EG613).

    `gold`: its task's gold set; with it, `show` and the texts of examples are compared with every item. Raises
    IntegrityError (EG157) when that file changes meanwhile.
    """
    file = read_toml(path, root, problems)
    if file is None:
        return None
    return rubric_of(file, file, task=path.name.removesuffix(".toml"), gold=gold)


def rubric_of(
    head: TomlFile, body: TomlFile, *, task: str | None = None, gold: GoldSet | None = None
) -> Rubric | None:
    """The rubric with the table [rubric] of `head` and the criteria of `body`, or None after noting their problems.

    `task`: what `task` has to be; None allows any. Both files note into one `Problems`.
    """
    problems = head.problems
    before = len(problems)
    for file in {id(file): file for file in (head, body)}.values():
        file.data = composed(file.data)
        _check_texts(file, file.data)
    top = head.top()
    top.only(("rubric", "criterion"))
    table = top.section("rubric") if top.has("rubric", required=True) else None
    settings = _head(table, task) if table else {}
    tables = _tables(body)
    if head is not body:
        _tables(head)  # what is there is replaced, but must be criteria
    examples = [_examples(table) for table in tables]
    criteria = [_criterion(*sections) for sections in zip(tables, examples, strict=True)]
    _check_together(body, tables, criteria)
    if table is not None:
        _check_bar(table, criteria)
    if gold is not None:
        check_gold(table, [e for several in examples for e in several], gold)
    if len(problems) > before:
        return None
    content = settings | {"criteria": tuple(criteria)}
    return Rubric(
        path=head.name,
        digest=digest.of_value(content),
        lines={c.id: t.place()[0] for c, t in zip(criteria, tables, strict=True)},
        **content,
    )


def composed(value: Any) -> Any:
    """`value` with all its texts in Unicode's composed form, so that an accent has one spelling."""
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, list):
        return [composed(inner) for inner in value]
    if isinstance(value, dict):
        return {key: composed(inner) for key, inner in value.items()}
    return value


def _texts(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _texts(inner, (*path, key))


def _check_texts(file: TomlFile, data: dict[str, Any]) -> None:
    """EG613: texts that a form, a page or a spreadsheet could not show as they are."""
    for path, text in _texts(data):
        found = _UNPRINTABLE.search(text)
        if found:
            what = f"the control character U+{ord(found[0]):04X}"
        elif len(text) > LONGEST_TEXT:
            what = f"{len(text)} characters"
        else:
            continue
        message = f"found {what}, expected a readable text of at most {LONGEST_TEXT} characters (line breaks and tabs are allowed). Correct it."
        file.add("EG613", message, file.places.value(path))


def _tables(file: TomlFile) -> list[Section]:
    """The criteria's tables; EG107 for an inline list of them, which could not be edited one by one."""
    top = file.top()
    if isinstance(file.data.get("criterion"), list) and ("criterion", 0) not in file.places.keys:
        message = (
            "found criteria in one list, expected a heading [[criterion]] for each. Write them so."
        )
        top.problem("EG107", message, "criterion")
    return top.tables("criterion", like="Write [[criterion]] for each.")


def _head(table: Section, task: str | None) -> dict[str, Any]:
    """The fields of the rubric that stand in [rubric]."""
    table.only(HEAD_KEYS)
    found: dict[str, Any] = {
        "id": _name(table),
        **{name: table.text(name, "", required=True) for name in ("task", "version", "title")},
        **{name: table.text(name, "") for name in ("reader", "owner", "status")},
        **{name: table.texts(name) for name in ("sign_off", "show")},
        "pass_mark": 0.0,
    }
    if task is not None and found["task"] not in ("", task):
        message = f"found {describe(found['task'])}, expected {describe(task)}: a rubric is called after its task. Correct it or rename the file."
        table.problem("EG605", message, "task", value=True)
    if found["version"] and not VERSION.fullmatch(found["version"]):
        message = (
            f"found {describe(found['version'])}, expected three numbers such as 1.0.0. Correct it."
        )
        table.problem("EG612", message, "version", value=True)
    for name in ("sign_off", "show"):
        if len(set(found[name])) < len(found[name]):
            table.problem("EG104", "found a name twice, expected each once. Keep one.", name)
    if table.has("pass_mark", required=True):
        found["pass_mark"] = table.number("pass_mark", 0.0)
        if not 0 <= found["pass_mark"] <= 1:
            table.range("pass_mark", "a share from 0 to 1", "80 % is 0.80.")
    return found


def _name(table: Section) -> str:
    name = table.text("id", "", required=True)
    if name and not NAME.fullmatch(name):
        message = f"found {describe(name)}, expected small letters and digits, joined by hyphens, such as states-reason. Rename it."
        table.problem("EG601", message, "id", value=True)
    return name


def _examples(table: Section) -> list[Section]:
    """The tables of a criterion's examples, after it has been given its own name in messages."""
    name = table.table.get("id")
    if isinstance(name, str) and NAME.fullmatch(name):
        table.called = f"[[criterion]] {name}"
    return table.tables("examples", like='Write { answer = "met", text = "..." }.')


def _criterion(table: Section, examples: list[Section]) -> Criterion:
    table.only(CRITERION_KEYS)
    criterion = Criterion(
        id=_name(table),
        ask=table.text("ask", "", required=True),
        points=_points(table),
        kind=_choice(table, "kind", ("binary", "scale"), "binary"),
        axis=table.text("axis", ""),
        critical=table.flag("critical", default=False),
        evidence=_choice(table, "evidence", ("none", "quote"), "none"),
        applies_when=table.text("applies_when", ""),
        met=table.text("met", ""),
        not_met=table.text("not_met", ""),
        anchors=table.texts("anchors"),
        examples=tuple(_example(example) for example in examples),
        judged_by=_judged_by(table),
        check=table.text("check"),
    )
    _check_scale(table, criterion)
    _check_code(table, criterion)
    _check_answers(examples, criterion)
    return criterion


def _points(table: Section) -> float:
    if not table.has("points", required=True):
        return 1.0
    points = table.number("points", 1.0)
    if points == 0:
        message = "found 0, expected points above 0, or below 0 for a fault. Say what it is worth, or remove the criterion."
        table.problem("EG602", message, "points", value=True)
    elif abs(points) > MOST_POINTS:
        table.range("points", f"at most {MOST_POINTS:g} points either way")
    return points


def _choice(table: Section, name: str, words: tuple[W, ...], default: W) -> W:
    """One of a few words, given in quotes. EG107."""
    value = table.table.get(name, default)
    if value in words:
        return cast("W", value)
    expected = " or ".join(f'"{word}"' for word in words)
    table.wrong_type(name, expected, f"Write one of them{_hint(value, words)}.")
    return default


def _hint(value: object, words: tuple[str, ...]) -> str:
    return nearest(value, words).rstrip() if isinstance(value, str) else ""


def _example(table: Section) -> Example:
    table.only(Example.__struct_fields__)
    example = Example(
        answer=table.text("answer", "", required=True),
        text=table.text("text", "", required=True),
        why=table.text("why", ""),
    )
    for name, text in (("text", example.text), ("why", example.why)):
        kind = identifier_in(text)
        if kind:
            message = f"found what looks like {kind}, expected words about nobody. Invent it anew; invented telephone numbers are 555-01xx."
            table.problem("EG611", message, name, value=True)
    return example


def _judged_by(table: Section) -> tuple[Rater, ...]:
    default: tuple[Rater, ...] = ("judge", "clinician")
    raters = table.texts("judged_by", default)
    if set(raters) <= set(RATERS) and len(set(raters)) == len(raters) and raters:
        return cast("tuple[Rater, ...]", raters)
    unknown = next((rater for rater in raters if rater not in RATERS), None)
    found = describe(unknown) if unknown else "somebody twice" if raters else "nobody"
    hint = nearest(unknown, RATERS) if unknown else ""
    message = f"found {found}, expected some of {', '.join(RATERS)}, each once.{hint} Correct it."
    table.problem("EG607", message, "judged_by", value=True)
    return default


def _check_scale(table: Section, criterion: Criterion) -> None:
    """EG604: five anchors and nothing that only a yes or no can have; no anchors on a yes or no."""

    def refuse(name: str, message: str) -> None:
        table.problem("EG604", message, name, value=True)

    if criterion.kind == "binary":
        if criterion.anchors:
            refuse(
                "anchors",
                'found anchors on a criterion that is no scale, expected none. Add kind = "scale" or remove them.',
            )
        return
    if "anchors" not in table.table or (criterion.anchors and len(criterion.anchors) != len(SCALE)):
        found = count(len(criterion.anchors), "anchor")
        refuse(
            "anchors",
            f"found {found}, expected five, the worst first: a step without words is another one to every rater. Write {len(SCALE)}.",
        )
    for name in ("met", "not_met"):
        if name in table.table:
            refuse(
                name,
                "found an answer of a yes or no on a scale, expected anchors alone. Move the words there.",
            )
    if criterion.critical:
        refuse(
            "critical",
            "found a scale that is critical, expected a yes or no: no step of it is a fault found. Split off what must not be missing.",
        )
    if criterion.evidence == "quote":
        refuse(
            "evidence",
            'found "quote" on a scale, expected none: only who says met has something to quote. Remove it.',
        )


def _check_code(table: Section, criterion: Criterion) -> None:
    """EG607, EG608: what code answers has a check that exists, and nothing that code cannot heed."""
    from evalgate.text.checks import CHECKS

    if criterion.check is not None and criterion.check not in CHECKS:
        message = f"found {describe(criterion.check)}, expected one of {listing(CHECKS)}.{nearest(criterion.check, CHECKS)} Correct it."
        table.problem("EG608", message, "check", value=True)
    if not criterion.by_code:
        if criterion.check is not None:
            message = 'found a check on a criterion that code does not answer, expected none. Add judged_by = ["code"] or remove it.'
            table.problem("EG607", message, "check", value=True)
        return
    if len(criterion.judged_by) > 1:
        message = "found code beside others, expected it alone: its answer is not a matter of agreement. Keep one or write two criteria."
        table.problem("EG607", message, "judged_by", value=True)
    if "check" not in table.table:
        message = f"found no `check`, expected the one that answers: {listing(CHECKS)}. Name it."
        table.problem("EG607", message, "judged_by")
    unheeded = {"kind": criterion.kind == "scale", "evidence": criterion.evidence == "quote", "applies_when": True}  # fmt: skip
    for name, found in unheeded.items():
        if found and name in table.table:
            message = "found a key that code cannot heed, expected none of kind, evidence and applies_when. Remove it."
            table.problem("EG607", message, name)


def _check_answers(examples: list[Section], criterion: Criterion) -> None:
    """EG609: examples of answers that nobody can give."""
    words = criterion.answers
    for table, example in zip(examples, criterion.examples, strict=True):
        if example.answer and example.answer not in words:
            hint = nearest(example.answer, words)
            message = f"found {describe(example.answer)}, expected one of {', '.join(words)}.{hint} Correct it."
            table.problem("EG609", message, "answer", value=True)


def _check_bar(table: Section, criteria: list[Criterion]) -> None:
    """EG108: a pass mark that every output reaches, where nothing else can fail one."""
    written = table.table.get("pass_mark")
    if type(written) in (int, float) and written == 0 and not any(c.critical for c in criteria):
        message = "found 0 and no critical criterion, which every output passes, expected a share above 0. Set one."
        table.problem("EG108", message, "pass_mark", value=True)


def _check_together(file: TomlFile, tables: list[Section], criteria: list[Criterion]) -> None:
    """EG600, EG603: ids given twice; nothing to earn."""
    first: dict[str, Section] = {}
    for table, criterion in zip(tables, criteria, strict=True):
        if not criterion.id:
            continue
        other = first.setdefault(criterion.id, table)
        if other is not table:
            message = f"found the id a second time (first on line {other.place('id', value=True)[0]}), expected each once. Rename or remove one of the criteria."
            table.problem("EG600", message, "id", value=True)
    if not any(criterion.points > 0 for criterion in criteria):
        found = "only faults" if criteria else "no criteria"
        message = f"found {found}, expected at least one criterion with points above 0: there is nothing to earn. Add [[criterion]]."
        place = tables[0].place() if tables else (1, 1)
        file.add("EG603", message, place)
