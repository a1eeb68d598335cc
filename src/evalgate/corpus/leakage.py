"""Training data against gold, as a whole: what `evalgate data check` and the admission of training ask."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from evalgate import digest
from evalgate.authored.card import SEALED
from evalgate.corpus.example import Example
from evalgate.corpus.files import load_manifest, rows
from evalgate.corpus.hit import RowCheck
from evalgate.corpus.leak.check import RULES, Leakage, Report
from evalgate.errors import InfrastructureError, UsageError
from evalgate.files import write_whole
from evalgate.records import GoldItem

if TYPE_CHECKING:
    from evalgate.corpus.leak.gold import Gold

CHECKS: Final = ".checks.json"
"""Suffix of a corpus's kept report: data/NAME.checks.json beside data/NAME, which holds what its manifest lists and nothing else."""


def check_corpora(
    paths: Sequence[Path], gold: Gold, *, also: Sequence[RowCheck] = (), show_text: bool = False
) -> Report:
    """The report on all rows of these files and corpora together; `also` looks at each row, too, and its hits are counted.

    Rows are read as a stream (memory: `Leakage`), and once or twice more if rows descend from one with a hit. Raises
    UsageError (EG870: gold as training data) and what `corpus.files.rows` raises.
    """
    for path in paths:
        _refuse_gold(path, gold)
    leakage = Leakage(gold, also=also, show_text=show_text)
    for row in _rows(paths):
        leakage.add(row)
    found = leakage.report(lambda: _rows(paths))
    return msgspec.structs.replace(
        found, corpora={path.as_posix(): digest_of(path) for path in paths}
    )


def digest_of(path: Path) -> str:
    """The digest of a file's bytes, or that of a corpus as its manifest has it (`rows` compares the bytes with it)."""
    return load_manifest(path).digest if path.is_dir() else digest.of_file(path)


def keep(report: Report, directory: Path) -> None:
    """Writes a report beside the directory of the one corpus that it is about. Raises InfrastructureError (EG871).

    Hits that a day or a pattern file decides (terms, PHI) are left out: they must be looked for again.
    """
    lasting = tuple(hit for hit in report.hits if hit.kind in ("leak", "lineage", "duplicate"))
    write(checks_path(directory), digest.canonical(msgspec.structs.replace(report, hits=lasting)))


def checks_path(directory: Path) -> Path:
    """Where the kept report on a corpus lies."""
    return directory.with_name(f"{directory.name}{CHECKS}")


def contaminated(report: Report) -> bytes:
    """The file of gold items that some row touches (schema evalgate.contaminated/1), for scores with and without them.

    By set: the digest of the gold set, and the items with the largest share of each that one row holds.
    """
    gold = {
        name: {"digest": report.gold[name], "items": items}
        for name, items in report.contaminated.items()
    }
    value = {"schema": "evalgate.contaminated/1", "corpora": report.corpora, "gold": gold}
    return digest.canonical(value) + b"\n"


def kept(directory: Path, gold: Gold) -> Report | None:
    """The report that `keep` wrote, if it still speaks of this corpus, this gold and today's rules; else None.

    Whoever asks without the seal key may get one of somebody who had it; `report.gold` names all sets that were compared.
    """
    try:
        report = msgspec.json.decode(checks_path(directory).read_bytes(), type=Report)
    except (OSError, msgspec.MsgspecError):
        return None
    compared = gold.sets.items() <= report.gold.items() and gold.prompts == report.prompts
    same = compared and report.rules == RULES
    return report if same and list(report.corpora.values()) == [digest_of(directory)] else None


def write(path: Path, data: bytes) -> None:
    """Writes a file for its owner, as a whole. Raises InfrastructureError (EG871)."""
    try:
        write_whole(path, data)
    except OSError as e:
        raise InfrastructureError(
            f"found {e.strerror or e}, expected to write there. Free some space or mend the permissions, then run it again.",
            where=path.as_posix(),
            code="EG871",
        ) from None


def _rows(paths: Sequence[Path]) -> Iterator[Example]:
    for path in paths:
        yield from rows(path, strict=False)


def _refuse_gold(path: Path, gold: Gold) -> None:
    """Raises UsageError (EG870) for a gold set, a copy of one, a sealed set, or a file of gold items."""
    if not path.is_file():
        return  # a corpus holds no gold items: it would not be read; whatever else it is, `rows` says so
    named = "goldsets" in path.resolve().parts or path.suffix == SEALED
    if not (named or _begins_as_gold(path) or digest.of_file(path) in gold.sets.values()):
        return
    raise UsageError(
        "found a gold set, expected training data. What is trained on gold can no longer be measured with it: leave it out.",
        where=path.as_posix(),
        code="EG870",
    )


def _begins_as_gold(path: Path) -> bool:
    with path.open("rb") as f:
        line = f.readline(1 << 20)
    try:
        msgspec.json.decode(line, type=GoldItem)
    except msgspec.MsgspecError:
        return False
    return True
