"""Some rows of a corpus for people to read: chosen by a seed, as a page or as Markdown that loads and runs nothing."""

from __future__ import annotations

import base64
import hashlib
import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Final

from evalgate.corpus.example import Example
from evalgate.corpus.files import load_manifest, rows
from evalgate.digest import canonical

_STYLE: Final = (
    ":root{color-scheme:light dark}"
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:2rem 1.5rem}"
    "article{border-top:1px solid #8888;margin-top:2rem}h2{font-size:1.05rem;overflow-wrap:anywhere}"
    "pre{white-space:pre-wrap;overflow-wrap:anywhere;font:inherit;border-left:.25rem solid #8888;padding-left:1rem;margin:.2rem 0 .8rem}"
    "h3{font-size:.85rem;margin:0}dl{font-size:.85rem}dt{float:left;clear:left;width:8rem}dd{margin:0 0 0 8rem;overflow-wrap:anywhere}"
)
_NOTE: Final = "This page holds the full text of rows. Treat it as you treat the data."


def chosen(corpus: Path, number: int, seed: int) -> list[Example]:
    """So many rows of a corpus, as equally over its tasks as they reach, in the order of the corpus; all if it has fewer.

    Equal seeds choose equal rows. Raises as `files.rows` and `files.load_manifest`.
    """
    tasks = {task: found.rows for task, found in load_manifest(corpus).tasks.items()}
    wanted = {
        task: frozenset(random.Random(f"{seed}/{task}").sample(range(tasks[task]), share))
        for task, share in _shares(tasks, number).items()
    }
    seen = dict.fromkeys(tasks, 0)
    taken = []
    for row in rows(corpus, strict=True):
        if seen[row.task] in wanted[row.task]:
            taken.append(row)
        seen[row.task] += 1
    return taken


def _shares(tasks: Mapping[str, int], number: int) -> dict[str, int]:
    """How many rows of each task: the smallest first, and what it lacks goes to the others."""
    shares = {}
    for place, task in enumerate(sorted(tasks, key=lambda t: (tasks[t], t))):
        shares[task] = min(tasks[task], -(-number // (len(tasks) - place)))
        number -= shares[task]
    return shares


def page(examples: Iterable[Example], title: str) -> str:
    """A self-contained HTML page of these rows; nothing that a row says can become markup."""
    policy = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    heading = _html(title)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{policy}'; "
        "base-uri 'none'; form-action 'none'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{heading}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{heading}</h1>\n<p>{_NOTE}</p>\n"
        + "".join(map(_article, examples))
        + "</main>\n</body>\n</html>\n"
    )


def _article(example: Example) -> str:
    facts = "".join(f"<dt>{name}</dt><dd>{_html(value)}</dd>\n" for name, value in _facts(example))
    turns = "".join(
        f'<h3>{_html(m["role"])}</h3>\n<pre dir="auto">{_html(m["content"])}</pre>\n'
        for m in example.messages
    )
    return f"<article>\n<h2>{_html(example.id)}</h2>\n<dl>\n{facts}</dl>\n{turns}</article>\n"


def markdown(examples: Iterable[Example], title: str) -> str:
    """The same as Markdown: texts stand in fences that they cannot close."""
    return f"# {_inline(title)}\n\n{_NOTE}\n" + "".join(map(_chapter, examples))


def _chapter(example: Example) -> str:
    facts = "".join(f"- {name}: {_inline(value)}\n" for name, value in _facts(example))
    turns = "".join(f"\n**{m['role']}**\n\n{_fenced(m['content'])}" for m in example.messages)
    return f"\n## {_inline(example.id)}\n\n{facts}{turns}"


def _facts(example: Example) -> Iterator[tuple[str, str]]:
    """What there is to say of a row besides its messages."""
    made = example.made_by
    listed: Sequence[tuple[str, str]] = (
        ("task", example.task),
        ("unit", example.unit),
        ("source", example.source),
        ("terms", example.terms),
        ("parents", ", ".join(example.parents)),
        ("template", made.template if made else ""),
        ("seed", str(made.seed) if made else ""),
        ("choices", ", ".join(f"{k}: {v}" for k, v in sorted(made.seeds.items())) if made else ""),
        ("model", made.model if made else ""),
        ("documents", ", ".join(example.documents)),
        ("checks", ", ".join(sorted(example.checks))),
        ("expected", "" if example.expected is None else canonical(example.expected).decode()),
    )
    return ((name, value) for name, value in listed if value)


def _plain(value: str) -> str:
    """Text without characters that a reader cannot see, which could turn it round; joiners of scripts stay."""
    return "".join(c if c.isprintable() or c in "\n\t\u200c\u200d" else "\ufffd" for c in value)


def _html(value: str) -> str:
    return escape(_plain(value))


def _inline(value: str) -> str:
    return "`" + " ".join(_plain(value).replace("`", "'").split()) + "`"


def _fenced(value: str) -> str:
    longest = max((len(run) for run in re.findall("`+", value)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{_plain(value)}\n{fence}\n"
