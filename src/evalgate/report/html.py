"""The decision as one self-contained page: no script, nothing loaded from anywhere, ids and numbers only.

The reader is a release manager or a clinician: verdict first, reasons second, evidence third. Every string goes through
`_text`; nothing else writes what did not come from this package.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from functools import cache
from html import escape
from importlib import metadata, resources

from evalgate.records import Decision, Finding, FindingStatus
from evalgate.report.numbers import NONE, exact_text, high_text, low_text, present, value_text
from evalgate.report.plot import interval_plot
from evalgate.report.words import (
    METHODS,
    STATUS,
    VERDICT,
    by_suite,
    headline,
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
    *,
    title: str = "Release decision",
    facts: Sequence[tuple[str, str]] = (),
    notes: Sequence[str] = (),
) -> str:
    """The page for `decision`. `facts` are further (name, value) rows of its provenance.

    `notes` are what a reader must know about the evidence; they stand above every number.

    Complete HTML5 text, to be written as UTF-8. Any string of the decision is shown as text, whatever it holds; missing
    numbers, NaN and infinities are shown as a dash.
    """
    style = _style()
    verdict = decision.decision
    name = decision.model.get("name", "")
    body = [
        _header(decision, title),
        _notes(notes),
        _reasons(decision),
        *_suites(decision.findings),
        _how_to_read(decision.findings),
        _provenance(decision, facts),
        "<footer>This page holds ids and numbers only, no clinical text, and loads nothing from anywhere.</footer>",
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(style)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{_text(f'{name}: {verdict}')} · {_text(title)}</title>\n"
        f"<style>{style}</style>\n</head>\n"
        f'<body class="{verdict}">\n<main>\n'
        + "\n".join(filter(None, body))
        + "\n</main>\n</body>\n</html>\n"
    )


@cache
def _style() -> str:
    return resources.files(__package__).joinpath("page.css").read_text(encoding="utf-8")


def _policy(style: str) -> str:
    """Nothing may be loaded or run; the page's own style is allowed by its digest."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _text(value: object) -> str:
    return escape(plain(value))


def _number(text: str) -> str:
    """A ready number with the sign that people read."""
    return escape(text.replace("-", "−"))


def _header(decision: Decision, title: str) -> str:
    mark = VERDICT[decision.decision]
    digest = short_digest(decision.model.get("digest", ""))
    counts = "".join(
        f'<li class="s-{status}">{STATUS[status].symbol} {n} {status}</li>'
        for status, n in tally(decision.findings)
        if not decision.integrity  # a count of passes means nothing where the evidence was changed
    )
    return (
        f'<header>\n<p class="kicker">{_text(title)}</p>\n'
        f'<p class="model">{_text(decision.model.get("name", ""))}'
        + (f" <code>{_text(digest)}</code>" if digest else "")
        + "</p>\n"
        f'<div class="verdict">\n<h1><span aria-hidden="true">{mark.symbol}</span> {decision.decision}</h1>\n'
        f'<p class="lead"><strong>{mark.meaning}</strong> {_text(headline(decision))}</p>\n'
        f"<p>{_text(next_step(decision))}</p>\n"
        + (f'<ul class="tally">{counts}</ul>\n' if counts else "")
        + "</div>\n</header>"
    )


def _notes(notes: Sequence[str]) -> str:
    if not notes:
        return ""
    items = "\n".join(f"<li>{_text(note)}</li>" for note in notes)
    return f'<section aria-labelledby="evidence">\n<h2 id="evidence">About this evidence</h2>\n<ul class="notes">\n{items}\n</ul>\n</section>'


def _reasons(decision: Decision) -> str:
    if not decision.reasons:
        return ""
    rows = {f"{plain(f.suite)} {plain(f.test)}: ": key for key, f in _keyed(decision.findings)}
    items = "\n".join(f"<li>{_reason(reason, rows)}</li>" for reason in decision.reasons)
    return f'<section aria-labelledby="why">\n<h2 id="why">Reasons</h2>\n<ol class="reasons">\n{items}\n</ol>\n</section>'


def _reason(reason: str, rows: dict[str, str]) -> str:
    """One reason; if it is about a finding, with a link to its row."""
    line = plain(reason)
    head = max((p for p in rows if line.startswith(p)), key=len, default="")
    if not head:
        return _text(line)
    return f'<a href="#{rows[head]}">{_text(head[:-2])}</a>: {_text(line[len(head) :])}'


def _keyed(findings: Iterable[Finding]) -> Iterable[tuple[str, Finding]]:
    """Each finding with its id in the page, which no name can influence."""
    return ((f"f{i}", f) for i, f in enumerate(findings, start=1))


def _suites(findings: Sequence[Finding]) -> Iterable[str]:
    keys = {id(f): key for key, f in _keyed(findings)}
    head = "".join(
        f'<th scope="col" role="columnheader" class="c{i}{" n" if number else ""}">{title}</th>'
        for i, (title, number) in enumerate(_COLUMNS, start=1)
    )
    for i, (suite, group) in enumerate(by_suite(findings).items(), start=1):
        rows = "\n".join(_row(f, keys[id(f)]) for f in group)
        yield (
            f'<section class="suite" aria-labelledby="s{i}">\n<h2 id="s{i}">{_text(suite)}</h2>\n'
            f'<table role="table" aria-labelledby="s{i}">\n'
            f'<thead role="rowgroup"><tr role="row">{head}</tr></thead>\n'
            f'<tbody role="rowgroup">\n{rows}\n</tbody>\n</table>\n</section>'
        )


def _row(f: Finding, key: str) -> str:
    bare = present(f.low) is None and present(f.high) is None
    note = f'<span class="note">{_text(f.reason)}</span>' if f.reason and bare else ""
    interval = NONE if bare else f"{low_text(f.low)} to {high_text(f.high)}"
    threshold = threshold_text(f.threshold).replace(">=", "≥").replace("<=", "≤")
    cells = [
        f'<td role="cell" class="status"><span class="badge s-{f.status}">{STATUS[f.status].symbol} {f.status}</span></td>',
        f'<td role="cell" class="picture">{interval_plot(f, key=key)}</td>',
        *(
            f'<td role="cell" class="n" data-label="{label}">{_number(text)}</td>'
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
    name = _text(f.test).replace("_", "_<wbr>").replace("[", "<wbr>[")
    return (
        f'<tr role="row" id="{key}"><th scope="row" role="rowheader">{name}'
        f'<span class="method">{_text(short_method(f.method))}</span>{note}</th>{"".join(cells)}</tr>'
    )


def _how_to_read(findings: Sequence[Finding]) -> str:
    if not findings:
        return ""
    alphas = _alphas(findings)
    rows = "".join(
        f'<dt class="s-{status}">{STATUS[status].symbol} {status}</dt><dd>{text}</dd>'
        for status, text in _HELP
    )
    return (
        '<section class="help" aria-labelledby="how">\n<h2 id="how">How to read this page</h2>\n'
        "<p>Each row is one test of the model's answers. Its threshold is the one of gate.toml at the time of the check. "
        "The <b>dot</b> is what was measured on the cases of the gold set. The <b>bar</b> is the range of true values that these "
        "cases are compatible with; it speaks for the cases that the gold set's card says were sampled, and for no others. Each "
        f"end errs with a probability of {_text(alphas)} at most: proven for Clopper-Pearson, conjectured or shown by "
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


def _alphas(findings: Iterable[Finding]) -> str:
    return ", ".join(dict.fromkeys(exact_text(f.alpha) for f in findings))


def _provenance(decision: Decision, facts: Sequence[tuple[str, str]]) -> str:
    methods = dict.fromkeys(f.method for f in decision.findings)
    rows: list[tuple[str, str]] = [
        ("model", decision.model.get("name", "")),
        ("model digest", decision.model.get("digest", "") or "none: the model was not examined"),
        ("plan digest", decision.plan or "none: no plan was made"),
        ("exit code", str(decision.exit)),
        ("attempt", "" if decision.attempt is None else str(decision.attempt)),
        ("certificate", decision.certificate or "none: this decision is not signed"),
        ("alpha, one-sided", _alphas(decision.findings)),
        *((f"method: {m}", METHODS[m].note if m in METHODS else NONE) for m in methods),
        *((name, value) for name, value in facts),
    ]
    if not any(name == "evalgate" for name, _ in facts):
        rows.append(("page made by evalgate", _version()))
    listed = "\n".join(
        f"<div><dt>{_text(name)}</dt><dd>{_text(value)}</dd></div>" for name, value in rows if value
    )
    return (
        '<section class="provenance" aria-labelledby="from">\n<h2 id="from">Provenance</h2>\n'
        f"<dl>\n{listed}\n</dl>\n</section>"
    )


def _version() -> str:
    try:
        return metadata.version("evalgate-release")
    except metadata.PackageNotFoundError:  # run from a source tree
        return ""
