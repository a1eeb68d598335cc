"""`Suite`: what a suite module declares. It touches no file; loading happens in `project`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import Any

from evalgate import digest
from evalgate.records import Entity, Sampling
from evalgate.suite.parse import parse_text, parser_id


class Suite:
    """One task's evaluation: gold set, prompt, parser, sampling, and what a fully right answer is.

    `gold` and `prompt` are paths relative to the project root. `parse` is `str -> T | None`. `correct(parsed,
    expected)` decides whether one answer is fully right (for accuracy and must_pass); by default parsed equals
    expected, entity lists compared without order or offsets. `temperature` in [0, 2], `max_tokens` >= 1.

    Raises ValueError for values outside these ranges.
    """

    def __init__(
        self,
        name: str,
        *,
        gold: str,
        prompt: str,
        parse: Callable[[str], Any] = parse_text,
        temperature: float = 0.0,
        max_tokens: int = 512,
        seed: int = 0,
        stop: Sequence[str] = (),
        correct: Callable[[Any, Any], bool] | None = None,
    ) -> None:
        if not name.isidentifier():
            raise ValueError(
                f"found suite name {name!r}, expected letters, digits and underscores."
            )
        for what, path in (("gold", gold), ("prompt", prompt)):
            if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
                raise ValueError(f"found {what} = {path!r}, expected a path inside the project.")
        if not 0 <= temperature <= 2:
            raise ValueError(f"found temperature = {temperature!r}, expected 0 to 2.")
        if isinstance(max_tokens, bool) or not isinstance(max_tokens, int) or max_tokens < 1:
            raise ValueError(
                f"found max_tokens = {max_tokens!r}, expected a whole number of at least 1."
            )
        if isinstance(stop, str):
            raise TypeError(f"found stop = {stop!r}, expected a list of strings.")
        self.name: str
        self.gold: str
        self.prompt: str
        self.parse: Callable[[str], Any]
        self.sampling: Sampling
        self.correct: Callable[[Any, Any], bool]
        vars(self).update(
            name=name,
            gold=gold,
            prompt=prompt,
            parse=parse,
            sampling=Sampling(
                temperature=float(temperature), max_tokens=max_tokens, seed=seed, stop=tuple(stop)
            ),
            correct=correct or _equal,
        )

    def __repr__(self) -> str:
        return f"<Suite {self.name}>"

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a Suite cannot be changed after it was declared, but {name} was set")

    @property
    def digest(self) -> str:
        """Identifies the declaration (not the files): the same in the controlling process and in every worker."""
        return digest.of_value(
            [self.name, self.gold, self.prompt, parser_id(self.parse), self.sampling]
        )

    def expected(self, raw: Any) -> Any:
        """A gold item's `expected` in the parser's type. Raises ValueError if the parser cannot hold it."""
        convert = getattr(self.parse, "gold", None)
        return convert(raw) if convert else raw


def _equal(parsed: Any, expected: Any) -> bool:
    if isinstance(expected, list) and expected and isinstance(expected[0], Entity):
        return _bag(parsed) == _bag(expected)
    return bool(parsed == expected)


def _bag(entities: list[Entity]) -> Counter[tuple[str, str]]:
    return Counter((e.label, " ".join(e.text.split())) for e in entities)
