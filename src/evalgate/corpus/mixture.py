"""Mixtures on disk: `data/mixtures/NAME.jsonl`, one place a line, and `NAME.manifest.json`, which says what they are."""

from __future__ import annotations

import itertools
import os
from array import array
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from evalgate import digest
from evalgate.authored.gold_lines import LineProblems
from evalgate.authored.problems import Problems
from evalgate.corpus.counting import Counter
from evalgate.corpus.example import Example
from evalgate.corpus.files import rows
from evalgate.corpus.ids import Ids
from evalgate.corpus.manifest import MadeWith, changed, load_manifest
from evalgate.corpus.mix import Blend, order, rows_of_tasks
from evalgate.corpus.parts import in_part, part_of
from evalgate.corpus.writer import MIXTURES, check_name, check_new, to_disk, writable
from evalgate.errors import UsageError
from evalgate.files import PRIVATE, held, write_whole
from evalgate.records import Record

if TYPE_CHECKING:
    from evalgate.corpus.mix import Ints

_BATCH = 256  # rows whose tokens are counted together


class Source(Record, kw_only=True):
    """A corpus of a mixture: lines name it by its place in the list."""

    name: str
    digest: str
    rows: int


class TaskShare(Record, kw_only=True):
    """One task: rows that are there, rows of the mixture, the most often that a row is used, tokens that are trained."""

    available: int
    rows: int
    row_share: float
    most_repeats: int
    trained_tokens: int
    trained_token_share: float


class Mixture(Record, kw_only=True):
    """The manifest. `list` is the digest of the file of places; `tokens` says what was counted, `tokenizer` by what.

    `digest` is that of this record without `digest` and `name`.
    """

    schema: Literal["evalgate.mixture/1"] = "evalgate.mixture/1"
    name: str
    rows: int
    list: str
    corpora: tuple[Source, ...]
    tasks: dict[str, TaskShare]
    tokens: str
    tokenizer: str
    made_with: MadeWith
    digest: str = ""


class Place(NamedTuple):
    """One line: the number of a corpus in the manifest, a row of it (from 0), and how often that row came before."""

    corpus: int
    row: int
    epoch: int


def mix(
    directory: Path,
    name: str,
    corpora: Sequence[Path],
    *,
    recipe: Blend,
    counter: Counter,
    seen: Callable[[int], None] = lambda _: None,
) -> Mixture:
    """Writes the mixture NAME below `directory` and returns it; the order of `corpora` does not matter.

    `seen` is told every row that is read. Kept are 8 numbers a row, no texts. Raises UsageError (EG820, EG827, EG831, EG965),
    FileProblems (EG824, EG825: ids and parents over all corpora), IntegrityError (EG826), InfrastructureError (EG828).
    """
    check_name(name, directory / MIXTURES)
    check_new(_manifest_path(directory, name))
    found = _Found(corpora, part_of(recipe.part, where="data mix"))
    found.read(counter, seen)
    available = {task: len(numbers) for task, numbers in found.by_task.items()}
    counts = rows_of_tasks(available, recipe)
    numbers, epochs = order({task: found.rows_of(task) for task in available}, counts, recipe.seed)
    path = directory / MIXTURES / f"{name}.jsonl"
    with writable(path), held(path.with_name(f".{name}.lock")):
        check_new(_manifest_path(directory, name))
        listed = _write(path, found.places(numbers), epochs.tolist())
        mixture = Mixture(
            name=name,
            rows=len(numbers),
            list=listed,
            corpora=found.sources,
            tasks=_shares(found, available, counts, numbers),
            tokens=counter.how,
            tokenizer=counter.digest,
            made_with=MadeWith(command="data mix", arguments=msgspec.to_builtins(recipe)),
        )
        mixture = msgspec.structs.replace(mixture, digest=_digest(mixture))
        write_whole(_manifest_path(directory, name), digest.canonical(mixture) + b"\n")
    return mixture


class _Found:
    """What is kept of the rows of all corpora, which stand in the order of their digests; only those of `part` by task."""

    def __init__(self, corpora: Sequence[Path], part: Fraction) -> None:
        self._part = part
        manifests = sorted(((load_manifest(path), path) for path in corpora), key=lambda f: f[0].digest)  # fmt: skip
        for (one, _), (other, path) in itertools.pairwise(manifests):
            if one.digest == other.digest:
                raise UsageError(
                    f"found the rows of {one.name} a second time, expected each corpus once. Leave one out.",
                    where=str(path),
                    code="EG831",
                )
        self._paths = [path for _, path in manifests]
        self.sources = tuple(Source(name=m.name, digest=m.digest, rows=m.rows) for m, _ in manifests)  # fmt: skip
        self.by_task: dict[str, array[int]] = {}
        self.tokens = array("q")

    def read(self, counter: Counter, seen: Callable[[int], None]) -> None:
        """One pass over all rows."""
        ids = Ids()
        numbered = enumerate(row for path in self._paths for row in rows(path, strict=True))
        while batch := list(itertools.islice(numbered, _BATCH)):
            answers = [_answers(row) for _, row in batch]
            counts = iter(counter.counted([text for texts in answers for text in texts]))
            self.tokens.extend(sum(itertools.islice(counts, len(texts))) for texts in answers)
            for number, row in batch:
                ids.add(row)
                numbers = self.by_task.setdefault(row.task, array("q"))
                if in_part(row, self._part):
                    numbers.append(number)
            seen(len(batch))
        problems = Problems()
        found = LineProblems("data mix", problems)
        ids.check(self._again, found)
        found.close()
        problems.raise_if_any()
        if missing := sorted(task for task, numbers in self.by_task.items() if not numbers):
            raise UsageError(
                f"found no row of {', '.join(missing)} in this part, expected some of every task. Take a larger part, or add data.",
                where="data mix",
                code="EG965",
            )

    def _again(self) -> Iterator[tuple[str, int, Example]]:
        for path, source in zip(self._paths, self.sources, strict=True):
            for number, row in enumerate(rows(path, strict=True), 1):
                yield source.name, number, row

    def rows_of(self, task: str) -> Ints:
        """The numbers of a task's rows, counted through all corpora."""
        import numpy as np

        return np.frombuffer(self.by_task[task], dtype=np.int64)

    def places(self, numbers: Ints) -> Iterator[tuple[int, int]]:
        """(corpus, row) of each number."""
        import numpy as np

        ends = np.cumsum([source.rows for source in self.sources])
        corpus = np.searchsorted(ends, numbers, side="right")
        row = numbers - np.concatenate([[0], ends[:-1]])[corpus]
        return zip(corpus.tolist(), row.tolist(), strict=True)


def _answers(row: Example) -> list[str]:
    """What is trained: every message of the assistant."""
    return [m["content"] for m in row.messages if m["role"] == "assistant"]


def _shares(
    found: _Found, available: dict[str, int], counts: dict[str, int], numbers: Ints
) -> dict[str, TaskShare]:
    import numpy as np

    uses = np.bincount(numbers, minlength=len(found.tokens))
    tokens = uses * np.frombuffer(found.tokens, dtype=np.int64)
    trained = {task: int(tokens[found.rows_of(task)].sum()) for task in counts}
    every, whole = sum(counts.values()), sum(trained.values())
    return {
        task: TaskShare(
            available=available[task],
            rows=counts[task],
            row_share=counts[task] / every,
            most_repeats=-(-counts[task] // available[task]),
            trained_tokens=trained[task],
            trained_token_share=trained[task] / whole,
        )
        for task in sorted(counts)
    }


def _write(path: Path, places: Iterator[tuple[int, int]], epochs: list[int]) -> str:
    """Writes the lines, whole or not at all, and returns their digest."""
    hidden = path.with_name(f".{path.name}.writing")
    try:
        fd = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, PRIVATE)
        with os.fdopen(fd, "w", encoding="ascii", buffering=1 << 18) as file:
            for (corpus, row), epoch in zip(places, epochs, strict=True):
                file.write(f'{{"corpus":{corpus},"row":{row},"epoch":{epoch}}}\n')
        to_disk(hidden)
        found = digest.of_file(hidden)
        hidden.replace(path)
    except BaseException:
        hidden.unlink(missing_ok=True)
        raise
    return found


def _manifest_path(directory: Path, name: str) -> Path:
    return directory / MIXTURES / f"{name}.manifest.json"


def _digest(mixture: Mixture) -> str:
    value = msgspec.to_builtins(mixture)
    del value["digest"], value["name"]
    return digest.of_value(value)


def load_mixture(directory: Path, name: str) -> Mixture:
    """The mixture NAME below `directory`, its list having the recorded bytes. Raises UsageError (EG820), IntegrityError (EG826)."""
    path = _manifest_path(directory, name)
    try:
        data = path.read_bytes()
    except (OSError, ValueError):
        message = "found no readable manifest, expected a mixture that `evalgate data mix` wrote. Correct the name."
        raise UsageError(message, where=str(path), code="EG820") from None
    try:
        mixture = msgspec.json.decode(data, type=Mixture)
    except (ValueError, RecursionError) as error:
        raise changed(path, f"a manifest that cannot be read ({error})") from None
    if _digest(mixture) != mixture.digest:
        raise changed(path, "a manifest that is not what its digest says")
    listed = directory / MIXTURES / f"{name}.jsonl"
    try:
        found = digest.of_file(listed)
    except OSError as error:
        raise changed(listed, f"no readable file ({error.strerror})") from None
    if found != mixture.list:
        raise changed(listed, "other bytes than were written")
    return mixture


_decode_place = msgspec.json.Decoder(dict[str, int]).decode


def places(directory: Path, name: str) -> Iterator[Place]:
    """The places of a mixture in order, as a stream; `load_mixture` first, which checks them. Raises OSError."""
    with (directory / MIXTURES / f"{name}.jsonl").open("rb") as file:
        for line in file:
            yield Place(**_decode_place(line))
