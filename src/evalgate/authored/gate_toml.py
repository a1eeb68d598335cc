"""gate.toml: what decides. Every fault in it is refused, because a threshold that is not understood is no threshold."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal, get_args

from evalgate.authored.problems import Problems, describe
from evalgate.authored.switch_rules import SwitchRules, check_rules, load_rules
from evalgate.authored.toml_file import Section, TomlFile, read_toml
from evalgate.records import Bar, Record

VERSUS_BASELINE = "_vs_baseline"
CENSUS = "must_pass"
JUDGE_MODES = ("calibrated", "screen")

Spending = Literal["flat", "basel"]

_KEY = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:\[(.+)\])?")
_ROW_KEYS = ("min", "max", "all", "judge")
_ROW_LIKE = "{ min = 0.85 }"


class GateSettings(Record, kw_only=True):
    """The table [gate].

    alpha: one-sided probability of a false promotion, in (0, 0.5). attempts: allowed per sealed gold set, at least 1.
    attempt_spending: "flat" gives each attempt alpha / attempts, "basel" attempt k 6 alpha / (pi k)^2, without end.
    sealed_reuse: a sealed set that has opened the gate may be asked on, at a smaller alpha.
    review_items: how many judged answers of a suite people label, at least 1; None: all of the judged slice.
    unscored_max: share of items without a score above which nothing is decided, in [0, 1). valid_days: of a certificate.
    sign_off: roles that must sign. require_sealed: whether promotion needs a sealed gold set. require_locked: whether it needs a
    locked plan even where none ever was. baseline: a model of evalgate.toml, until an alias has been promoted.
    first_release: there is no baseline at all. switch: what a base model must show to take the place of another one; None:
    promotion does not ask about bases.
    """

    alpha: float = 0.05
    attempts: int = 10
    attempt_spending: Spending = "flat"
    sealed_reuse: bool = False
    review_items: int | None = None
    unscored_max: float = 0.02
    valid_days: int = 90
    sign_off: tuple[str, ...] = ()
    require_sealed: bool = True
    require_locked: bool = False
    baseline: str | None = None
    first_release: bool = False
    switch: SwitchRules | None = None


class GateFile(Record, kw_only=True):
    """A valid gate.toml: settings, rows by suite and key, the line of each row, digest of the exact bytes."""

    path: str
    digest: str
    settings: GateSettings
    suites: dict[str, dict[str, Bar]]
    lines: dict[tuple[str, str], int]


def split_key(key: str) -> tuple[str, str | None]:
    """A row's key as test name and bracket text: `slice_recall[spanish]` -> ("slice_recall", "spanish")."""
    found = _KEY.fullmatch(key)
    return (found[1], found[2]) if found else (key, None)


def is_difference(key: str) -> bool:
    """Whether the row compares with the baseline (its name ends with `_vs_baseline`)."""
    return split_key(key)[0].endswith(VERSUS_BASELINE)


def is_census(key: str) -> bool:
    """Whether the row is a must-pass row: every item counts, no interval."""
    return CENSUS in split_key(key)[0]


def load_gate(
    path: Path, root: Path, problems: Problems, *, promoted: bool = False
) -> GateFile | None:
    """The thresholds, or None after noting every problem of the file (EG101 to EG119).

    `promoted`: an alias has been promoted before, so that the promoted model is the baseline: `*_vs_baseline` rows then
    need none in the file, and `first_release = true` is refused.
    """
    before = len(problems)
    file = read_toml(path, root, problems)
    if file is None:
        return None
    settings = _settings(file, promoted=promoted)
    suites: dict[str, dict[str, Bar]] = {}
    lines: dict[tuple[str, str], int] = {}
    for name in file.data:
        if name != "gate":
            rows = _suite(file, name, settings, promoted=promoted)
            suites[name] = {key: bar for key, (bar, _) in rows.items()}
            lines |= {(name, key): line for key, (_, line) in rows.items()}
    gate = file.data.get("gate")
    if settings.switch is not None and isinstance(gate, dict):
        check_rules(Section(file, gate, ("gate",)), settings.switch, suites)
    if not suites:
        message = "found no suites, expected a table of thresholds for each. A gate without thresholds decides nothing: add [SUITE]."
        file.add("EG111", message, (1, 1))
    if len(problems) > before:
        return None
    return GateFile(
        path=file.name, digest=file.digest, settings=settings, suites=suites, lines=lines
    )


def _settings(file: TomlFile, *, promoted: bool) -> GateSettings:
    if "gate" not in file.data:
        message = "found no [gate] table, expected one. Add [gate] with alpha = 0.05, so that the error the gate accepts is written down."
        file.add("EG110", message, (1, 1))
        return GateSettings()
    table = file.top().section("gate")
    if table is None:
        return GateSettings()
    table.only(GateSettings.__struct_fields__)
    defaults = GateSettings()
    settings = GateSettings(
        alpha=table.number("alpha", defaults.alpha),
        attempts=table.whole("attempts", defaults.attempts, low=1),
        attempt_spending=_spending(table),
        sealed_reuse=table.flag("sealed_reuse", defaults.sealed_reuse),
        review_items=table.whole("review_items", defaults.review_items, low=1),
        unscored_max=table.number("unscored_max", defaults.unscored_max),
        valid_days=table.whole("valid_days", defaults.valid_days, low=1, high=36_500),
        sign_off=table.texts("sign_off"),
        require_sealed=table.flag("require_sealed", defaults.require_sealed),
        require_locked=table.flag("require_locked", defaults.require_locked),
        baseline=table.text("baseline"),
        first_release=table.flag("first_release", defaults.first_release),
        switch=load_rules(table),
    )
    if not 1e-6 <= settings.alpha < 0.5:
        table.range("alpha", "a probability from 0.000001 to below 0.5", "0.05 is usual.")
    if not 0 <= settings.unscored_max < 1:
        table.range("unscored_max", "a share from 0 to below 1", "0.02 is usual.")
    if len(set(settings.sign_off)) < len(settings.sign_off):
        table.problem("EG104", "found a role twice, expected each once. Keep one.", "sign_off")
    if settings.baseline and settings.first_release:
        message = "found baseline beside first_release = true, expected one of them. Remove one."
        table.problem("EG116", message, "first_release")
    if promoted and settings.first_release:
        message = "found true although a model has been promoted, expected false. Remove it: the promoted model is the baseline."
        table.problem("EG116", message, "first_release")
    return settings


def _spending(table: Section) -> Spending:
    value = table.text("attempt_spending")
    if value == "basel":
        return "basel"
    if value not in (None, "flat"):
        known = " or ".join(f'"{name}"' for name in get_args(Spending))
        message = f"found {describe(value)}, expected {known}. Write one of them."
        table.problem("EG108", message, "attempt_spending", value=True)
    return "flat"


def _suite(
    file: TomlFile, name: str, settings: GateSettings, *, promoted: bool
) -> dict[str, tuple[Bar, int]]:
    """The rows of one suite with their lines; rows with problems are left out."""
    if name in GateSettings.__struct_fields__ and not isinstance(file.data[name], dict):
        message = f"found `{name}` outside a table, expected it under [gate]. Move it there."
        file.add("EG105", message, file.places.key((name,)))
        return {}
    like = f"Write [{name}] with one row for each test."
    suite = file.top().section(name, like=like)
    if suite is None:
        return {}
    if not (name.isidentifier() and name.isascii()):
        message = f"found the suite name `{name}`, expected letters, digits and underscores as in suites/test_NAME.py. Rename it."
        suite.problem("EG114", message)
    if not suite.table:
        message = "found a suite without rows, expected at least one threshold. Add one or remove the table."
        suite.problem("EG111", message)
    rows = {}
    for key in suite.table:
        _check_key(suite, key)
        bar = _row(suite, key)
        if is_difference(key):
            _check_difference(suite, key, settings, promoted=promoted)
        if bar is not None:
            rows[key] = (bar, suite.place(key)[0])
    return rows


def _check_key(suite: Section, key: str) -> None:
    if not _KEY.fullmatch(key):
        message = 'found a key that no test can have, expected a test\'s name without `test_`, such as recall or "slice_recall[spanish]". Rename it.'
        suite.problem("EG114", message, key)
    elif key.startswith("test_"):
        message = f"found the prefix `test_`, expected the name without it. Write {key.removeprefix('test_')}."
        suite.problem("EG114", message, key)
    elif split_key(key)[0] == VERSUS_BASELINE:
        message = (
            "found no metric before `_vs_baseline`, expected one as in recall_vs_baseline. Name it."
        )
        suite.problem("EG114", message, key)


def _check_difference(suite: Section, key: str, settings: GateSettings, *, promoted: bool) -> None:
    name, bracket = split_key(key)
    partner = name.removesuffix(VERSUS_BASELINE) + (f"[{bracket}]" if bracket else "")
    if partner and partner not in suite.table:
        message = f"found a margin without a threshold of its own, expected a row `{partner}` beside it. Add it: a margin alone lets two bad models pass."
        suite.problem("EG115", message, key)
    if settings.baseline is None and not settings.first_release and not promoted:
        message = 'found a comparison but no baseline, expected one in [gate]. Add baseline = "MODEL", or first_release = true if nothing has been released yet.'
        suite.problem("EG117", message, key)


def _row(suite: Section, key: str) -> Bar | None:
    """The threshold of one row, or None after noting what is wrong with it."""
    row = suite.section(key, like=f"Write {_ROW_LIKE}.")
    if row is None:
        return None
    before = len(row.file.problems)
    row.only(_ROW_KEYS)
    mistyped = len(row.file.problems) > before
    judge = row.text("judge")
    if judge is not None and judge not in JUDGE_MODES:
        message = f'found {describe(judge)}, expected "calibrated" (can promote) or "screen" (development only). Write one of them.'
        row.problem("EG119", message, "judge", value=True)
    chosen = [name for name in ("min", "max", "all") if name in row.table]
    if not chosen and mistyped:
        return None
    if len(chosen) != 1:
        found = " and ".join(chosen) if chosen else "none"
        message = (
            f"found {found} of min, max, all; expected exactly one. Write for example {_ROW_LIKE}."
        )
        row.problem("EG112", message)
        return None
    if (chosen[0] == "all") != is_census(key):
        _note_census(row, key, chosen[0])
    bar = Bar(judge=judge, **{chosen[0]: _threshold(row, key, chosen[0])})
    return bar if len(row.file.problems) == before else None


def _note_census(row: Section, key: str, name: str) -> None:
    if name == "all":
        message = f"found `all` on a row that is not a must-pass row, expected min or max. Write {_ROW_LIKE}, or call the test must_pass."
    else:
        message = f"found `{name}` on the must-pass row {key}, expected {{ all = true }}: it is a census, every item must be right. Write that."
    row.problem("EG118", message, name)


def _threshold(row: Section, key: str, name: str) -> Any:
    if name == "all":
        chosen = row.flag("all", default=True)
        if chosen is not True:
            message = (
                "found false, expected true. Write { all = true }, or remove the row with its test."
            )
            row.problem("EG118", message, "all", value=True)
        return chosen
    value = row.number(name, None)
    if value is None:
        return None
    _check_range(row, name, value, difference=is_difference(key))
    return value


def _check_range(row: Section, name: str, value: float, *, difference: bool) -> None:
    """Note a threshold that everything passes (EG113) or that is no share or difference of shares (EG108)."""
    percent = 1 < abs(value) <= 100
    advice = f"Write {value / 100:g} for {value:g} %." if percent else "Correct it."
    lowest = -1.0 if difference else 0.0
    kind = "difference" if difference else "share"
    if name == "min":
        vacuous = value <= lowest
        # An absolute min of exactly 1 is a share; whether any number of units can prove it is feasibility's question.
        outside = value >= 1 if difference else value > 1
        expected = f"a {kind} above {lowest:g} and {'below' if difference else 'at most'} 1"
    else:
        vacuous = value >= 1
        outside = value <= lowest if difference else value < 0
        expected = f"a {kind} {'above -1 and' if difference else 'from 0 to'} below 1"
    if vacuous:
        hint = advice if percent else "Set a bar that a bad model misses."
        message = f"found {value:g}, which every model passes, expected {expected}. {hint}"
        row.problem("EG113", message, name, value=True)
    elif outside:
        row.range(name, expected, advice)
