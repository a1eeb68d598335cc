"""Rows of Parquet by Hugging Face `datasets` and the Arrow below it (extra `hf`), a batch at a time. No hub is ever asked.

The columns are the keys of an example. What varies in shape from row to row is JSON in the column `evalgate_json`
(made_by, checks, input, expected): an Arrow table would give every row the keys of all.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from evalgate.authored.gold_lines import LineProblems
from evalgate.corpus.example import Example
from evalgate.corpus.row import NOT_FINITE, converted, explained, fault_of, finite
from evalgate.digest import canonical
from evalgate.errors import UsageError

BATCH: Final = 1000
_BATCH_BYTES: Final = 32 << 20
_FIRST: Final = 8  # rows whose size in memory is looked at
_JSON: Final = "evalgate_json"
_TEXTS: Final = ("id", "task", "unit", "source", "terms")
_LISTS: Final = ("parents", "documents", "invented")
_VARYING: Final = ("made_by", "checks", "input", "expected")


def read_parquet(path: Path, *, strict: bool, found: LineProblems) -> Iterator[tuple[int, Example]]:
    """(row, example) of every good row in order, rows counted from 1; what is wrong with the others is noted.

    Notes EG821 (the file is broken), EG822, EG823. Raises UsageError (EG829), OSError.
    """
    with path.open("rb"):  # what the system has to say, before Arrow says it in other words
        pass
    try:
        from pyarrow import ArrowException  # type: ignore[import-untyped]
    except ImportError:
        raise _no_extra(path) from None
    number = 0
    values = _values(path)
    while True:
        try:
            value = next(values, None)
        except (
            ArrowException,
            OSError,
            ValueError,
        ) as error:  # ValueError: a text that is not UTF-8
            message = f"found Parquet that cannot be read after row {number} ({type(error).__name__}), expected a whole file. Get or write it again."
            found.add("EG821", message)
            return
        if value is None:
            return
        number += 1
        try:
            row = _row(value, strict=strict)
            fault = fault_of(row)
            if fault is None and not (finite(row.expected) and finite(row.input)):
                fault = NOT_FINITE
        except (ValueError, RecursionError) as error:
            fault = explained(error)
        if fault is None:
            yield number, row
        else:
            found.add(*fault, number)


def _values(path: Path) -> Iterator[dict[str, Any]]:
    # Arrow's reader, on which that of `datasets` stands: load_dataset leaves the path and a lock in the user's home
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    with pq.ParquetFile(path) as file:
        columns = [name for name in file.schema_arrow.names if name in {*_KEYS, _JSON}]
        groups = (file.metadata.row_group(n) for n in range(file.metadata.num_row_groups))
        a_row = sum(group.total_byte_size for group in groups) / max(1, file.metadata.num_rows)
        for first in file.iter_batches(batch_size=_FIRST, columns=columns):
            a_row = max(
                a_row, first.nbytes / max(1, first.num_rows)
            )  # rows alike are small on disk
            break
        size = max(1, min(BATCH, int(_BATCH_BYTES / max(1, a_row))))  # long rows: fewer at once
        for batch in file.iter_batches(batch_size=size, columns=columns):
            yield from batch.to_pylist()


def _no_extra(where: Path) -> UsageError:
    return UsageError(
        "found no package `datasets`, expected the extra `hf`, which reads and writes Parquet. Run pip install 'evalgate-release[hf]'.",
        where=str(where),
        code="EG829",
    )


_KEYS: Final = frozenset(Example.__struct_fields__)


def _row(values: dict[str, Any], *, strict: bool) -> Example:
    given = {key: value for key, value in values.items() if value is not None}
    varying = given.pop(_JSON, None)
    if isinstance(varying, str):
        given |= msgspec.json.decode(varying, type=dict[str, Any])
    return converted(given, strict=strict)


class ParquetPart:
    """One part that is being written; `write` and `close`. Raises UsageError (EG829), OSError."""

    def __init__(self, path: Path) -> None:
        # read when `datasets` is imported: no hub, no counting of downloads, no bars
        for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"):
            os.environ[name] = "1"
        os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"
        try:
            import datasets
            from datasets.arrow_writer import ParquetWriter
        except ImportError:
            raise _no_extra(path) from None
        self.path = path
        text = datasets.Value("string")
        turn = {"role": text, "content": text}
        features = dict.fromkeys((*_TEXTS, _JSON), text)
        features |= {"messages": datasets.List(turn)}
        features |= {key: datasets.List(text) for key in _LISTS}
        self._writer = ParquetWriter(
            path=str(path), features=datasets.Features(features), writer_batch_size=BATCH
        )

    def write(self, example: Example, line: bytes) -> None:
        """Adds one row."""
        del line
        value = msgspec.to_builtins(example)
        row = {key: value[key] for key in (*_TEXTS, "messages", *_LISTS)}
        row[_JSON] = canonical({key: value[key] for key in _VARYING}).decode()
        self._writer.write(row)

    def close(self) -> None:
        """Writes what is left and the end of the file."""
        self._writer.finalize()
        self._writer.close()

    def drop(self) -> None:
        """Closes the file as it is."""
        self._writer.close()
