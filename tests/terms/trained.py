"""Models on disk with the record of their training: bytes enough to have a digest."""

from __future__ import annotations

import json
from pathlib import Path

from evalgate import digest
from evalgate.corpus.example import Example, MadeBy
from evalgate.corpus.files import Writer


def base(root: Path, name: str, licence: str | None = None, text: Path | None = None) -> str:
    """A model that was not trained here. Returns its digest."""
    folder = root / "models" / name
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(f"weights of {name}".encode())
    if text is not None:
        (folder / "LICENSE").write_bytes(text.read_bytes())
    listed(root, name, licence)
    return digest.of_path(folder)


def listed(root: Path, name: str, licence: str | None = None, more: str = "") -> None:
    """Adds a model to evalgate.toml."""
    said = f'licence = "{licence}"\n' if licence else ""
    with (root / "evalgate.toml").open("a") as f:
        f.write(f'[models.{name}]\nserver = "vllm"\nartifact = "models/{name}"\n{said}{more}')


def trained(root: Path, name: str, below: str, licence: str | None = None, **said: object) -> str:
    """A model that was trained from one with the digest `below`. Returns its digest."""
    folder = root / "models" / name
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(f"weights of {name}".encode())
    record = {
        "schema": "evalgate.training/1",
        "mixture": "sha256:none",
        "corpora": {},
        "base": below,
        "terms": ["project"],
        "sources": [],
    } | said
    (folder / "training.json").write_text(json.dumps(record))
    listed(root, name, licence)
    return digest.of_path(folder)


def corpus(root: Path, name: str, rows: list[Example]) -> str:
    """A corpus of these rows. Returns its digest."""
    (root / "data").mkdir(exist_ok=True)
    with Writer(root / "data", name, command="test") as writer:
        for row in rows:
            writer.add(row)
    return writer.manifest.digest


def row(name: str, *, terms: str = "project", source: str = "", parents: tuple[str, ...] = (), model: str = "") -> Example:  # fmt: skip
    """A row; `model`: the digest of the model that wrote it."""
    return Example(
        id=name,
        task="policy_qa",
        messages=(
            {"role": "user", "content": f"What is paid for {name}?"},
            {"role": "assistant", "content": f"All of {name}."},
        ),
        unit=name,
        parents=parents,
        made_by=MadeBy(template="told@1", seed=1, model=model) if model or not source else None,
        source=source,
        terms=terms,
    )
