"""What of a made row is known to be invented: its scene is made again, and what that says is nobody's.

A row's own word for it counts for nothing: whoever writes a row can write that a template made it, or that a name in it is
invented. Only what the makers of this version make again, from the row's number and seed, is taken out before it is scanned.
"""

from __future__ import annotations

from collections.abc import Iterable

from evalgate.authored.prompt import as_text
from evalgate.corpus.example import Example
from evalgate.corpus.synthesis import remade


def known_of(example: Example) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(texts of the row's scene, longest first; the invented names and numbers in it), both empty where nothing is known."""
    made = remade(example)
    if made is None:
        return (), ()
    given = (made.input,) if isinstance(made.input, str) else tuple(made.input.values())
    texts = {made.answer, *map(as_text, given)} - {""}
    return tuple(sorted(texts, key=len, reverse=True)), made.invented


class Rest:
    """A text without the first place of each known text; knows where each character stood."""

    def __init__(self, text: str, known: Iterable[str]) -> None:
        taken: list[tuple[int, int]] = []
        for one in known:
            at = text.find(one)
            if at >= 0 and all(at + len(one) <= start or end <= at for start, end in taken):
                taken.append((at, at + len(one)))
        parts, self._pieces, last, length = [], [], 0, 0
        for start, end in [*sorted(taken), (len(text), len(text))]:
            self._pieces.append((length, last))
            parts.append(text[last:start])
            length += start - last + 1  # a line end where something was taken out
            last = end
        self.text = "\n".join(parts)

    def place(self, at: int) -> int:
        """Where the character `at` of the rest stood."""
        start, stood = next(piece for piece in reversed(self._pieces) if piece[0] <= at)
        return stood + at - start
