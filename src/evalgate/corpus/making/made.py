"""What the makers of the five tasks hand over."""

from __future__ import annotations

from typing import Any

import msgspec

from evalgate.records import Record


class Made(Record, kw_only=True):
    """One made example before it is a conversation.

    `input` and `expected` have the keys and shapes of a gold item of the task; `answer` is the text of a fully right
    answer. `seeds` are the grid's choices that decided the scene, `template` names the words it was told in, `unit` is
    its member, case or document, `documents` the ids of texts it answers from, `invented` every made-up name and number.
    """

    input: str | dict[str, Any]
    expected: Any
    answer: str
    unit: str
    template: str
    seeds: dict[str, str] = msgspec.field(default_factory=dict)
    documents: tuple[str, ...] = ()
    invented: tuple[str, ...] = ()


class Spoiled(Record, kw_only=True):
    """A wrong answer to a made example, and what is wrong with it: a fault that the task's suite has to catch."""

    kind: str
    answer: str
