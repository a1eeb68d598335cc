"""The evidence bundle of a sealed check: one encrypted file with everything that developers may not know."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from evalgate import digest
from evalgate.errors import Exit, IntegrityError
from evalgate.files import write_whole
from evalgate.gate.overfit import Overfit, overfit
from evalgate.records import Decision, Evidence, Record
from evalgate.store.attempts import Question, Verdict

if TYPE_CHECKING:
    from evalgate.crypto.seal import SealKey

FOLDER: Final = "reports/sealed"
SUFFIX: Final = ".bundle"
KIND: Final = "evidence bundle"
_LEAST: Final = 1 << 17
"""Bytes of the smallest bundle: findings that fail say more than others, and their number must not show in its size."""


class Bundle(Record, kw_only=True):
    """Everything about one sealed check, for the quality role. `attempts`: which one it was, of each suite's set.

    A decision without findings says which labels the attempt waits for.
    """

    decision: Decision
    evidence: Evidence
    question: Question
    attempts: dict[str, int]
    overfit: tuple[Overfit, ...] = ()
    overfit_against: str = ""
    """The dev decision whose numbers were compared, "" if there was none."""


def keep_bundle(  # noqa: PLR0917 (all of it goes into the bundle)
    root: Path,
    key: SealKey,
    question: Question,
    numbers: Mapping[str, int],
    decision: Decision,
    evidence: Evidence,
) -> Verdict:
    """Writes the bundle; returns the verdict that names it. `numbers`: which attempt it is, of each suite's set.

    Raises InfrastructureError (EG754).
    """
    from evalgate.crypto.seal import padded
    from evalgate.gate.record import latest_of, new_stem

    dev = latest_of(root, question.model["digest"])
    bundle = Bundle(
        decision=msgspec.structs.replace(decision, attempt=max(numbers.values())),
        evidence=evidence,
        question=question,
        attempts=dict(numbers),
        overfit=overfit(dev.decision, decision) if dev else (),
        overfit_against=dev.stem if dev else "",
    )
    stem = new_stem(question.model["name"])
    sealed = key.seal(padded(msgspec.json.encode(bundle), _LEAST), kind=KIND, name=stem)
    path = root / FOLDER / f"{stem}{SUFFIX}"
    _write(path, sealed)
    return Verdict(
        open=decision.exit == Exit.OPEN,
        bundle=path.relative_to(root).as_posix(),
        sum=digest.of_bytes(sealed),
    )


def _write(path: Path, data: bytes) -> None:
    """Writes a bundle as a whole or not at all, readable by its owner only. Raises InfrastructureError (EG754)."""
    from evalgate.crypto.seal import unwritable

    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(path, data)
    except OSError as e:
        raise unwritable(path, e) from None


def open_bundle(path: Path, key: SealKey) -> Bundle:
    """The bundle at `path`. Raises IntegrityError (EG755 to EG757, EG766), OSError."""
    where = path.as_posix()
    data = key.open(path.read_bytes(), kind=KIND, name=path.name.removesuffix(SUFFIX), where=where)
    try:
        return msgspec.json.decode(data, type=Bundle)
    except msgspec.MsgspecError as e:
        raise IntegrityError(
            f"found a bundle of another version ({e}), expected one of this. Open it with the evalgate that wrote it.",
            where=where,
            code="EG766",
        ) from None
