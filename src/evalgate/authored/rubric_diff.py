"""What changed between two states of a rubric, what that costs, and the version number that says so."""

from __future__ import annotations

from typing import Literal

from evalgate.authored.rubric import Criterion, Example, Rubric
from evalgate.authored.rubric_file import VERSION
from evalgate.records import Record

Part = Literal["major", "minor", "patch"]
"""major: labels or signatures of the old rubric do not fit; minor: scores change, labels stay; patch: nothing of both."""

_READ = (
    "kind", "ask", "evidence", "applies_when", "met", "not_met", "anchors", "examples", "check",
)  # fmt: skip
_SCORED = ("points", "judged_by")
_HEAD_MINOR = ("pass_mark",)
_HEAD_MAJOR = ("show", "task")  # with other sources beside it, the same output is another case
_HEAD_PATCH = ("id", "title", "reader", "owner", "status", "sign_off")


class Change(Record, kw_only=True):
    """One difference. `criterion`: its id, "" for the table [rubric]. `field`: "" if the criterion is new or gone."""

    criterion: str
    field: str
    old: object
    new: object
    part: Part

    @property
    def stale(self) -> bool:
        """Whether labels of the criterion no longer say anything about it."""
        return bool(self.criterion) and (not self.field or self.field in _READ)


def differences(old: Rubric, new: Rubric) -> tuple[Change, ...]:
    """Every difference in content but the version, those of [rubric] first, then criterion by criterion."""
    found = []
    heads: tuple[tuple[Part, tuple[str, ...]], ...] = (
        ("major", _HEAD_MAJOR),
        ("minor", _HEAD_MINOR),
        ("patch", _HEAD_PATCH),
    )
    for part, names in heads:
        found += _fields("", old, new, names, part)
    before = {criterion.id: criterion for criterion in old.criteria}
    after = {criterion.id: criterion for criterion in new.criteria}
    for name in before | after:
        first, second = before.get(name), after.get(name)
        if first and second:
            found += _fields(name, first, second, (*_READ, "critical"), "major")
            found += _fields(name, first, second, _SCORED, "minor")
            found += _fields(name, first, second, ("axis",), "patch")
        else:
            one = Change(criterion=name, field="", old=first, new=second, part="major")
            found.append(one)
    order = [
        [name for name in side if name in before and name in after] for side in (before, after)
    ]
    if order[0] != order[1]:
        found.append(Change(criterion="", field="order", old=None, new=None, part="patch"))
    return tuple(found)


def _fields(
    criterion: str,
    old: Rubric | Criterion,
    new: Rubric | Criterion,
    names: tuple[str, ...],
    part: Part,
) -> list[Change]:
    return [
        Change(criterion=criterion, field=name, old=first, new=second, part=part)
        for name in names
        if (first := getattr(old, name)) != (second := getattr(new, name))
    ]


def next_version(version: str, changes: tuple[Change, ...]) -> str:
    """The version that follows `version` after these changes; `version` itself after none."""
    found = VERSION.fullmatch(version)
    assert found, "versions of loaded rubrics are three numbers"
    major, minor, patch = map(int, found.groups())
    parts = {change.part for change in changes}
    if "major" in parts:
        return f"{major + 1}.0.0"
    if "minor" in parts:
        return f"{major}.{minor + 1}.0"
    return f"{major}.{minor}.{patch + 1}" if parts else version


def at_least(version: str, other: str) -> bool:
    """Whether `version` is `other` or a later one."""
    return [int(n) for n in version.split(".")] >= [int(n) for n in other.split(".")]


def told(changes: tuple[Change, ...]) -> list[str]:
    """The changes in words, criterion by criterion, with the cost of each: stale labels, or other scores."""
    lines = []
    for name in dict.fromkeys(change.criterion for change in changes):
        mine = [change for change in changes if change.criterion == name]
        lines.append(f"{name or '[rubric]'}: {_cost(mine)}")
        for change in mine:
            if change.field:
                lines += [f"  - {change.field}: {_shown(change.old)}"] if _said(change.old) else []
                lines += [f"  + {change.field}: {_shown(change.new)}"] if _said(change.new) else []
    return lines


def _cost(changes: list[Change]) -> str:
    first = changes[0]
    if first.criterion and not first.field:
        return "gone" if first.new is None else "new, without labels"
    fields = ", ".join(change.field for change in changes)
    if any(change.stale for change in changes):
        return f"{fields} changed; its labels are stale"
    if any(change.field in (*_SCORED, *_HEAD_MINOR, "critical") for change in changes):
        return f"{fields} changed; scores change, labels stay"
    if any(change.part == "major" for change in changes):
        return f"{fields} changed; what is judged is another case"
    return f"{fields} changed; scores and labels stay"


def _said(value: object) -> bool:
    return value not in ("", (), None)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple):
        return " | ".join(_shown(element) for element in value)
    if isinstance(value, Example):
        return (
            f"{value.answer}: {_shown(value.text)}{f' ({_shown(value.why)})' if value.why else ''}"
        )
    return " ".join(str(value).split())
