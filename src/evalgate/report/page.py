"""The shell of a self-contained page: its style inside, and a policy under which nothing is loaded and nothing runs."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from functools import cache
from importlib import resources

from evalgate.report.markup import text


def page(title: str, body: Iterable[str], *, kind: str, style: str = "") -> str:
    """Complete HTML5 text. `title` is text, `body` markup (empty parts are left out), `kind` the class of the whole.

    `style` is added to that of every page.
    """
    rules = _style() + style
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(rules)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{text(title)}</title>\n"
        f"<style>{rules}</style>\n</head>\n"
        f'<body class="{kind}">\n<main>\n'
        + "\n".join(filter(None, body))
        + "\n</main>\n<footer>This page holds ids and numbers only, no clinical text, and loads nothing from anywhere.</footer>\n"
        "</body>\n</html>\n"
    )


@cache
def _style() -> str:
    return resources.files(__package__).joinpath("page.css").read_text(encoding="utf-8")


def _policy(style: str) -> str:
    """Nothing may be loaded or run; the page's own style is allowed by its digest."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
