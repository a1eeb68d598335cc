"""What is locked of a plan before any model is seen, and how two such plans differ: every change, and which ask for less.

Nothing of a model stands in it: no server arguments, no baseline's digest, no label of a model's answers. gate.toml counts
by what it says: comments, layout and the order of its rows do not. No text of an item is kept, only counts and digests.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from evalgate.authored.gate_toml import GateSettings
from evalgate.authored.switch_rules import allows_more
from evalgate.records import Bar, Record

_STRENGTH = {None: 0, "calibrated": 1, "screen": 2}
"""How much a row's `judge` asks for: "calibrated" needs people's labels, "screen" is never met."""
_NEVER_MORE = ("alpha", "unscored_max", "valid_days", "sealed_reuse", "first_release")
_NEVER_LESS = ("require_sealed", "require_locked")


class Gold(Record, kw_only=True):
    """A gold set. `slices`: units by each tag, class or label that a row names; of a census its items, where they are known."""

    path: str
    digest: str
    items: int
    units: int
    slices: dict[str, int]


class Marks(Record, kw_only=True):
    """What a rubric asks for: the pass mark, and of each criterion whether it is critical."""

    pass_mark: float
    critical: dict[str, bool]


class Task(Record, kw_only=True):
    """One suite: its rows, its gold sets, the path of its prompt, the digest of its declaration (parser and sampling, too)."""

    rows: dict[str, Bar]
    gold: Gold
    sealed: Gold | None = None
    prompt: str
    suite: str
    rubric: Marks | None = None


class LockedPlan(Record, kw_only=True):
    """The part of a plan that is locked. `files`: digests by path; `judge`: name, digest, server, version and arguments."""

    evalgate: str
    settings: GateSettings
    tasks: dict[str, Task]
    files: dict[str, str]
    judge: tuple[str, ...] = ()


class Change(Record, kw_only=True):
    """One difference. `weaker`: a model may pass now that did not before. `task`: the suite that it is about, if one."""

    what: str
    was: str = ""
    now: str = ""
    weaker: bool = False
    task: str = ""

    def __str__(self) -> str:
        change = f"{self.was} -> {self.now}" if self.was else self.now
        return f"{self.what} {change}".rstrip()


def differences(old: LockedPlan, new: LockedPlan) -> list[Change]:
    """Everything that is another in `new`, settings and rows first. Empty exactly if the plans are equal."""
    found = list(_settings(old.settings, new.settings))
    for name in _either(old.tasks, new.tasks):
        found += _task(name, old.tasks.get(name), new.tasks.get(name))
    owner = {
        path: name
        for plan in (old, new)
        for name, task in plan.tasks.items()
        for path in (f"suites/test_{name}.py", task.prompt, f"rubrics/{name}.toml")
    }
    for path in _either(old.files, new.files):
        was, now = old.files.get(path), new.files.get(path)
        if was != now:
            what = "added" if was is None else "removed" if now is None else ""
            found.append(Change(what=path, now=what, task=owner.get(path, "")))
    if old.judge != new.judge:
        # a judge that was made after outputs were drawn for people could know which they are
        words = {"was": _judge(old.judge), "now": _judge(new.judge)}
        found.append(Change(what="the judge", **words, weaker=bool(new.judge)))
    if old.evalgate != new.evalgate:
        found.append(Change(what="evalgate", was=old.evalgate, now=new.evalgate))
    return found


def _either(old: Iterable[str], new: Iterable[str]) -> Iterable[str]:
    return dict.fromkeys((*old, *new))


def _judge(judge: tuple[str, ...]) -> str:
    return " ".join(part[:19] if part.startswith("sha256:") else part for part in judge) or "none"


def _settings(old: GateSettings, new: GateSettings) -> Iterator[Change]:
    for name in GateSettings.__struct_fields__:
        was, now = getattr(old, name), getattr(new, name)
        what = f"gate.toml [gate] {name}"
        if name == "sign_off":
            yield from (
                Change(what=f"{what} {role}", now="dropped", weaker=True)
                for role in was
                if role not in now
            )
            yield from (
                Change(what=f"{what} {role}", now="added") for role in now if role not in was
            )
        elif was != now:
            weaker = _allows_more(name, old, new)
            yield Change(what=what, **_words(was, now), weaker=weaker)


def _allows_more(name: str, old: GateSettings, new: GateSettings) -> bool:
    was, now = getattr(old, name), getattr(new, name)
    if name == "switch":
        return allows_more(was, now)
    if name == "attempt_spending":
        return bool(now == "basel")  # attempts without end
    if name == "attempts":
        return old.attempt_spending == new.attempt_spending == "flat" and now > was
    if (
        name == "baseline"
    ):  # another model may be an easier one; without any, comparisons are refused
        return was is not None and now is not None
    if name == "review_items":  # another number of labels is another look, or another draw
        return True
    return (name in _NEVER_MORE and now > was) or (name in _NEVER_LESS and now < was)


def _task(name: str, old: Task | None, new: Task | None) -> Iterator[Change]:
    for key in _either(old.rows if old else (), new.rows if new else ()):
        was, now = (task.rows.get(key) if task else None for task in (old, new))
        yield from _row(f"gate.toml [{name}] {key}", name, was, now)
    if old is None or new is None:
        gold = (task.gold for task in (old, new) if task)
        yield from (Change(what=g.path, now="added" if new else "no more", task=name) for g in gold)
        return
    yield from _gold(name, old.gold, new.gold)
    if old.sealed and new.sealed:
        yield from _gold(name, old.sealed, new.sealed)
    elif gone := old.sealed or new.sealed:
        dropped = new.sealed is None
        word = "dropped" if dropped else "added"
        yield Change(what=gone.path, now=word, weaker=dropped, task=name)
    if old.rubric and new.rubric:
        yield from _marks(name, old.rubric, new.rubric)
    elif old.rubric or new.rubric:
        yield Change(what=f"rubric {name}", now="added" if new.rubric else "dropped", task=name)
    if old.prompt != new.prompt:
        yield Change(what=f"prompt of {name}", was=old.prompt, now=new.prompt, task=name)
    if old.suite != new.suite:
        yield Change(what=f"SUITE of {name} (parser, sampling or paths)", task=name)


def _row(what: str, task: str, old: Bar | None, new: Bar | None) -> Iterator[Change]:
    if old == new:
        return
    if new is None or old is None:
        was, now = (_bar(old), "dropped") if old else ("", f"added: {_bar(new)}")
        yield Change(what=what, was=was, now=now, weaker=new is None, task=task)
        return
    passable = new.judge != "screen"
    (kind, before), (kind_now, now_) = _bound(old), _bound(new)
    if kind != kind_now:
        yield Change(what=what, was=_bar(old), now=_bar(new), weaker=passable, task=task)
    elif before != now_:
        lower = now_ < before if kind == "min" else now_ > before
        yield Change(what=what, **_words(before, now_), weaker=lower and passable, task=task)
    if old.judge != new.judge:
        weaker = _STRENGTH[new.judge] < _STRENGTH[old.judge]
        yield Change(what=f"{what} judge", **_words(old.judge, new.judge), weaker=weaker, task=task)


def _bound(bar: Bar) -> tuple[str, float]:
    if bar.min is not None:
        return "min", bar.min
    return ("max", bar.max) if bar.max is not None else ("all", 1.0)


def _bar(bar: Bar | None) -> str:
    assert bar is not None
    kind, value = _bound(bar)
    return "all" if kind == "all" else f"{kind} {value!r}"


def _gold(task: str, old: Gold, new: Gold) -> Iterator[Change]:
    """A set that has fewer of anything that is counted is smaller; other items in equal number are a change."""
    counted = [
        ("units", old.units, new.units),
        ("items", old.items, new.items),
        *((f"[{s}]", n, new.slices[s]) for s, n in old.slices.items() if s in new.slices),
    ]
    told = False
    for name, was, now in counted:
        if was != now:
            told = True
            words = _words(was, now)
            yield Change(what=f"{new.path} {name}", **words, weaker=now < was, task=task)
    if old.path != new.path:
        yield Change(what=f"gold set of {task}", was=old.path, now=new.path, task=task)
    elif not told and (old.digest, old.slices) != (new.digest, new.slices):
        yield Change(what=new.path, task=task)


def _marks(task: str, old: Marks, new: Marks) -> Iterator[Change]:
    what = f"rubric {task}"
    if old.pass_mark != new.pass_mark:
        words, weaker = _words(old.pass_mark, new.pass_mark), new.pass_mark < old.pass_mark
        yield Change(what=f"{what} pass_mark", **words, weaker=weaker, task=task)
    for name in _either(old.critical, new.critical):
        was, now = old.critical.get(name), new.critical.get(name)
        if was is None or now is None:
            word = "added" if was is None else "dropped"
            yield Change(what=f"{what} {name}", now=word, weaker=now is None, task=task)
        elif was != now:
            words = _words(was, now)
            yield Change(what=f"{what} {name} critical", **words, weaker=was, task=task)


def _words(was: Any, now: Any) -> Mapping[str, str]:
    """Two values as people compare them: 0.85 -> 0.80, not 0.8; every digit that tells them apart."""
    if isinstance(was, float) and isinstance(now, float):
        texts = [repr(was), repr(now)]
        if not any("e" in text for text in texts):
            places = max(len(text.partition(".")[2]) for text in texts)
            texts = [f"{value:.{places}f}" for value in (was, now)]
        return {"was": texts[0], "now": texts[1]}
    return {"was": _text(was), "now": _text(now)}


def _text(value: Any) -> str:
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)
