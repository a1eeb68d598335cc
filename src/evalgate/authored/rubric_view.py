"""A rubric as clinicians read it: on paper, in a browser or in a terminal. Plain words, boxes to tick, no TOML.

Whatever the texts of a rubric hold, they are shown as text: no markup of theirs reaches the page.
"""

from __future__ import annotations

import base64
import hashlib
import re
from html import escape
from textwrap import fill, indent
from typing import Literal, get_args

from evalgate.authored.problems import count
from evalgate.authored.rubric import Criterion, Rubric

Format = Literal["text", "md", "html"]
FORMATS: tuple[Format, ...] = get_args(Format)

WIDTH = 100
"""Characters of a line of the text view."""
_BOX = "☐"
_SPOKEN = {
    "met": "met",
    "not_met": "not met",
    "not_applicable": "does not apply",
    "cannot_tell": "cannot tell",
}
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|#~&$])")
_STYLE = """\
:root { color-scheme: light dark; }
body { max-width: 52rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif; }
h1 { line-height: 1.2; margin-bottom: .3rem; }
h2 { font-size: 1.1rem; line-height: 1.35; margin: 0 0 .3rem; overflow-wrap: anywhere; }
article { margin: 1.5rem 0; padding: 0 0 1.2rem; border-bottom: 1px solid #8886; break-inside: avoid; }
.status { padding: .5rem .8rem; border-left: .35rem solid #a60; }
.worth { margin: .2rem 0 .6rem; font-weight: 600; }
dl { display: grid; grid-template-columns: 9rem 1fr; gap: .3rem 1rem; margin: .6rem 0; }
dt { font-weight: 600; } dd { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.boxes { display: flex; flex-wrap: wrap; gap: .3rem 1.6rem; margin: .8rem 0 0; padding: 0; list-style: none; }
footer { font-size: .85rem; overflow-wrap: anywhere; }
@media print {
  body { max-width: none; margin: 0; font-size: 10.5pt; }
  @page { margin: 18mm; }
}"""


def view(rubric: Rubric, kind: Format) -> str:
    """The rubric as plain text, Markdown, or a self-contained HTML page to be written as UTF-8 and printed."""
    return {"text": _text, "md": _markdown, "html": _html}[kind](rubric)


def _introduction(rubric: Rubric) -> str:
    return (
        f"{count(len(rubric.criteria), 'question')} about one output. An output passes with {100 * rubric.pass_mark:g} % of the "
        "points that apply to it; without a must-have, or with a critical fault, it fails whatever its points. "
        "Say only whether the statement is true of the output, never whether the output is good."
    )


def _head(rubric: Rubric) -> list[tuple[str, str]]:
    facts = [
        ("Task", rubric.task),
        ("Version", rubric.version),
        ("Status", rubric.status),
        ("Written for", rubric.reader),
        ("Owner", rubric.owner),
        ("To be signed by", ", ".join(rubric.sign_off)),
        ("Shown beside", ", ".join(rubric.show)),
    ]
    return [(name, text) for name, text in facts if text]


def _worth(criterion: Criterion) -> str:
    """What the answer does to the score, without a sign."""
    points = f"{abs(criterion.points):g} point{'' if abs(criterion.points) == 1 else 's'}"
    if criterion.kind == "scale":
        return f"Scale from 1 to 5. Step 5 {'takes' if criterion.fault else 'gives'} {points}, step 1 none."
    if criterion.fault:
        return f"Fault. Takes {points}{' and fails the output' if criterion.critical else ''}."
    must = " Must-have: the output fails without it." if criterion.critical else ""
    return f"Gives {points}.{must}"


def _facts(criterion: Criterion) -> list[tuple[str, str]]:
    facts = [("Asked only if", criterion.applies_when)]
    facts += [("Met", criterion.met), ("Not met", criterion.not_met)]
    facts += [(str(step), anchor) for step, anchor in enumerate(criterion.anchors, 1)]
    if criterion.evidence == "quote":
        facts.append(("Proof", "Who says met copies the words that show it."))
    for example in criterion.examples:
        why = f" — {example.why}" if example.why else ""
        answer = _SPOKEN.get(example.answer, example.answer)
        facts.append((f"Example: {answer}", f"“{example.text}”{why}"))
    by = f"code ({criterion.check})" if criterion.by_code else " or ".join(criterion.judged_by)
    facts.append(("Answered by", by))
    return [(name, text) for name, text in facts if text]


def _boxes(criterion: Criterion) -> list[str]:
    """The answers to tick; none for what code answers."""
    if criterion.by_code:
        return []
    return [_SPOKEN.get(answer, answer) for answer in criterion.answers]


def _numbered(rubric: Rubric) -> list[tuple[str, Criterion]]:
    return [(f"{n}. {c.ask}", c) for n, c in enumerate(rubric.criteria, 1)]


def _text(rubric: Rubric) -> str:
    lines = [rubric.title, "=" * min(WIDTH, len(rubric.title)), ""]
    lines += [
        fill(f"{name}: {text}", WIDTH, subsequent_indent="  ") for name, text in _head(rubric)
    ]
    lines += ["", fill(_introduction(rubric), WIDTH), ""]
    for ask, criterion in _numbered(rubric):
        lines += [fill(ask, WIDTH, subsequent_indent="   "), f"   {_name(criterion)}", f"   {_worth(criterion)}"]  # fmt: skip
        for name, text in _facts(criterion):
            lines.append(indent(fill(f"{name}: {text}", WIDTH - 3, subsequent_indent="  "), "   "))
        if boxes := _boxes(criterion):
            lines.append("   " + "   ".join(f"{_BOX} {answer}" for answer in boxes))
        lines.append("")
    return "\n".join([*lines, f"{rubric.id} {rubric.version}, {rubric.digest}", ""])


def _name(criterion: Criterion) -> str:
    return f"({criterion.id}{', ' + criterion.axis if criterion.axis else ''})"


def _markdown(rubric: Rubric) -> str:
    lines = [f"# {_plain(rubric.title)}", ""]
    lines += [f"- **{name}:** {_plain(text)}" for name, text in _head(rubric)]
    lines += ["", _introduction(rubric), ""]
    for ask, criterion in _numbered(rubric):
        lines += [
            f"## {_plain(ask)}",
            "",
            f"{_plain(_name(criterion))} **{_worth(criterion)}**",
            "",
        ]
        lines += [f"- **{name}:** {_plain(text)}" for name, text in _facts(criterion)]
        if boxes := _boxes(criterion):
            lines += ["", " &nbsp; ".join(f"{_BOX} {answer}" for answer in boxes)]
        lines.append("")
    return "\n".join([*lines, f"{rubric.id} {rubric.version}, {rubric.digest}", ""])


def _plain(text: str) -> str:
    """`text` as one line that Markdown does not interpret."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def _html(rubric: Rubric) -> str:
    hashed = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{hashed}'; base-uri 'none'; form-action 'none'"
    articles = [
        f'<article id="{escape(criterion.id)}">\n<h2>{escape(ask)}</h2>\n'
        f'<p class="worth">{escape(_worth(criterion))} <small>{escape(_name(criterion))}</small></p>\n'
        f"{_list(_facts(criterion))}{_tick(criterion)}\n</article>"
        for ask, criterion in _numbered(rubric)
    ]
    status = f'<p class="status">{escape(rubric.status)}</p>\n' if rubric.status else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(rubric.title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{escape(rubric.title)}</h1>\n{status}"
        f"{_list([pair for pair in _head(rubric) if pair[0] != 'Status'])}\n"
        f"<p>{escape(_introduction(rubric))}</p>\n"
        + "\n".join(articles)
        + f"\n</main>\n<footer>{escape(rubric.id)} {escape(rubric.version)}, {escape(rubric.digest)}</footer>\n</body>\n</html>\n"
    )


def _list(facts: list[tuple[str, str]]) -> str:
    rows = "\n".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in facts)
    return f"<dl>\n{rows}\n</dl>"


def _tick(criterion: Criterion) -> str:
    boxes = "".join(f"<li>{_BOX} {escape(answer)}</li>" for answer in _boxes(criterion))
    return f'\n<ul class="boxes">{boxes}</ul>' if boxes else ""
