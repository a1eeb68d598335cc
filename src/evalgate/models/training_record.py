"""What a trained model's own record says of it, and whether it still is what its training left: base, template, files.

A model that was not trained here has no such record, and nothing is asked of it here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

import msgspec

from evalgate import digest
from evalgate.errors import IntegrityError
from evalgate.models.artifact import Hashed, is_note

FILE: Final = "training.json"


class Training(msgspec.Struct, frozen=True, kw_only=True):
    """The file in a trained model's directory, written by its training; further keys are its own affair.

    `mixture` and `base`: digests; `corpora`: digest by name; `terms`: ids of the terms of every row and of its ancestors;
    `sources`: who gave them. `template`: digest of the chat template that training rendered with; `files`: digests of the
    files beside this one, by name; None and {} in records that do not say. It is one of the model's files, so a certificate
    covers it.
    """

    schema: Literal["evalgate.training/1"]
    mixture: str
    corpora: dict[str, str]
    base: str
    terms: tuple[str, ...]
    sources: tuple[str, ...] = ()
    template: str | None = None
    files: dict[str, str] = {}


def read_training(artifact: Path) -> Training | None:
    """The record of a model's training, None if there is none. A single file has FILE.training.json beside it.

    Raises IntegrityError (EG857).
    """
    path = artifact / FILE if artifact.is_dir() else artifact.with_name(f"{artifact.name}.{FILE}")
    try:
        return msgspec.json.decode(path.read_bytes(), type=Training)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RecursionError) as e:
        kind = e.strerror if isinstance(e, OSError) else "not of its schema"
        raise IntegrityError(
            f"found a record of training that cannot be read ({kind}), expected evalgate.training/1 as training wrote it. "
            "Restore it, or train again: what a model learnt from must be known.",
            where=f"{path.parent.name}/{path.name}",
            code="EG857",
        ) from None


def check_as_trained(training: Training, now: Hashed, base: str | None, *, where: str) -> None:
    """Returns if an adapter lies over the base that it was trained over, and a model's files are those that training wrote.

    `now`: the bytes as they are; `base`: what evalgate.toml calls an adapter's base. Notes (README.md and the like) may differ.
    A single file is a conversion of what training wrote: its bytes are its own. Raises IntegrityError (EG980: another base;
    EG981: other files).
    """
    if now.base is not None and now.base != training.base:
        raise IntegrityError(
            f"found the base {base} ({now.base[:19]}), expected {training.base[:19]}, the one that {FILE} says the adapter was "
            "trained over. Over another it is another model: name the right base, or put its files back.",
            where=where,
            code="EG980",
        )
    if not training.files or now.single:
        return
    if changed := digest.changes(_deciding(training.files), _deciding(now.files)):
        raise IntegrityError(
            f"found that {changed}, expected the files that training wrote. Put them back, or train again: what was changed "
            "afterwards is another model.",
            where=where,
            code="EG981",
        )


def _deciding(files: dict[str, str]) -> dict[str, str]:
    """The files that a server or a library may read."""
    return {name: d for name, d in files.items() if name != FILE and not is_note(name)}
