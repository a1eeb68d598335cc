"""What `evalgate models shortlist` found, and how it is shown: text, JSON, one page. Numbers and ids only, never a text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import msgspec

from evalgate import digest
from evalgate.records import Finding, ModelIdentity, Record
from evalgate.report.markup import code, facts, number, section, small_table, text
from evalgate.report.numbers import NONE, exact_text, high_text, low_text, value_text
from evalgate.report.page import page
from evalgate.report.plot import interval_plot
from evalgate.report.tables import Block, Table, blocks_text
from evalgate.report.words import STATUS, served_by, short_digest, threshold_text

TITLE = "Shortlist of base models"
NOTES = (
    (
        "a shortlist nominates and decides nothing: these are dev sets, and the best of several looks better than it is (the "
        "winner's curse); 'evalgate gate check' decides, on what is trained"
    ),
    (
        "on a suite a model is ahead of another where the paired interval of their difference leaves out 0, corrected over all "
        "pairs of that suite (Holm); else they are tied; its rank is 1 and one more for each model that is ahead of it"
    ),
    (
        "overall a model is ahead of another if it is ahead on some suite and behind on none: a gate asks for every task, so no "
        "mean is taken over them"
    ),
)


class Share(Record, kw_only=True):
    """A share of units with both ends of its interval, each one-sided at the shortlist's alpha; None without evidence."""

    value: float | None
    low: float | None
    high: float | None


class Score(Record, kw_only=True):
    """One model on one suite. `finding`: of the suite's first `min` row, as the gate would read it; `note`: why there is none.

    `valid`: answers that the suite could read; `refused`: of legitimate requests; `tokens`, `tokens_p95`: of an answer;
    `needs`: of the longest prompt and a whole answer. `rank`: from 1, None without a finding.
    """

    suite: str
    run: str
    finding: Finding | None
    note: str
    valid: Share
    refused: Share
    truncated: Share
    tokens: float | None
    tokens_p95: int | None
    needs: int | None
    rank: int | None = None


class Base(Record, kw_only=True):
    """A model that was asked. `context`: tokens that it was made for, None if its files do not say.

    `nominated`: nobody is ahead of it overall, and its weights are here.
    """

    name: str
    identity: ModelIdentity
    licences: tuple[str, ...]
    context: int | None
    rank: int
    nominated: bool
    scores: tuple[Score, ...]
    notes: tuple[str, ...] = ()


class Excluded(Record, kw_only=True):
    """A model that was not asked, or not to the end, and why. `outage`: a server or a disk, so that another try may help."""

    name: str
    code: str
    reasons: tuple[str, ...]
    outage: bool = False


class Pairing(Record, kw_only=True):
    """Two models on the items of one suite: `first` minus `second`. `alpha`: of each end of the interval, after Holm.

    `ahead`: the better of the two, "" where they are tied; `note`: why a pair could not be told apart at all.
    """

    suite: str
    first: str
    second: str
    difference: float | None
    low: float | None = None
    high: float | None = None
    alpha: float | None = None
    method: str = ""
    ahead: str = ""
    note: str = ""


class Task(Record, kw_only=True):
    """A suite that was asked, with the row of gate.toml that ranks; "" if it has none with `min`."""

    suite: str
    gold: str
    items: int
    units: int
    test: str
    threshold: dict[str, float | bool]


class Shortlist(Record, kw_only=True):
    """Everything that was found. `made`: UTC, ISO 8601; `sum`: digest of the rest of this object.

    `rows`: of all governed corpora then, by which `doctor` tells when the choice is due again.
    """

    schema: Literal["evalgate.shortlist/1"] = "evalgate.shortlist/1"
    sum: str = ""
    made: str
    rows: int
    alpha: float
    tasks: tuple[Task, ...]
    bases: tuple[Base, ...]
    excluded: tuple[Excluded, ...]
    pairs: tuple[Pairing, ...]
    notes: tuple[str, ...] = NOTES

    @property
    def own_sum(self) -> str:
        """What `sum` has to be."""
        return digest.of_value(msgspec.structs.replace(self, sum=""))


def shortlist_json(found: Shortlist) -> dict[str, Any]:
    """Plain values, schema evalgate.shortlist/1, full precision."""
    value: dict[str, Any] = msgspec.to_builtins(found)
    return value


def summary(found: Shortlist) -> str:
    """Who is nominated, in one line."""
    named = [base.name for base in found.bases if base.nominated]
    if not found.bases:
        return "no model could be compared"
    if not named:
        return "nobody is nominated: no model with weights here has nobody ahead of it"
    tied = "tied: " if len(named) > 1 else ""
    return f"nominated: {tied}{', '.join(named)}"


# -- as text


def shortlist_text(found: Shortlist) -> str:
    """The shortlist for a terminal or a log: ASCII but for names, lines as long as their table needs."""
    return blocks_text(_blocks(found))


def _blocks(found: Shortlist) -> Iterator[Block]:
    yield "line", f"models shortlist: {_counts(found)}; {summary(found)}"
    if found.bases:
        yield "table", _overall(found)
    for task in found.tasks if found.bases else ():
        yield "head", _about(task)
        for _, table in _tables(found, task):
            yield "table", table
        for line in _untold(found, task):
            yield "item", line
    if found.excluded:
        yield "head", "excluded"
    for one in found.excluded:
        yield "item", f"{one.name}: {one.code}{_again(one)}: {'; '.join(one.reasons)}"
    yield "head", "notes"
    for note in _notes(found):
        yield "item", note


def _tables(found: Shortlist, task: Task) -> Iterator[tuple[str, Table]]:
    """The tables of one suite with their captions; one without rows is left out."""
    yield "By the row that ranks", _ranked(found, task)
    yield "How it answered", _behaved(found, task)
    pairs = _paired(found, task)
    if pairs.rows:
        yield "Pairs, on the same items", pairs


def _table(head: Sequence[str], rows: Iterable[tuple[str, ...]], *, numbers: int) -> Table:
    """The last `numbers` columns are numbers."""
    right = (False,) * (len(head) - numbers) + (True,) * numbers
    return Table(head=tuple(head), right=right, rows=list(rows))


def _overall(found: Shortlist) -> Table:
    ranks = (f"rank: {task.suite}" for task in found.tasks)
    rows = (
        (
            base.name,
            _rank(base.rank, [b.rank for b in found.bases]),
            "yes" if base.nominated else "no",
            *(_rank(s.rank, [r.rank for r in _scores(found, s.suite)]) for s in base.scores),
            NONE if base.context is None else str(base.context),
        )
        for base in sorted(found.bases, key=lambda base: (base.rank, base.name))
    )
    return _table(("model", "rank", "nominated", *ranks, "context"), rows, numbers=1)


def _ranked(found: Shortlist, task: Task) -> Table:
    ranks = [score.rank for score in _scores(found, task.suite)]
    rows = []
    for base, score in _of(found, task):
        f = score.finding
        measured = (score.note or NONE, *(NONE,) * 3)
        if f is not None:
            ends = (low_text(f.low), high_text(f.high))
            measured = (f"{STATUS[f.status].ascii} {f.status}", value_text(f.estimate), *ends)
        tokens = NONE if score.tokens is None else f"{score.tokens:.1f}"
        counts = [NONE if n is None else str(n) for n in (score.tokens_p95, score.needs)]
        rows.append((base.name, _rank(score.rank, ranks), *measured, tokens, *counts))
    head = ("model", "rank", "finding", "estimate", "low", "high", "tokens, mean", "p95", "needed")
    return _table(head, rows, numbers=6)


def _behaved(found: Shortlist, task: Task) -> Table:
    head = ("model", "well formed", "interval", "refused", "interval", "truncated", "interval")
    rows = []
    for base, score in _of(found, task):
        shares = (score.valid, score.refused, score.truncated)
        cells = (cell for s in shares for cell in (value_text(s.value), _interval(s)))
        rows.append((base.name, *cells))
    return _table(head, rows, numbers=6)


def _paired(found: Shortlist, task: Task) -> Table:
    head = ("pair", "ahead", "difference", "low", "high", "alpha of an end")
    rows = []
    for pair in found.pairs:
        if pair.suite == task.suite:
            moved = NONE if pair.difference is None else f"{pair.difference:+.4f}"
            level = NONE if pair.alpha is None else f"{pair.alpha:.4g}"
            ends = (low_text(pair.low), high_text(pair.high))
            names = f"{pair.first} - {pair.second}"
            rows.append((names, pair.ahead or "tied", moved, *ends, level))
    return _table(head, rows, numbers=4)


def _untold(found: Shortlist, task: Task) -> list[str]:
    """Why pairs have no interval."""
    pairs = [pair for pair in found.pairs if pair.suite == task.suite and pair.note]
    return [f"{pair.first} - {pair.second}: {pair.note}" for pair in pairs]


def _interval(share: Share) -> str:
    bare = share.low is None or share.high is None
    return NONE if bare else f"{low_text(share.low)} to {high_text(share.high)}"


def _rank(rank: int | None, every: Sequence[int | None]) -> str:
    """The rank, with a sign behind it where it is shared."""
    if rank is None:
        return NONE
    return f"{rank}=" if every.count(rank) > 1 else str(rank)


def _of(found: Shortlist, task: Task) -> list[tuple[Base, Score]]:
    """The models on one suite, the first first."""
    pairs = [(b, s) for b in found.bases for s in b.scores if s.suite == task.suite]
    return sorted(pairs, key=lambda pair: (pair[1].rank or len(pairs) + 1, pair[0].name))


def _scores(found: Shortlist, suite: str) -> list[Score]:
    return [score for base in found.bases for score in base.scores if score.suite == suite]


def _about(task: Task) -> str:
    ranks = (
        f"ranked by {task.test} {threshold_text(task.threshold)}"
        if task.test
        else "no row with `min`, so nobody is ranked by it"
    )
    return f"{task.suite}  {ranks}; {task.items} items, {task.units} units, gold {short_digest(task.gold)}"


def _counts(found: Shortlist) -> str:
    return f"{len(found.bases)} compared, {len(found.excluded)} excluded"


def _again(one: Excluded) -> str:
    return " (this time: try again)" if one.outage else ""


def _notes(found: Shortlist) -> list[str]:
    said: dict[str, list[str]] = {}
    for base in found.bases:
        for note in base.notes:
            said.setdefault(note, []).append(base.name)
    own = [f"{', '.join(names)}: {note}" for note, names in said.items()]
    level = f"intervals: each end errs with a probability of {exact_text(found.alpha)}; those of pairs as the table says"
    return [*own, level, *found.notes]


# -- as a page

_STYLE = "h1 { font-size: 1.7rem; text-transform: none; }\n"


def shortlist_html(found: Shortlist) -> str:
    """The page: complete HTML5 text, to be written as UTF-8. Any string is shown as text, whatever it holds."""
    excluded = (
        f"<b>{text(one.name)}</b> {code(one.code)}{_again(one)}{''.join(f'<p>{text(r)}</p>' for r in one.reasons)}"
        for one in found.excluded
    )
    head = f'<p class="kicker">{TITLE}</p>\n<h1>{text(summary(found))}</h1>'
    suites = found.tasks if found.bases else ()
    body = [
        f"<header>\n{head}\n<p>{text(found.made)}. {_counts(found)}.</p>\n</header>",
        section("overall", "Overall", _markup("Rank of each model", _overall(found))),
        *(_suite(found, task, i) for i, task in enumerate(suites)),
        section("excluded", "Excluded", _list(excluded)),
        section("notes", "How to read this page", _list(map(text, _notes(found)))),
        section("models", "Provenance", facts(_provenance(found))),
    ]
    return page(f"{summary(found)} · {TITLE}", body, kind="shortlist", style=_STYLE)


def _suite(found: Shortlist, task: Task, place: int) -> str:
    plots = "".join(
        f"<li><h3>{text(base.name)}</h3>{interval_plot(score.finding, key=f's{place}-{i}')}</li>"
        for i, (base, score) in enumerate(_of(found, task))
        if score.finding is not None
    )
    return section(
        f"suite-{place}",
        task.suite,
        f"<p>{text(_about(task))}</p>",
        f'<ul class="cards">{plots}</ul>' if plots else "",
        *(_markup(caption, table) for caption, table in _tables(found, task)),
        _list(map(text, _untold(found, task))),
    )


def _list(items: Iterable[str]) -> str:
    listed = "".join(f"<li>{item}</li>" for item in items)
    return f'<ul class="reasons">{listed}</ul>' if listed else ""


def _markup(caption: str, table: Table) -> str:
    rows = [
        [
            number(cell) if right else text(cell)
            for cell, right in zip(row, table.right, strict=True)
        ]
        for row in table.rows
    ]
    return small_table(caption, table.head, rows, numbers=sum(table.right))


def _provenance(found: Shortlist) -> Iterable[tuple[str, str]]:
    for base in found.bases:
        served = served_by(base.identity.server, base.identity.version)
        args = " ".join(base.identity.args)
        yield base.name, f"{code(base.identity.digest)} {text(f'{served} {args}')}"
        yield f"{base.name}: licences", text(", ".join(base.licences))
        for score in base.scores:
            yield f"{base.name}: run", code(f"{score.suite}/{score.run}")
    for task in found.tasks:
        yield f"gold set of {task.suite}", code(task.gold)
    yield "alpha", text(exact_text(found.alpha))
