"""Writing a gold set and its card: beside their places first, then moved there whole."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from evalgate.errors import InfrastructureError, UsageError


def check_free(path: Path, suffix: str, source: Path, *, force: bool) -> None:
    """Refuse (UsageError, EG176) a place that no such file can go to, that is taken, or (even with `force`) part of the source."""
    if path.suffix != suffix:
        found, advice = "another ending", f"Name it NAME{suffix}."
    elif not path.parent.is_dir():
        found, advice = "no directory to put it in", "Create it, or correct the path."
    elif path.is_dir():
        found, advice = "a directory", "Name a file in it."
    elif path.exists() and path.resolve().is_relative_to(source.resolve()):
        found, advice = "a file of SOURCE", "Choose another name: it would be lost."
    elif path.exists() and not force:
        found, advice = "a file there already", "Choose another name, or replace it with --force."
    else:
        return
    raise UsageError(
        f"found {found}, expected a free place for a {suffix} file. {advice}",
        where=str(path),
        code="EG176",
    )


def write_whole(
    path: Path, lines: Iterable[bytes], *, ready: Callable[[], bool] = lambda: True
) -> None:
    """Write `lines` beside `path`, then move the file there if `ready()` agrees: a reader sees the old file or the whole new one.

    Killed in between, `.NAME.part` stays behind, and the next import writes over it. Raises InfrastructureError when the
    disk refuses.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        if ready():
            part.replace(path)
    except OSError as error:
        raise InfrastructureError(
            f"found that nothing can be written there ({error.strerror or type(error).__name__}), expected a writable place. "
            "Make room or correct path and permissions, and import again.",
            where=str(path),
            code="EG176",
        ) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def skeleton(name: str, format_: str, source: str, *, licence: str | None, description: str) -> str:
    """A card with what is known. What only people know stands there as a comment, so that `gold check` asks for it."""
    import tomlkit

    today = dt.datetime.now().astimezone().date()
    card = tomlkit.document()
    card.add(
        tomlkit.comment(
            "Fill in the lines that begin with `# ` and a name; `evalgate gold check` says what is missing."
        )
    )
    known = {
        "title": f"{name}, imported from {format_}",
        "task": name,
        "source": f"{source} ({format_}), imported on {today.isoformat()}",
        "licence": licence,
        "labelled_by": None,
        "reviewed": f"Imported from {source} on {today.isoformat()}; nobody has reviewed the items since.",
        "sampling_frame": None,
        "date": today,
        "split": "dev",
        "version": "1",
        "synthetic": None,
        "description": description,
    }
    asked = {
        "licence": '"..."  # may these texts be used for this? Which licence or contract says so?',
        "labelled_by": '"..."  # who gave the answers, and how were differences settled?',
        "sampling_frame": '"..."  # what are these items a sample of? The numbers speak for that alone',
        "synthetic": "false  # true: made by a program; then also `generator` and `seed`",
    }
    for key, value in known.items():
        if value is None:
            card.add(tomlkit.comment(f"{key} = {asked[key]}"))
        else:
            card.add(key, value)
    return tomlkit.dumps(card)
