"""What a corpus says of itself: `manifest.json` with the digest of every part, and who made it how."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from evalgate import digest
from evalgate.errors import IntegrityError, UsageError
from evalgate.records import Record

MANIFEST: Final = "manifest.json"
_PART = re.compile(r"part-\d{5,}\.(jsonl|parquet)")


class Part(Record, kw_only=True):
    """One file of a corpus, in the order of its rows. `digest` is that of its exact bytes."""

    file: str
    rows: int
    digest: str


class TaskRows(Record, kw_only=True):
    """Rows of one task: all, those that a generator made, and by terms id ("" where nobody said)."""

    rows: int
    synthetic: int
    terms: dict[str, int]

    @property
    def synthetic_share(self) -> float:
        """Share of the rows that a generator made, 0 to 1."""
        return self.synthetic / self.rows


class MadeWith(Record, kw_only=True):
    """The command that wrote something, and those of its arguments that can change a row; never where it was put."""

    command: str
    arguments: dict[str, Any] = msgspec.field(default_factory=dict)
    evalgate: str = msgspec.field(default_factory=lambda: metadata.version("evalgate-release"))


class Manifest(Record, kw_only=True):
    """A corpus. `duplicates`: rows whose messages say what those of an earlier row say. `figures`: what its maker measured.

    `digest` is that of this record without `digest` and `name`: the same rows under another name are the same corpus.
    """

    schema: Literal["evalgate.corpus/1"] = "evalgate.corpus/1"
    name: str
    rows: int
    files: tuple[Part, ...]
    tasks: dict[str, TaskRows]
    duplicates: int
    made_with: MadeWith
    figures: dict[str, Any] = msgspec.field(default_factory=dict)
    digest: str = ""


def sealed(manifest: Manifest) -> Manifest:
    """The manifest with its digest filled in."""
    return msgspec.structs.replace(manifest, digest=_digest(manifest))


def _digest(manifest: Manifest) -> str:
    value = msgspec.to_builtins(manifest)
    del value["digest"], value["name"]
    return digest.of_value(value)


def load_manifest(directory: Path) -> Manifest:
    """The manifest of the corpus in `directory`, and exactly the files that it lists are there (their bytes are not read).

    Raises UsageError (EG820: no corpus), IntegrityError (EG826).
    """
    try:
        data = (directory / MANIFEST).read_bytes()
        there = {p.name for p in directory.iterdir() if not p.name.startswith(".")}
    except (OSError, ValueError):
        raise UsageError(
            f"found no readable {MANIFEST}, expected a corpus: a directory that evalgate wrote. Correct the path.",
            where=str(directory),
            code="EG820",
        ) from None
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (ValueError, RecursionError) as error:
        raise changed(directory / MANIFEST, f"a manifest that cannot be read ({error})") from None
    names = [part.file for part in manifest.files]
    if _digest(manifest) != manifest.digest or not all(map(_PART.fullmatch, names)):
        raise changed(directory / MANIFEST, "a manifest that is not what its digest says")
    if there != {MANIFEST, *names}:
        wrong = sorted(there ^ {MANIFEST, *names})
        raise changed(directory, f"{len(wrong)} missing or foreign files ({', '.join(wrong[:3])})")
    return manifest


def verify(directory: Path) -> Manifest:
    """The manifest of a corpus of which every part has the recorded bytes. Raises as `load_manifest`, InfrastructureError."""
    manifest = load_manifest(directory)
    for part in manifest.files:
        try:
            found = digest.of_file(directory / part.file)
        except OSError as error:
            raise changed(directory / part.file, f"no readable file ({error.strerror})") from None
        if found != part.digest:
            raise changed(directory / part.file, "other bytes than were written")
    return manifest


def changed(path: Path, found: str) -> IntegrityError:
    """The error of something that is not as it was recorded (EG826)."""
    return IntegrityError(
        f"found {found}, expected what was recorded. Restore it, or make it again; nobody trains on rows that changed unseen.",
        where=str(path),
        code="EG826",
    )
