"""Every code that this room raises is explained, and every explanation belongs to a code."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "evalgate"


def test_codes_and_explanations_agree():
    explained = tomllib.loads((SOURCE / "explanations" / "models.toml").read_text(encoding="utf-8"))
    raised = set()
    for path in (*(SOURCE / "models").glob("*.py"), SOURCE / "digest.py"):
        raised |= set(re.findall(r"\"(EG\d{3})\"", path.read_text(encoding="utf-8")))
    assert raised == set(explained)
    for code, entry in explained.items():
        assert entry.keys() == {"title", "text"}, code
        assert len(entry["text"].split()) > 20, code
