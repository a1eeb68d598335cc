"""Prompts: Markdown files with `{{placeholders}}`, rendered to chat messages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

import msgspec

from evalgate import digest
from evalgate.authored.problems import Problems, decode_text, listing, read_bytes, relative
from evalgate.records import Message, Record

Role = Literal["system", "user", "assistant"]
ROLES: tuple[Role, ...] = ("system", "user", "assistant")

_COMMENT = re.compile(r"\s*<!--[\s\S]*?-->")
_OPEN_COMMENT = re.compile(r"\s*<!--")
_HEADING = re.compile(r"^## (system|user|assistant)[ \t]*$", re.MULTILINE)
_LIKE_HEADING = re.compile(
    r"^##[ \t]*(system|user|assistant)[ \t]*:?[ \t]*$", re.MULTILINE | re.IGNORECASE
)
_PLACEHOLDER = re.compile(r"\{\{[ \t]*([A-Za-z_][A-Za-z0-9_-]*)[ \t]*\}\}")
_LIKE_PLACEHOLDER = re.compile(r"\{\{([^{}\n]*)\}\}")


class Turn(Record, kw_only=True):
    """One message of a prompt: role and text cut at its placeholders (text, name, text, name, ..., text)."""

    role: Role
    parts: tuple[str, ...]


class Prompt(Record, kw_only=True):
    """A prompt file: its digest (of the exact bytes), turns, and the names of its placeholders, sorted."""

    path: str
    digest: str
    turns: tuple[Turn, ...]
    placeholders: tuple[str, ...]

    def render(self, given: str | dict[str, Any]) -> list[Message]:
        """The messages for one item's input: a str fills `{{input}}`, a dict fills its keys.

        Everything is filled in one pass, so that a text containing `{{name}}` pulls nothing in. Values that are not text
        are written as JSON. Raises ValueError for a placeholder that the input lacks; the message shows keys, never values.
        """
        known = {"input": given} if isinstance(given, str) else given
        missing = [name for name in self.placeholders if name not in known]
        if missing:
            raise ValueError(
                f"{self.path}: EG172 found the placeholder {{{{{missing[0]}}}}}, expected one of the input's keys ({listing(known)}). Correct the prompt or the gold set."
            )
        return [
            {"role": turn.role, "content": "".join(_filled(turn.parts, known))}
            for turn in self.turns
        ]


def _filled(parts: tuple[str, ...], known: dict[str, Any]) -> list[str]:
    return [as_text(known[part]) if i % 2 else part for i, part in enumerate(parts)]


def as_text(value: Any) -> str:
    """A value of an item's input as models see it: texts as they are, everything else as JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def load_prompt(path: Path, root: Path, problems: Problems) -> Prompt | None:
    """The prompt, or None after noting every problem of the file (EG101, EG102, EG170 to EG174).

    Comments (`<!-- -->`) at the very top are dropped. Lines that are exactly `## system`, `## user` or `## assistant` begin
    a message; without any, the whole file is one user message. Space around a message is removed.
    """
    name = relative(path, root)
    data = read_bytes(path, name, problems)
    text = None if data is None else decode_text(data, name, problems)
    if data is None or text is None:
        return None
    reader = _Reader(text, name, problems)
    before = len(problems)
    turns = reader.turns()
    if len(problems) > before:
        return None
    names = {part for turn in turns for part in turn.parts[1::2]}
    return Prompt(
        path=name,
        digest=digest.of_bytes(data),
        turns=tuple(turns),
        placeholders=tuple(sorted(names)),
    )


class _Reader:
    """Cuts one prompt text into turns and notes what is wrong at its line and column."""

    def __init__(self, text: str, name: str, problems: Problems) -> None:
        self.text = text
        self.name = name
        self.problems = problems

    def add(self, code: str, message: str, offset: int) -> None:
        line = self.text.count("\n", 0, offset) + 1
        column = offset - (self.text.rfind("\n", 0, offset) + 1) + 1
        self.problems.add(self.name, code, message, line=line, column=column)

    def turns(self) -> list[Turn]:
        start = self._after_comments()
        if start is None:
            return []
        headings = list(_HEADING.finditer(self.text, start))
        self._check_spelling(start, {h.start() for h in headings})
        self._check_placeholders(start)
        if not headings:
            body = self.text[start:].strip()
            if not body:
                self.add(
                    "EG170", "found no text, expected a prompt. Write what to ask.", len(self.text)
                )
            return [_turn("user", body)]
        if self.text[start : headings[0].start()].strip():
            message = f"found text before `{headings[0][0].strip()}`, expected none: it belongs to no message. Move it below a heading or into a comment."
            self.add("EG171", message, start + _leading(self.text[start:]))
        ends = [h.start() for h in headings[1:]] + [len(self.text)]
        turns = []
        for heading, end in zip(headings, ends, strict=True):
            body = self.text[heading.end() : end].strip()
            if not body:
                message = f"found nothing below `{heading[0].strip()}`, expected text. Fill it in or remove the heading."
                self.add("EG170", message, heading.start())
            turns.append(_turn(_role(heading[1]), body))
        self._check_order(turns, [h.start() for h in headings])
        return turns

    def _after_comments(self) -> int | None:
        """Offset of the first character after the comments at the top; None if one is never closed."""
        start = 0
        while found := _COMMENT.match(self.text, start):
            start = found.end()
        if _OPEN_COMMENT.match(self.text, start):
            message = "found a comment that is never closed, expected `-->`. Close it."
            self.add("EG174", message, start + _leading(self.text[start:]))
            return None
        return start

    def _check_spelling(self, start: int, exact: set[int]) -> None:
        for found in _LIKE_HEADING.finditer(self.text, start):
            if found.start() not in exact:
                message = f"found `{found[0].strip()}`, expected `## {found[1].lower()}` exactly. Correct it, or word the heading differently if it is part of the message."
                self.add("EG171", message, found.start())

    def _check_placeholders(self, start: int) -> None:
        found = list(_LIKE_PLACEHOLDER.finditer(self.text, start))
        for place in found:
            if not _PLACEHOLDER.fullmatch(place[0]):
                message = "found {{ }} around something that is no name, expected a key of the input such as {{narrative}}. Correct it, or put a space between the braces if they are meant."
                self.add("EG173", message, place.start())
        if not found and self.text[start:].strip():
            message = "found no placeholder, expected at least one such as {{input}}: every item would be asked the same. Add it where the item's text belongs."
            self.add("EG173", message, start + _leading(self.text[start:]))

    def _check_order(self, turns: list[Turn], offsets: list[int]) -> None:
        expected: tuple[str, ...] = ("system", "user")
        for turn, offset in zip(turns, offsets, strict=True):
            if turn.role not in expected:
                message = f"found `## {turn.role}`, expected `## {expected[-1]}` here: at most one system message, first, then user and assistant in turns. Reorder them."
                self.add("EG171", message, offset)
            expected = ("assistant",) if turn.role == "user" else ("user",)
        if turns[-1].role != "user":
            message = f"found `## {turns[-1].role}` as the last message, expected `## user`: the model answers it. Add one."
            self.add("EG171", message, offsets[-1])


def _turn(role: Role, body: str) -> Turn:
    return Turn(role=role, parts=tuple(_PLACEHOLDER.split(body)))


def _role(text: str) -> Role:
    return next(role for role in ROLES if role == text)


def _leading(text: str) -> int:
    """Number of characters of space at the start of `text`."""
    return len(text) - len(text.lstrip())
