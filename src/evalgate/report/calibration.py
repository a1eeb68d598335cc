"""What a judge is worth beside clinicians, as text and as one self-contained page: ids and numbers, no clinical text.

First how often it agreed, in a sentence that needs no statistics; then kappa, never without AC1.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TextIO

from evalgate.authored.problems import count
from evalgate.judge.calibration_table import (
    ITEMS_TO_ASSIST,
    ITEMS_TO_DECIDE,
    MARGIN,
    MOST_FLIPS,
    MUST_FIND,
    MUST_FIND_CRITICAL,
    CriterionReport,
    Qualification,
    Rate,
    Standing,
)
from evalgate.records import Finding, FindingStatus, ModelIdentity, Record
from evalgate.report.markup import code, facts, name, number, section, text
from evalgate.report.numbers import NONE, high_text, low_text, present
from evalgate.report.page import page
from evalgate.report.plot import interval_plot
from evalgate.report.words import plain, served_by, short_digest

_NO_TERMINAL = 100  # columns, where the output is a file or a pipe


class _Look(Record, kw_only=True):
    """How a standing is shown: never by colour alone. `kind` is the finding whose colour it shares."""

    symbol: str
    kind: FindingStatus
    style: str
    meaning: str


_LOOK: dict[Standing, _Look] = {
    "decides": _Look(
        symbol="✓",
        kind="pass",
        style="green",
        meaning="The judge was shown to answer like a clinician. Its answers help the clinicians' labels to go further.",
    ),
    "assists": _Look(
        symbol="?",
        kind="inconclusive",
        style="yellow",
        meaning="The judge is better than chance and may help people to sort. Only clinicians' labels count.",
    ),
    "by code": _Look(
        symbol="=",
        kind="insufficient",
        style="magenta",
        meaning="Code answers, no judge. How often it is wrong is not known until enough clinicians' labels say so.",
    ),
    "clinician only": _Look(
        symbol="!",
        kind="insufficient",
        style="magenta",
        meaning="Nothing shows that the judge may be relied on. Its answers are used for nothing.",
    ),
}

_COLUMNS = (
    "Agreed",
    "Kappa",
    "AC1",
    "Faulty found",
    "Recognised",
    "F1 judge",
    "F1 clinicians",
    "Changed its answer",
)

# The page's table has columns of its own; widths are shares of the page.
_STYLE = """
.judge .c1 { width: 17%; } .judge .c2 { width: 12.5%; } .judge .c3 { width: 19%; } .judge .c4 { width: 8.5%; }
.judge .c5, .judge .c6 { width: 5%; } .judge .c7 { width: 7%; } .judge .c8 { width: 8.5%; }
.judge .c9 { width: 4.5%; } .judge .c10 { width: 6.5%; } .judge .c11 { width: 7%; }
.said { margin: .6rem 0 1rem; max-width: 62rem; }
.said p { margin: .15rem 0; }
@media print { .said { break-inside: avoid; } }
"""


def summary(found: Qualification) -> str:
    """How many criteria the judge decides, assists with, and leaves to clinicians."""
    if not found.criteria:
        return "No criterion has been held against labels."
    counts = [(sum(c.standing == standing for c in found.criteria), standing) for standing in _LOOK]
    told = {
        "decides": "the judge decides {}",
        "assists": "assists with {}",
        "by code": "code answers {}",
        "clinician only": "leaves {} to clinicians",
    }
    counts = [(n, standing) for n, standing in counts if n or standing != "by code"]
    listed = ", ".join(told[standing].format(n) for n, standing in counts)
    total = len(found.criteria)
    return f"Of {total} {'criterion' if total == 1 else 'criteria'} {listed}."


def sentences(r: CriterionReport) -> list[str]:
    """What was found about one criterion, in plain words: agreement first, why it stands where it stands, then the rest."""
    return [*_agreement(r), r.reason, *_scale(r), *_faults(r), *_people(r), *_more(r)]


def _agreement(r: CriterionReport) -> Iterable[str]:
    if r.labelled:
        said = f"The judge agreed with the {_raters(r)} on {r.agreement.hits} of {r.labelled}"
        yield f"{said}: kappa {_two(r.kappa)}, AC1 {_two(r.ac1)}."


def _scale(r: CriterionReport) -> Iterable[str]:
    if r.weighted_kappa is not None or r.alpha is not None:
        yield (
            f"Along the scale: weighted kappa {_two(r.weighted_kappa)}, Krippendorff's alpha {_two(r.alpha)}."
        )


def _faults(r: CriterionReport) -> Iterable[str]:
    if not r.labelled:
        return
    sides = []
    if r.found.of:
        sides.append(
            f"found {_of(r.found)} faulty outputs (at least {low_text(r.found.low)} of all such outputs)"
        )
    if r.recognised.of:
        sides.append(
            f"recognised {_of(r.recognised)} that are in order (at least {low_text(r.recognised.low)})"
        )
    yield f"It {' and '.join(sides)}."
    if not r.found.of:
        yield "None of the labelled outputs is faulty, so nothing shows that it finds a fault."
    if r.strata:
        each = ", ".join(
            f"{plain(s) or 'none'} {_of(x)} (at least {low_text(x.low)})"
            for s, x in r.strata.items()
        )
        yield f"Found by severity: {each}."


def _people(r: CriterionReport) -> Iterable[str]:
    if not r.clinicians:
        if r.labelled:
            yield f"No item has two {_raters(r)}, so nobody knows how far they agree with each other."
        return
    c = r.clinicians
    yield (
        f"On {count(c.items, 'item')} with several {_raters(r)} it agreed with one of them in {_percent(c.judge_agreement)} of cases "
        f"and they with each other in {_percent(c.human_agreement)}; macro-F1 {_two(c.judge)} and {_two(c.human)}, "
        f"difference {low_text(c.difference.low)} to {high_text(c.difference.high)}."
    )


def _more(r: CriterionReport) -> Iterable[str]:
    """What else was counted; nothing is said of zeros."""
    if r.flips:
        yield f"Asked again it answered otherwise on {_of(r.flips)} (at most {high_text(r.flips.high)} of all)."
    if r.unscored:
        counts = ", ".join(f"{n} {cause.replace('_', ' ')}" for cause, n in r.unscored.items())
        yield f"Without an answer that can be used: {counts} of {r.judged}; they count as disagreement."
    if r.length is not None:
        yield f"Its leniency goes with the length of the output by a correlation of {_two(r.length)}."
    if r.disputed:
        differ = f"{_raters(r).capitalize()} differ on {count(r.disputed, 'item')}"
        yield f"{differ} and nobody settled it: the answer against the output stands."
    if r.unsure:
        yield f"{_raters(r).capitalize()} could not tell on {count(r.unsure, 'item')}, left out of all numbers here."
    if r.simulated:
        yield f"Labels by somebody who is no clinician: on {count(r.simulated, 'item')}."
    if left := ", ".join(r.unused.told):
        yield f"Labels left out: {left}."


def _raters(r: CriterionReport) -> str:
    """Nobody is called a clinician who is none."""
    return "raters" if r.simulated else "clinicians"


def _of(rate: Rate) -> str:
    return f"{rate.hits} of {rate.of}"


def _two(x: float | None) -> str:
    """A number that decides nothing, with 2 decimals; a dash without one."""
    y = None if x is None else present(x)
    return NONE if y is None else f"{round(y, 2) + 0.0:.2f}"


def _percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %")


def print_qualification(found: Qualification, *, file: TextIO) -> None:
    """Prints everything to `file`: as wide as the terminal (COLUMNS goes first), 100 columns without one."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    terminal = file.isatty()
    console = Console(
        file=file,
        width=None if terminal or "COLUMNS" in os.environ else _NO_TERMINAL,
        force_terminal=terminal,
        color_system="auto" if terminal else None,
        markup=False,
        highlight=False,
        emoji=False,
        legacy_windows=False,
    )

    def encodable(line: str) -> str:
        ready = plain(line)
        for symbol, ascii_ in (("–", "-"), ("✓", "+"), ("…", "...")):
            try:
                symbol.encode(console.encoding)
            except UnicodeEncodeError:
                ready = ready.replace(symbol, ascii_)
        return ready.encode(console.encoding, "replace").decode(console.encoding, "replace")

    with console.capture() as printed:
        head = f"{found.judge.name}  {short_digest(found.judge.digest)}"
        console.print(Text(encodable(f"Judge {head}"), style="bold"))
        console.print(Text(encodable(f"{found.suite}: {summary(found)}")))
        for note in found.notes:
            console.print(Text(encodable(note)))
        for r in found.criteria:
            look = _LOOK[r.standing]
            console.print()
            console.print(
                Text.assemble(
                    (encodable(f"{look.symbol} {r.criterion}"), "bold"),
                    "  ",
                    (r.standing, look.style),
                    (", critical" if r.critical else "", "dim"),
                )
            )
            for sentence in sentences(r):
                console.print(Padding(Text(encodable(sentence)), (0, 0, 0, 2)))
    # rich pads its lines with spaces
    file.write("".join(line.rstrip() + "\n" for line in printed.get().splitlines()))
    file.flush()


def render_qualification(found: Qualification, *, title: str = "A judge beside clinicians") -> str:
    """The page: complete HTML5 text, to be written as UTF-8. Any string is shown as text, whatever it holds."""
    deciding = len(found.deciding)
    every = bool(found.criteria) and deciding == len(found.criteria)
    verdict = "qualified" if every else "partly qualified" if deciding else "not qualified"
    notes = "".join(f"<li>{text(note)}</li>" for note in found.notes)
    body = [
        _header(found, title, verdict, every=every),
        section("notes", "About this evidence", f'<ul class="notes">{notes}</ul>' if notes else ""),
        section("said", "Criterion by criterion", _said(found.criteria)),
        section("numbers", "Numbers", _table(found.criteria), kind="judge"),
        _how_to_read(),
        section("from", "Provenance", facts(_provenance(found))),
    ]
    return page(
        f"{found.judge.name}: {verdict} · {title}",
        body,
        kind="open" if every else "undecided",
        style=_STYLE,
    )


def _header(found: Qualification, title: str, verdict: str, *, every: bool) -> str:
    digest = short_digest(found.judge.digest)
    return (
        f'<header>\n<p class="kicker">{text(title)}</p>\n'
        f'<p class="model">{text(found.judge.name)}'
        + (f" <code>{text(digest)}</code>" if digest else "")
        + "</p>\n"
        f'<div class="verdict">\n<h1><span aria-hidden="true">{"✓" if every else "?"}</span> {verdict}</h1>\n'
        f'<p class="lead"><strong>{text(found.suite)}.</strong> {text(summary(found))}</p>\n'
        "<p>A judge's own numbers never open the gate. Clinicians' labels of the candidate's outputs do, and a judge that "
        "decides makes them go further.</p>\n</div>\n</header>"
    )


def _said(reports: Sequence[CriterionReport]) -> str:
    return "\n".join(
        f'<div class="said"><h3>{_badge(r.standing)} <a href="#c{i}">{name(r.criterion)}</a></h3>'
        + _paragraphs(sentences(r))
        + "</div>"
        for i, r in enumerate(reports, start=1)
    )


def _paragraphs(told: Sequence[str]) -> str:
    """Agreement and standing each on a line of their own; the rest small, for who wants it."""
    head = "".join(f"<p>{text(sentence)}</p>" for sentence in told[:2])
    return head + (f'<p class="method">{text(" ".join(told[2:]))}</p>' if told[2:] else "")


def _badge(standing: Standing) -> str:
    look = _LOOK[standing]
    return f'<span class="badge s-{look.kind}">{look.symbol} {standing}</span>'


def _table(reports: Sequence[CriterionReport]) -> str:
    if not reports:
        return ""
    titles = ("Criterion", "Standing", "Faulty outputs found, and what must be", *_COLUMNS)
    head = "".join(
        f'<th scope="col" role="columnheader" class="c{i}{" n" if i > 3 else ""}">{title}</th>'
        for i, title in enumerate(titles, start=1)
    )
    rows = "\n".join(_row(r, f"c{i}") for i, r in enumerate(reports, start=1))
    return (
        '<table class="claims" role="table" aria-labelledby="numbers">\n'
        f'<thead role="rowgroup"><tr role="row">{head}</tr></thead>\n<tbody role="rowgroup">\n{rows}\n</tbody>\n</table>'
    )


def _row(r: CriterionReport, key: str) -> str:
    people = r.clinicians
    cells = (
        _counts(r.agreement),
        _two(r.kappa),
        _two(r.ac1),
        _counts(r.found),
        _counts(r.recognised),
        _two(people.judge if people else r.macro_f1),
        _two(people.human if people else None),
        _counts(r.flips),
    )
    numbers = "".join(
        f'<td role="cell" class="n" data-label="{label}">{number(cell)}</td>'
        for label, cell in zip(_COLUMNS, cells, strict=True)
    )
    critical = '<span class="method">critical</span>' if r.critical else ""
    return (
        f'<tr role="row" id="{key}"><th scope="row" role="rowheader">{name(r.criterion)}{critical}</th>'
        f'<td role="cell" class="status">{_badge(r.standing)}</td>'
        f'<td role="cell" class="picture">{interval_plot(_picture(r), key=key)}</td>{numbers}</tr>'
    )


def _counts(rate: Rate | None) -> str:
    return _of(rate) if rate and rate.of else NONE


def _picture(r: CriterionReport) -> Finding:
    """The share of faulty outputs found, as the plot draws findings; in the severity where least of it is proven."""
    rate = r.weakest
    status: FindingStatus = "inconclusive"
    if not rate.of:
        status = "insufficient"
    elif rate.low >= r.must_find:
        status = "pass"
    elif rate.high < r.must_find:
        status = "fail"
    return Finding(
        suite=r.criterion,
        test="faulty outputs found",
        status=status,
        estimate=rate.value,
        low=rate.low if rate.of else None,
        high=rate.high if rate.of else None,
        units=rate.of,
        items=rate.of,
        unscored=0,
        threshold={"min": r.must_find},
        method="Clopper-Pearson",
        alpha=0.05,
    )


def _how_to_read() -> str:
    standings = "".join(
        f'<dt class="s-{look.kind}">{look.symbol} {standing}</dt><dd>{look.meaning}</dd>'
        for standing, look in _LOOK.items()
    )
    return (
        '<section class="help" aria-labelledby="how">\n<h2 id="how">How to read this page</h2>\n'
        "<p>The judge is a language model. It answered the same questions about the same outputs as the clinicians, who saw "
        "neither its answers nor each other's. An output is <b>faulty</b> where a must-have is missing, a fault is present, "
        "or a scale stays below its middle. What counts as true of an item is the adjudicated answer; without one, the "
        "clinicians' common answer; where they differ, the one that speaks against the output.</p>\n"
        "<p><b>Kappa</b> is agreement beyond chance: 0 is chance, 1 is always. Where nearly every output is in order it can be "
        "near 0 although the raters almost always agree; <b>AC1</b> does not have that weakness, and forgives a judge that "
        "always says the same. So read both, and the faulty outputs found. <b>Recognised</b> are outputs in order that the judge "
        "calls so. <b>F1</b> is macro-F1 against single clinicians, "
        "beside that of the clinicians among each other: nobody can agree with them better than they do, but by chance.</p>\n"
        f"<dl>{standings}</dl>\n"
        f"<p>To decide, a judge needs {ITEMS_TO_DECIDE} items with two clinicians; it must be proven to find "
        f"{MUST_FIND:.0%} of the faulty outputs, {MUST_FIND_CRITICAL:.0%} where the criterion is critical; its F1 must be "
        f"proven to lie at most {MARGIN:.2f} below the clinicians'; and, asked again, to change at most {MOST_FLIPS:.0%} of its "
        f"answers. To assist, it must be proven better than chance on at least {ITEMS_TO_ASSIST} items. In the pictures the "
        "dot is what was measured, the bar what the true share may be, and the shaded side is where it has to be. Every "
        "end of an interval errs with a probability of 5 % at most: exact for shares, approximate for differences of F1.</p>\n"
        "</section>"
    )


def _provenance(found: Qualification) -> Iterable[tuple[str, str]]:
    yield from _model("judge", found.judge)
    if found.candidate is not None:
        yield from _model("candidate", found.candidate)
    yield "rubric version", text(found.version)
    yield "rubric digest", code(found.rubric)
    yield "when", text(found.when)


def _model(what: str, identity: ModelIdentity) -> Iterable[tuple[str, str]]:
    yield what, text(identity.name)
    yield f"{what} digest", code(identity.digest)
    yield f"{what} served by", text(served_by(identity.server, identity.version))
