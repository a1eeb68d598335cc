"""Label Studio's files: tasks with the questions in their data, the labelling interface, and its JSON export read back.

One task is one output. What a criterion asks stands in the task's data and not in the interface, where a `$` would be
read as a variable.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from xml.sax.saxutils import quoteattr

Row = Mapping[str, str]

_CHOICE, _TEXTS = "answer", ("quote", "comment")
_KEPT = ("item", "output_digest", "rubric_digest")
_OF_LABEL = ("blind", "simulated", "at")
CHOICES_APART = " | "
"""Between the possible answers in the column `choices`."""


def tasks_of(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """One task an output, with the rater's answers, if any, as an annotation. Repeats and settled disputes are not sent."""
    by_item: dict[str, dict[str, Row]] = {}
    for row in rows:
        if row["repeat"] == row["adjudicates"] == "false":
            by_item.setdefault(row["item"], {})[row["criterion"]] = row
    return [_task(list(found.values())) for found in by_item.values()]


def _task(rows: list[Row]) -> dict[str, Any]:
    first = rows[0]
    data: dict[str, Any] = {name: first[name] for name in _KEPT}
    for number, source in enumerate(_sources(first), start=1):
        data |= {f"source_{number}_name": source, f"source_{number}": first[f"source: {source}"]}
    data["output"] = first["output"]
    data["criteria"] = {row["criterion"]: row["criterion_digest"] for row in rows}
    for row in rows:
        name = _variable(row["criterion"])
        data |= {f"ask__{name}": row["ask"], f"answers__{name}": row["answers"]}
    task: dict[str, Any] = {"data": data}
    answered = [row for row in rows if row["answer"]]
    if answered:
        results = [result for row in answered for result in _results(row)]
        meta = {row["criterion"]: {name: row[name] for name in _OF_LABEL} for row in answered}
        task["annotations"] = [{"result": results, "was_cancelled": False, "meta": meta}]
    return task


def _results(row: Row) -> Iterator[dict[str, Any]]:
    yield _result(row, _CHOICE, "choices", {"choices": [row[_CHOICE]]})
    for part in _TEXTS:
        if row[part]:
            yield _result(row, part, "textarea", {"text": [row[part]]})


def _result(row: Row, part: str, kind: str, value: dict[str, Any]) -> dict[str, Any]:
    name = f"{part}__{row['criterion']}"
    return {"id": name, "from_name": name, "to_name": "output", "type": kind, "value": value}


def _sources(row: Row) -> list[str]:
    return [name.removeprefix("source: ") for name in row if name.startswith("source: ")]


def _variable(criterion: str) -> str:
    return criterion.replace("-", "_")


def config_of(rows: Iterable[Row]) -> str:
    """The labelling interface (XML): sources, output, and for each criterion one choice, a quote and a comment."""
    every = list(rows)
    lines = ["<View>"]
    for number, _ in enumerate(_sources(every[0]) if every else (), start=1):
        lines.append(f'  <Header value="$source_{number}_name"/>')
        lines.append(f'  <Text name="source_{number}" value="$source_{number}"/>')
    lines += ['  <Header value="Output"/>', '  <Text name="output" value="$output"/>']
    for row in {row["criterion"]: row for row in every}.values():
        criterion, name = row["criterion"], _variable(row["criterion"])
        lines += [
            f'  <Header value="$ask__{name}"/>',
            f'  <Text name="answers__{name}" value="$answers__{name}"/>',
            f'  <Choices name={quoteattr(f"answer__{criterion}")} toName="output" choice="single" showInline="true">',
            *(
                f"    <Choice value={quoteattr(word)}/>"
                for word in row["choices"].split(CHOICES_APART)
            ),
            "  </Choices>",
        ]
        for part in _TEXTS:
            lines.append(
                f'  <TextArea name={quoteattr(f"{part}__{criterion}")} toName="output" placeholder="{part}" maxSubmissions="1"/>'
            )
    return "\n".join([*lines, "</View>", ""])


def rows_of_export(tasks: Any) -> Iterator[tuple[int, dict[str, str]]]:
    """(number of the task, row) for each criterion that was answered. Raises ValueError for what is no such export."""
    if not isinstance(tasks, list):
        raise ValueError("no list of tasks")  # noqa: TRY004 (one kind of fault for every wrong form)
    for number, task in enumerate(tasks, start=1):
        try:
            yield from ((number, row) for row in _rows(task))
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            raise ValueError(f"task {number} without what it was exported with") from error
        except ValueError as error:
            raise ValueError(f"task {number} with {error}") from None


def _rows(task: Any) -> Iterator[dict[str, str]]:
    data = task["data"]
    given = [a for a in task.get("annotations", ()) if not a.get("was_cancelled")]
    if len(given) > 1:
        raise ValueError("annotations of several people: export each annotator's by themselves")
    results = given[0]["result"] if given else []
    meta = (given[0].get("meta") or {}) if given else {}
    parts: dict[tuple[str, str], str] = {}
    for result in results:
        part, _, criterion = result["from_name"].partition("__")
        values = result["value"]["choices" if part == _CHOICE else "text"]
        text = "\n".join([values] if isinstance(values, str) else values)
        if (criterion, part) in parts:
            raise ValueError("two answers to one criterion")
        parts[criterion, part] = text
    kept = {name: _as_text(data[name]) for name in _KEPT}
    created = given[0].get("created_at") or "" if given else ""
    new = {"blind": "true", "simulated": "false", "at": created}
    for criterion in dict.fromkeys(criterion for criterion, _ in parts):
        yield {
            **kept,
            "criterion": criterion,
            "criterion_digest": _as_text(data["criteria"].get(criterion, "")),
            "rater": "",
            "answer": parts.get((criterion, _CHOICE), ""),
            **{part: parts.get((criterion, part), "") for part in _TEXTS},
            "adjudicates": "false",
            "repeat": "false",
            **{name: _as_text(value) for name, value in {**new, **meta.get(criterion, {})}.items()},
        }


def _as_text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
