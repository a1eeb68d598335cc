"""The decision as one self-contained page: no script, nothing loaded from anywhere, ids and numbers only.

The reader is a release manager or a clinician: verdict first, reasons second, evidence third. Every string goes through
`_text`; nothing else writes what did not come from this package.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from evalgate.records import Decision, Evidence, Finding, FindingStatus
from evalgate.report.lock import lock_warnings
from evalgate.report.markup import code, name, number, section, small_table, text
from evalgate.report.numbers import NONE, high_text, low_text, present, value_text
from evalgate.report.page import page
from evalgate.report.plot import interval_plot
from evalgate.report.provenance import alphas, answers, how_to_verify, provenance
from evalgate.report.signatures import Signatures, signatures_section, waived_lines
from evalgate.report.trend import Earlier, Point, changes, points_of, trend_plot, trend_table
from evalgate.report.words import (
    STATUS,
    VERDICT,
    by_suite,
    headline,
    is_difference,
    next_step,
    plain,
    short_digest,
    short_method,
    tally,
    threshold_text,
)

_COLUMNS = (  # heading, and whether its cells are numbers
    ("Test", False),
    ("Status", False),
    ("Interval and threshold", False),
    ("Estimate", True),
    ("Interval", True),
    ("Threshold", True),
    ("Units", True),
    ("Items", True),
    ("Unscored", True),
    ("Needed", True),
)

_HELP: tuple[tuple[FindingStatus, str], ...] = (
    ("pass", "The whole bar is on the shaded side."),
    ("fail", "The whole bar is off the shaded side: the threshold is proven to be missed."),
    (
        "inconclusive",
        "The bar lies on both sides. More cases would tell; the column “Needed” estimates how many more units.",
    ),
    (
        "insufficient",
        "No verdict may rest on this evidence: too few cases, too many without an answer, or a judge that was not calibrated.",
    ),
)


def render_html(
    decision: Decision,
    evidence: Evidence | None = None,
    *,
    stem: str = "",
    earlier: Sequence[Earlier] = (),
    signatures: Signatures | None = None,
    title: str = "Release decision",
) -> str:
    """The page for `decision`, kept under the name `stem`. `earlier`: the decisions before it, oldest first.

    `signatures`: its certificate with what people signed about it.

    Complete HTML5 text, to be written as UTF-8. Any string is shown as text, whatever it holds; missing numbers, NaN and
    infinities are shown as a dash. Notes of the evidence stand above every number.
    """
    verdict = decision.decision
    name = decision.model.get("name", "")
    body = [
        _header(decision, title),
        section("evidence", "About this evidence", _notes(evidence, signatures)),
        section("why", "Reasons", _reasons(decision)),
        signatures_section(signatures),
        *_suites(decision, evidence),
        answers(evidence),
        _over_time(decision, evidence, earlier),
        _how_to_read(decision.findings),
        provenance(decision, evidence),
        how_to_verify(decision, evidence, stem),
    ]
    return page(f"{name}: {verdict} · {title}", body, kind=verdict)


def _header(decision: Decision, title: str) -> str:
    mark = VERDICT[decision.decision]
    digest = short_digest(decision.model.get("digest", ""))
    counts = "".join(
        f'<li class="s-{status}">{STATUS[status].symbol} {n} {status}</li>'
        for status, n in tally(decision.findings)
        if not decision.integrity  # a count of passes means nothing where the evidence was changed
    )
    return (
        f'<header>\n<p class="kicker">{text(title)}</p>\n'
        f'<p class="model">{text(decision.model.get("name", ""))}'
        + (f" <code>{text(digest)}</code>" if digest else "")
        + "</p>\n"
        f'<div class="verdict">\n<h1><span aria-hidden="true">{mark.symbol}</span> {decision.decision}</h1>\n'
        f'<p class="lead"><strong>{mark.meaning}</strong> {text(headline(decision))}</p>\n'
        f"<p>{text(next_step(decision))}</p>\n"
        + (f'<ul class="tally">{counts}</ul>\n' if counts else "")
        + "</div>\n</header>"
    )


def _notes(evidence: Evidence | None, signatures: Signatures | None) -> str:
    notes = evidence.notes if evidence else ()
    items = "\n".join(
        [
            *(f'<li class="s-fail"><b>{text(line)}</b></li>' for line in lock_warnings(evidence)),
            *(f'<li class="s-fail"><b>{text(line)}</b></li>' for line in _grade(signatures)),
            *(f"<li>{text(note)}</li>" for note in notes),
        ]
    )
    return f'<ul class="notes">\n{items}\n</ul>' if items else ""


def _grade(signatures: Signatures | None) -> Iterable[str]:
    """What stands above everything: waivers in force, and what keeps the certificate from full grade."""
    if signatures is not None:
        yield from (line for line in waived_lines(signatures) if line.startswith("WAIVED"))
        yield from signatures.notes


def _reasons(decision: Decision) -> str:
    rows = {f"{plain(f.suite)} {plain(f.test)}: ": key for key, f in _keyed(decision.findings)}
    items = "\n".join(f"<li>{_reason(reason, rows)}</li>" for reason in decision.reasons)
    return f'<ol class="reasons">\n{items}\n</ol>' if items else ""


def _reason(reason: str, rows: dict[str, str]) -> str:
    """One reason; if it is about a finding, with a link to its row."""
    line = plain(reason)
    head = max((p for p in rows if line.startswith(p)), key=len, default="")
    if not head:
        return text(line)
    told = escape(head[:-2])  # plain already; a blank name keeps its place
    return f'<a href="#{rows[head]}">{told}</a>: {text(line[len(head) :])}'


def _keyed(findings: Iterable[Finding]) -> Iterable[tuple[str, Finding]]:
    """Each finding with its id in the page, which no name can influence."""
    return ((f"f{i}", f) for i, f in enumerate(findings, start=1))


def _suites(decision: Decision, evidence: Evidence | None) -> Iterable[str]:
    """A section for each suite: its claims in groups of a kind, then the items to look at first."""
    keys = {id(f): key for key, f in _keyed(decision.findings)}
    head = "".join(
        f'<th scope="col" role="columnheader" class="c{i}{" n" if number_ else ""}">{title}</th>'
        for i, (title, number_) in enumerate(_COLUMNS, start=1)
    )
    for i, (suite, findings) in enumerate(by_suite(decision.findings).items(), start=1):
        groups = _groups(findings, evidence)
        bodies = "\n".join(
            f'<tbody role="rowgroup">\n{_group_row(title) if len(groups) > 1 else ""}'
            + "\n".join(_row(f, keys[id(f)]) for f in group)
            + "\n</tbody>"
            for title, group in groups.items()
        )
        worst = [(name(f.test), " ".join(map(code, f.worst))) for f in findings if f.worst]
        yield section(
            f"s{i}",
            suite,
            f'<table class="claims" role="table" aria-labelledby="s{i}">\n'
            f'<thead role="rowgroup"><tr role="row">{head}</tr></thead>\n{bodies}\n</table>',
            small_table("Items to look at first, worst first", ("test", "items"), worst),
            kind="suite",
        )


def _groups(findings: Sequence[Finding], evidence: Evidence | None) -> dict[str, list[Finding]]:
    """Claims about the whole, about parts, and comparisons apart: a difference read as a level would mislead."""
    baseline = evidence.baseline if evidence else None
    against = f"Difference from the baseline{f' {baseline.name}' if baseline else ''}"
    groups: dict[str, list[Finding]] = {
        "Whole gold set": [],
        "Parts of it: slices, classes, labels": [],
        against: [],
    }
    whole, parts, compared = groups.values()
    for f in findings:
        (compared if is_difference(f) else parts if "[" in f.test else whole).append(f)
    return {title: group for title, group in groups.items() if group}


def _group_row(title: str) -> str:
    return (
        f'<tr role="row" class="group"><th scope="rowgroup" role="rowheader" colspan="{len(_COLUMNS)}">'
        f"{text(title)}</th></tr>\n"
    )


def _row(f: Finding, key: str) -> str:
    bare = present(f.low) is None and present(f.high) is None
    note = f'<span class="note">{text(f.reason)}</span>' if f.reason and bare else ""
    interval = NONE if bare else f"{low_text(f.low)} to {high_text(f.high)}"
    threshold = threshold_text(f.threshold).replace(">=", "≥").replace("<=", "≤")
    cells = [
        f'<td role="cell" class="status"><span class="badge s-{f.status}">{STATUS[f.status].symbol} {f.status}</span></td>',
        f'<td role="cell" class="picture">{interval_plot(f, key=key)}</td>',
        *(
            f'<td role="cell" class="n" data-label="{label}">{number(text)}</td>'
            for (label, _), text in zip(
                _COLUMNS[3:],
                (
                    value_text(f.estimate),
                    interval,
                    threshold,
                    str(f.units),
                    str(f.items),
                    str(f.unscored),
                    NONE if f.needed is None else f"+{f.needed}",
                ),
                strict=True,
            )
        ),
    ]
    return (
        f'<tr role="row" id="{key}"><th scope="row" role="rowheader">{name(f.test)}'
        f'<span class="method">{text(short_method(f.method))}</span>{note}</th>{"".join(cells)}</tr>'
    )


def _how_to_read(findings: Sequence[Finding]) -> str:
    if not findings:
        return ""
    rows = "".join(
        f'<dt class="s-{status}">{STATUS[status].symbol} {status}</dt><dd>{text}</dd>'
        for status, text in _HELP
    )
    return (
        '<section class="help" aria-labelledby="how">\n<h2 id="how">How to read this page</h2>\n'
        "<p>Each row is one test of the model's answers. Its threshold is the one of gate.toml at the time of the check. "
        "The <b>dot</b> is what was measured on the cases of the gold set. The <b>bar</b> is the range of true values that these "
        "cases are compatible with; it speaks for the cases that the gold set's card says were sampled, and for no others. Each "
        f"end errs with a probability of {alphas(findings)} at most: proven for Clopper-Pearson, conjectured or shown by "
        "simulation for the other methods. The <b>shaded side</b> of the upright line is where the value has to be. "
        "A threshold is met only if the whole bar is there; a good dot alone decides nothing.</p>\n"
        f"<dl>{rows}</dl>\n"
        "<p>The decision is <b>open</b> only if every test passes and nothing was left out; <b>closed</b> if a threshold is "
        "proven to be missed, or a check was bypassed; <b>undecided</b> if the evidence cannot tell yet.</p>\n"
        "<p>A <b>unit</b> is one independent case, such as a member or a document: several items of one unit count as one "
        "piece of evidence. <b>Unscored</b> items never got an answer. Where <b>all</b> are required, every item was examined, "
        "so there is no range, and one wrong item fails. Names ending in <code>_vs_baseline</code> compare with the released "
        "model: above 0 is better, unless the row is about something that should be rare. The numbers below each picture "
        "say where its axis begins and ends: they differ. Lower ends are rounded down and upper ends up, so this page never "
        "looks better than the evidence.</p>\n</section>"
    )


def _over_time(decision: Decision, evidence: Evidence | None, earlier: Sequence[Earlier]) -> str:
    """One picture for each threshold that was decided about before."""
    if not earlier:
        return ""
    decisions = [*earlier, Earlier(when=evidence.decided if evidence else "now", decision=decision)]
    told = ((key, f, points_of(f, decisions)) for key, f in _keyed(decision.findings))
    cards = "\n".join(_card(key, f, points) for key, f, points in told if len(points) > 1)
    if not cards:
        return ""
    return section(
        "time",
        "Over time",
        "<p>Earlier decisions of this project under the same row of gate.toml, whichever model they were about. Decisions on "
        "the same evidence are shown once. Upright lines are intervals; the level line is the threshold of that day.</p>",
        f'<ul class="cards">\n{cards}\n</ul>',
    )


def _card(key: str, f: Finding, points: Sequence[Point]) -> str:
    said = "".join(f"<p>{text(sentence)}</p>" for sentence in changes(points))
    table = trend_table(points, f"{f.suite} {f.test}, {len(points)} decisions")
    return (
        f"<li><h3>{text(f.suite)} {name(f.test)}</h3>{trend_plot(points, key=f't{key}')}{said}"
        f"<details><summary>As a table</summary>{table}</details></li>"
    )
