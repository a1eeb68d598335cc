"""Explanations of error codes: the text behind `evalgate explain CODE`.

Each part of the package keeps its own file in src/evalgate/explanations/: tables [EGnnn] with `title` and `text`.
"""

from __future__ import annotations

import tomllib
from functools import cache


@cache
def _explanations() -> dict[str, tuple[str, str]]:
    from importlib.resources import files

    found: dict[str, tuple[str, str]] = {}
    folder = files("evalgate") / "explanations"
    for entry in sorted(folder.iterdir(), key=lambda e: e.name):
        if entry.name.endswith(".toml"):
            for code, table in tomllib.loads(entry.read_text(encoding="utf-8")).items():
                found[code] = (table["title"], " ".join(table["text"].split()))
    return found


def explain(code: str) -> tuple[str, str] | None:
    """Title and text of a code (`EG112`, in any case), or None for an unknown one."""
    return _explanations().get(code.strip().upper())


def known_codes() -> tuple[str, ...]:
    """All codes that have an explanation, sorted."""
    return tuple(sorted(_explanations()))
