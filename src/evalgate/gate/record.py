"""Keeping a decision: its JSON and its page, side by side under reports/decisions/."""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Sequence
from pathlib import Path

from evalgate.errors import InfrastructureError
from evalgate.gate.plan import version
from evalgate.records import Decision
from evalgate.report.html import render_html
from evalgate.report.json import to_json


def record(decision: Decision, root: Path, notes: Sequence[str] = ()) -> Path:
    """Writes `<time>-<model>.json` and `.html`, readable by their owner only; returns the page's path.

    Raises InfrastructureError if they cannot be written: a decision that leaves no trace is not one.
    """
    folder = root / "reports" / "decisions"
    stamp = time.strftime("%Y%m%dT%H%M%S")
    name = "".join(
        c if c.isalnum() or c in "-_." else "_" for c in decision.model.get("name", "model")
    )
    facts = [("evalgate", version()), ("decided at", time.strftime("%Y-%m-%d %H:%M:%S %z"))]
    page = (
        folder / f"{stamp}-{name or 'model'}-{secrets.token_hex(3)}.html"
    )  # two in a second stay two
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(page.with_suffix(".json"), json.dumps(to_json(decision), indent=1) + "\n")
        _write(page, render_html(decision, facts=facts, notes=notes))
    except OSError as e:
        raise InfrastructureError(
            f"found {e.strerror or e}, expected to be able to write the report. Free some space or mend the permissions.",
            where=str(folder),
            code="EG501",
        ) from None
    return page


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(
        os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
    ) as f:
        f.write(text)
    temporary.replace(path)
