"""The record of one training example: a conversation, and everything that says where it comes from."""

from __future__ import annotations

from typing import Any

import msgspec

from evalgate.records import Message, Record


class MadeBy(Record, kw_only=True):
    """What generated an example. Equal values give an equal example again.

    `template` is `NAME@DIGEST` of the template; `seeds` names the grid's choices, `seed` is the number they were drawn
    with; `model` is the digest of the model that wrote or rewrote it, empty where templates alone did, and `prompt` the
    digest of the prompt that it got.
    """

    template: str
    seed: int
    seeds: dict[str, str] = msgspec.field(default_factory=dict)
    model: str = ""
    prompt: str = ""


class Example(Record, kw_only=True):
    """One training example, one line of a corpus.

    `messages` end with what the assistant is to learn. `unit` is the independent sampling unit (member, case, document):
    no unit feeds training and gold. An example is generated (`made_by`), or comes from a `source` (a vendor or a
    department, named in its terms), or is derived from the examples whose ids `parents` lists; descendants inherit the
    terms of all of them. `terms` is the id of a file in `terms/`, empty where nobody said. `documents` are the texts it
    quotes or answers from (plan, policy or chart ids). `checks` maps each check that it passed to that check's digest.
    `input` and `expected` are those of a gold item where they are known, so that the suites can be tried on it;
    `invented` are the names and numbers in it that were made up, by its own word: a scan for people makes the scene again.
    """

    id: str
    task: str
    messages: tuple[Message, ...]
    unit: str = ""
    parents: tuple[str, ...] = ()
    made_by: MadeBy | None = None
    source: str = ""
    terms: str = ""
    documents: tuple[str, ...] = ()
    checks: dict[str, str] = msgspec.field(default_factory=dict)
    input: str | dict[str, Any] | None = None
    expected: Any = None
    invented: tuple[str, ...] = ()

    def __repr__(self) -> str:  # what an example says never reaches a log
        return f"<Example {self.id}>"

    @property
    def text(self) -> str:
        """The contents of all messages, a line between them."""
        return "\n".join(message["content"] for message in self.messages)


encode = msgspec.json.Encoder(order="deterministic").encode
"""The bytes of one example, without a line end: equal examples give equal bytes."""

decode = msgspec.json.Decoder(Example).decode
"""An example of the bytes of one line. Raises msgspec.DecodeError (ValidationError for a wrong shape)."""
