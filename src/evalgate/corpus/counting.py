"""How many tokens an answer has: by a model's own tokenizer, where one lies here, else in words between spaces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from evalgate import digest
from evalgate.errors import UsageError

WORDS = "words between spaces"


class Counter(NamedTuple):
    """`counted`: the tokens of each text, without special ones. `how`: whose tokens, for people; `digest`: of what says so."""

    counted: Callable[[Sequence[str]], list[int]]
    how: str
    digest: str


@contextmanager
def counter(artifact: Path | None, root: Path) -> Iterator[Counter]:
    """The counter of a .gguf file or a directory with tokenizer.json; of words without either. It ends with the block.

    Raises UsageError (EG832: no tokenizer there, or what runs it is not installed), and what `models.serve` raises.
    """
    if artifact is None:
        yield Counter(lambda texts: [len(text.split()) for text in texts], WORDS, "")
    elif (artifact / "tokenizer.json").is_file():
        yield _of_directory(artifact / "tokenizer.json")
    elif artifact.is_file() and artifact.suffix == ".gguf":
        with _of_gguf(artifact, root) as found:
            yield found
    else:
        raise _unusable(artifact, "no tokenizer", "a .gguf file or a directory with tokenizer.json. Correct --tokenizer")  # fmt: skip


def _of_directory(file: Path) -> Counter:
    try:
        from tokenizers import Tokenizer  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        raise _unusable(file, "no package `tokenizers`", "the extra `transformers`. Install it, or name a .gguf file") from None  # fmt: skip
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises Exception itself
        raise _unusable(file, f"a tokenizer that cannot be read ({type(error).__name__})", "the model's own. Get the file again") from None  # fmt: skip

    def count(texts: Sequence[str]) -> list[int]:
        return [len(found.ids) for found in tokenizer.encode_batch(list(texts), add_special_tokens=False)]  # fmt: skip

    return Counter(count, f"tokens of {file.parent.name}", digest.of_file(file))


@contextmanager
def _of_gguf(file: Path, root: Path) -> Iterator[Counter]:
    """llama.cpp's server tokenizes; it is started for this, and asked in batches."""
    from evalgate.models.serve import identify, serving
    from evalgate.models.tokens import exchanged, unusable
    from evalgate.records import ModelSpec

    name = file.stem
    spec = ModelSpec(server="llamacpp", artifact=file.name)
    home = file.absolute().parent  # it only counts: it need not lie in the project
    identity = identify(name, spec, home)
    with serving(name, spec, home, identity, root / "reports" / "logs") as server:

        def count(texts: Sequence[str]) -> list[int]:
            bodies = ({"content": text, "add_special": False, "parse_special": False} for text in texts)  # fmt: skip
            counts = []
            for status, value in exchanged(server.endpoint, "../tokenize", bodies):
                if status != 200:
                    raise unusable(server.endpoint, "../tokenize", f"status {status}")
                counts.append(len(value["tokens"]))
            return counts

        yield Counter(count, f"tokens of {file.name}", identity.digest)


def _unusable(where: Path, found: str, expected: str) -> UsageError:
    return UsageError(f"found {found}, expected {expected}.", where=str(where), code="EG832")
