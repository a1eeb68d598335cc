"""Licence texts: the same words in another wrapping are the same text, and any other word makes another one."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import Final

from evalgate import digest

LARGEST: Final = 1 << 20  # bytes; the longest licence in use has a tenth of it

_HOLDER = re.compile(
    r"^[\s#/*;>-]*copyright\s+(?:\(c\)|©)?\s*(?:\d{4}|[\[<]y)[^\n]*$", re.IGNORECASE | re.MULTILINE
)
_MARKS = re.compile(r"[*_#>`\\]+")
_QUOTES = str.maketrans({"“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "–": "-", "—": "-"})
_NAMES = re.compile(r"(?:licen[cs]e|copying|terms)(?:[-_.][\w.-]*)?", re.IGNORECASE | re.ASCII)


def normalised(text: str) -> str:
    """The words of a licence: no line breaks, marks of Markdown, kinds of quotes, case, or lines that name a holder."""
    text = unicodedata.normalize("NFKC", text).translate(_QUOTES)
    return " ".join(_MARKS.sub("", _HOLDER.sub("", text)).split()).casefold()


def text_digest(text: str) -> str:
    """`sha256:` of the normalised text: what a licence record names its texts by."""
    return digest.of_bytes(normalised(text).encode())


def quotes(text: str, clause: str) -> bool:
    """Whether a clause stands in the text, word for word."""
    return normalised(clause) in normalised(text)


def texts_beside(artifact: Path) -> list[Path]:
    """The files of licences that lie with a model: in its directory, or beside a single file under that file's name.

    `models/x.gguf` has `models/x.LICENSE` or `models/x.gguf.LICENSE`: one directory holds many models. A NOTICE is none.
    """
    if artifact.is_dir():
        return [p for p in sorted(artifact.iterdir()) if _NAMES.fullmatch(p.name) and p.is_file()]
    stems = (artifact.name, artifact.stem)
    names = (f"{stem}.{word}{end}" for stem in stems for word in _WORDS for end in _ENDS)
    return [p for p in map(artifact.with_name, dict.fromkeys(names)) if p.is_file()]


_WORDS: Final = ("LICENSE", "LICENCE")
_ENDS: Final = ("", ".md", ".txt")


def read_text(path: Path) -> str | None:
    """The text of a licence file; None if it is none (larger than a MiB, no UTF-8). Raises OSError."""
    if path.stat().st_size > LARGEST:
        return None
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
