"""Directories of safetensors, and adapters over them: which files there are, and that they are whole.

Nothing is loaded. JSON and the headers of weight files say enough: a safetensors file begins with the length of its
header (8 bytes, little endian) and a JSON object of tensors, {name: {"dtype", "shape", "data_offsets"}}.

Nothing that could run is let near a server: only files of kinds that hold data are taken, and no configuration that tells
a library to import or fetch code. Chat templates are code of a kind, too; evalgate renders none. Its servers do, and
transformers does it in a sandbox of its own (jinja2's ImmutableSandboxedEnvironment).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from evalgate import digest
from evalgate.errors import IntegrityError, UsageError

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
ADAPTER = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
HEADER_MOST = 100_000_000  # bytes; the format's own limit
CHUNK = 1 << 20
_LORA = re.compile(r"base_model\.model\.(.+)\.lora_([AB])(?:\.default)?\.weight")
_FLOATS = frozenset({"F64", "F32", "F16", "BF16"})

# What may lie in a model's directory: weights that hold numbers only, configuration, vocabulary, words about the model.
# Pickles (.bin, .pt, .pth, .pkl, .ckpt), Python and everything unknown may hold code.
_DATA = frozenset({
    ".safetensors", ".gguf", ".json", ".jinja", ".model", ".spm", ".tiktoken", ".bpe", ".vocab", ".txt", ".md", ".yaml", ".yml",
    ".pdf", ".png", ".jpg", ".svg",
})  # fmt: skip
_WORDS = re.compile(r"[A-Z][A-Z_-]*")  # LICENSE, NOTICE and their like have no ending
_NOTES = frozenset({".md", ".pdf", ".png", ".jpg", ".svg"})
# Keys by which configuration names Python to be imported: transformers' and PEFT's.
_SWITCHES = frozenset({"auto_map", "auto_mapping", "custom_pipelines", "megatron_config", "trust_remote_code"})  # fmt: skip
_IMPLEMENTATION = "_implementation"  # a value with a slash is a kernel of the hub: native code


class Tensor(NamedTuple):
    """One tensor of a safetensors file: bytes `start` to `end` of the file."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


class FileState(NamedTuple):
    """How a file stands. `content` and `changed` move when its bytes do, even if they are put back; () if it is gone.

    `links` are its names in the file system: one more or less moves `changed`, too.
    """

    path: str
    content: tuple[int, ...] = ()
    changed: int = 0
    links: int = 0


def only_linked(before: Sequence[FileState], now: Sequence[FileState]) -> bool:
    """Whether links made or removed explain all that differs: then the bytes are worth a second look."""
    if len(before) != len(now):
        return False
    return all(
        a == b or (a.content and a[:2] == b[:2] and a.links != b.links)
        for a, b in zip(before, now, strict=True)
    )


class Hashed(NamedTuple):
    """The digests of a model's bytes: of its own files, by name ("" for a single file), and of the base under an adapter."""

    files: dict[str, str]
    base: str | None = None

    @property
    def single(self) -> bool:
        """Whether the model is one file."""
        return "" in self.files

    @property
    def digest(self) -> str:
        """Digest of every byte: weights, tokenizer, template, generation config; of adapter and base together."""
        own = self.files[""] if self.single else digest.of_value(self.files)
        return own if self.base is None else digest.of_value({"adapter": own, "base": self.base})


class Weights(NamedTuple):
    """What a server is started on: a file or directory, for an adapter also its base's directory."""

    path: Path
    base: Path | None = None

    @property
    def model(self) -> Path:
        """The directory with the model's configuration, tokenizer and template."""
        return self.base or self.path

    def hashed(self) -> Hashed:
        """The digests of all bytes. Raises UsageError (EG302)."""
        path = self.path
        own = digest.files_of(path) if path.is_dir() else {"": digest.of_file(path)}
        return Hashed(own, None if self.base is None else digest.of_tree(self.base))

    def digest(self) -> str:
        """Digest of every byte, as `Hashed.digest`."""
        return self.hashed().digest

    def state(self) -> tuple[FileState, ...]:
        """What changes when a file is edited, replaced, added, removed or swapped back."""
        return tuple(_stat(path) for root in (self.path, self.base) for path in _files(root))


def digest_of(path: str, base: str | None, files: Mapping[str, str]) -> str:
    """What `Weights.digest` gives for files whose digests are known, by their paths: `path` itself or below it and `base`."""
    if files.keys() == {path}:
        return files[path]

    def tree(top: str) -> str:
        inside = {n.removeprefix(f"{top}/"): d for n, d in files.items() if n.startswith(f"{top}/")}
        return digest.of_value(inside)

    return (
        tree(path) if base is None else digest.of_value({"adapter": tree(path), "base": tree(base)})
    )


def _files(root: Path | None) -> Iterator[Path]:
    if root is not None:
        yield root
        yield from sorted(root.rglob("*"))


def _stat(path: Path) -> FileState:
    try:
        found = path.stat()
    except OSError:
        return FileState(str(path))
    return FileState(
        str(path),
        (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns),
        found.st_ctime_ns,
        found.st_nlink,
    )


def check_directory(path: Path, *, where: str) -> None:
    """Returns if `path` is a model in safetensors files, all there and none cut short, and nothing in it could run.

    Raises UsageError: no such directory (EG341), a file missing or cut (EG342), and what `check_safe` raises.
    """
    if not path.is_dir():
        raise _no_model("a file", where)
    check_safe(path, where=where)
    read_json(path / "config.json", where=where)
    for name, needed in shards(path, where).items():
        shard = path / name
        if not shard.is_file():
            raise _incomplete(f"that {name} is missing", where)
        absent = needed - tensors(shard, where=where).keys()
        if absent:
            raise _incomplete(f"that {name} lacks {len(absent)} tensors of the index", where)


def check_safe(path: Path, *, where: str) -> None:
    """Returns if nothing below `path` is code, or tells a library to run some. Looks at names before it opens anything.

    Raises UsageError: a link, a pipe or a hidden entry (EG302), a file of a kind that may hold code (EG356), configuration that
    names code to import or fetch (EG357).
    """
    files = list(digest.plain_files(path))
    for name, file in files:
        if file.suffix not in _DATA and not _WORDS.fullmatch(file.name):
            raise UsageError(
                f"found {name!r}, a kind of file that may hold code, expected weights as .safetensors or .gguf, and JSON, "
                "vocabulary and texts beside them. Remove it; nothing of it is served.",
                where=where,
                code="EG356",
            )
    for name, file in files:
        if file.suffix == ".json" and "config" in file.name:
            switch = _switch(read_json(file, where=where))
            if switch:
                raise UsageError(
                    f"found {switch} in {name}, by which a library imports or fetches code, expected a model that the server "
                    "knows by itself. Remove it, if the server does; else this model cannot be gated.",
                    where=where,
                    code="EG357",
                )


def is_note(name: str) -> bool:
    """Whether a file of that name is for people only: no server and no library reads it."""
    path = PurePath(name)
    return path.suffix in _NOTES or _WORDS.fullmatch(path.name) is not None


def _switch(value: object) -> str:
    """The first key anywhere in `value` that switches on code from elsewhere, "" if there is none."""
    if isinstance(value, list):
        return next(filter(None, map(_switch, value)), "")
    if not isinstance(value, dict):
        return ""
    for name, inside in value.items():
        key = str(name)
        if (key in _SWITCHES and inside) or (key.endswith(_IMPLEMENTATION) and "/" in str(inside)):
            return key
        if found := _switch(inside):
            return found
    return ""


def shards(path: Path, where: str) -> dict[str, set[str]]:
    """The weight files of a model's directory, each with the tensors that the index expects in it.

    Raises UsageError: no model (EG341), not whole (EG342).
    """
    if not (path / INDEX).is_file():
        if not (path / SINGLE).is_file():
            raise _no_model(f"neither {SINGLE} nor {INDEX}", where)
        return {SINGLE: set()}
    weight_map = read_json(path / INDEX, where=where).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise _incomplete(f"that {INDEX} names no files", where)
    shards: dict[str, set[str]] = {}
    for tensor, name in weight_map.items():
        if not isinstance(name, str) or "/" in name or not name.endswith(".safetensors"):
            raise _incomplete(f"that {INDEX} names a file elsewhere", where)
        shards.setdefault(name, set()).add(tensor)
    return shards


def tensors(path: Path, *, where: str) -> dict[str, Tensor]:
    """The tensors of one safetensors file. Raises UsageError (EG342) if it is no such file or was cut short."""
    size = path.stat().st_size
    try:
        with path.open("rb") as f:
            length = int.from_bytes(f.read(8), "little")
            header = json.loads(f.read(min(length, size, HEADER_MOST)))
        header.pop("__metadata__", None)
        begin = 8 + length
        found = {
            name: Tensor(t["dtype"], tuple(t["shape"]), *(begin + o for o in t["data_offsets"]))
            for name, t in header.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _incomplete(f"that {path.name} is no whole safetensors file", where) from None
    end = max((t.end for t in found.values()), default=begin)
    if end != size:
        raise _incomplete(f"{size} bytes in {path.name} where its header says {end}", where)
    return found


def check_adapter(weights: Weights, *, where: str) -> int:
    """Returns the rank of a LoRA adapter that fits its base: every pair of its matrices belongs to a weight of it.

    Raises UsageError: no adapter (EG341), cut short (EG342), another base's (EG347), another configuration's (EG982), and what
    `check_safe` raises;
    IntegrityError (EG348): all its B matrices are zero, so that it answers exactly as its base.
    """
    check_safe(weights.path, where=where)
    config = read_json(weights.path / ADAPTER, where=where)
    if config.get("peft_type") != "LORA":
        raise _no_model(f"no LoRA in {ADAPTER}", where)
    file = weights.path / ADAPTER_WEIGHTS
    if not file.is_file():
        raise _incomplete(f"that {ADAPTER_WEIGHTS} is missing", where)
    pairs: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors(file, where=where).items():
        if told := _LORA.fullmatch(name):
            pairs.setdefault(told[1], {})[told[2]] = tensor
    if not pairs:
        raise _no_model(f"no LoRA matrices in {ADAPTER_WEIGHTS}", where)
    base = {
        name: tensor
        for shard in shards(weights.model, where)
        for name, tensor in tensors(weights.model / shard, where=where).items()
    }
    misfits = sorted(name for name, pair in pairs.items() if not _fits(pair, base, name))
    if misfits:
        raise UsageError(
            f"found {len(misfits)} of {len(pairs)} adapted layers that the base does not have in this shape (first: "
            f"{misfits[0]}), expected an adapter of this base. Name the base that it was trained on.",
            where=where,
            code="EG347",
        )
    if faults := _contradictions(
        config, {name: pair["A"].shape[0] for name, pair in pairs.items()}
    ):
        raise UsageError(
            f"found {faults}, expected matrices as their configuration names them: what it does not name is not loaded, or "
            f"at another strength. Put the {ADAPTER} back that this adapter was saved with.",
            where=where,
            code="EG982",
        )
    if not any(_nonzero(file, pair["B"]) for pair in pairs.values()):
        raise IntegrityError(
            "found an adapter whose B matrices are all zero, expected one that changes the model: it answers exactly "
            "as its base. Name the trained adapter, or the base itself.",
            where=where,
            code="EG348",
        )
    return max(pair["A"].shape[0] for pair in pairs.values())


def _fits(pair: dict[str, Tensor], base: dict[str, Tensor], name: str) -> bool:
    """Whether A [r, in] and B [out, r] add to a weight [out, in]. Packed (quantised) weights show no such shape."""
    weight = base.get(f"{name}.weight")
    if weight is None or pair.keys() != {"A", "B"}:
        return False
    a, b = pair["A"].shape, pair["B"].shape
    if len(a) != 2 or len(b) != 2 or a[0] != b[1]:
        return False
    return weight.dtype not in _FLOATS or weight.shape == (b[0], a[1])


def _contradictions(config: Mapping[str, Any], ranks: Mapping[str, int]) -> str:
    """What an adapter's configuration says otherwise than its matrices, of `ranks` by layer; "" if nothing.

    Patterns are not matched: a configuration may name any rank of its `rank_pattern` for any layer.
    """
    pattern = config.get("rank_pattern")
    named = [config.get("r"), *(pattern.values() if isinstance(pattern, dict) else ())]
    others = sorted(name for name, rank in ranks.items() if rank not in named)
    if named[0] is not None and others:
        return f"rank {named[0]} in {ADAPTER} and {ranks[others[0]]} in {len(others)} of {len(ranks)} layers"
    targets = config.get("target_modules")
    if isinstance(targets, list):
        lost = [n for n in sorted(ranks) if not any(f".{n}".endswith(f".{t}") for t in targets)]
        if lost:
            return f"{len(lost)} of {len(ranks)} layers that target_modules does not name (first: {lost[0]})"
    return ""


def _nonzero(file: Path, tensor: Tensor) -> bool:
    with file.open("rb") as f:
        f.seek(tensor.start)
        left = tensor.end - tensor.start
        while left > 0 and (chunk := f.read(min(CHUNK, left))):
            if chunk.strip(b"\0"):
                return True
            left -= len(chunk)
    return False


def template_digest(path: Path, *, where: str) -> str | None:
    """Digest of a directory's chat template (its UTF-8 text), None if it has none.

    chat_template.jinja comes first, as it does for transformers; then `chat_template` of tokenizer_config.json, which
    is a text, or a list of named ones of which "default" is used.
    """
    file, config = path / "chat_template.jinja", path / "tokenizer_config.json"
    if file.is_file():
        return digest.of_file(file)
    found = read_json(config, where=where).get("chat_template") if config.is_file() else None
    if isinstance(found, list):
        found = next((t.get("template") for t in found if t.get("name") == "default"), None)
    return digest.of_bytes(found.encode()) if isinstance(found, str) else None


def read_json(path: Path, *, where: str) -> dict[str, Any]:
    """The JSON object in a file of the artifact. Raises UsageError (EG341)."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        raise _no_model(f"no readable {path.name}", where) from None
    if not isinstance(value, dict):
        raise _no_model(f"no JSON object in {path.name}", where)
    return value


def _no_model(found: str, where: str) -> UsageError:
    return UsageError(
        f"found {found}, expected a directory with config.json, tokenizer and safetensors files, as save_pretrained "
        "writes it (for an adapter: adapter_config.json and adapter_model.safetensors). Name that directory.",
        where=where,
        code="EG341",
    )


def _incomplete(found: str, where: str) -> UsageError:
    return UsageError(
        f"found {found}, expected all weight files whole. Copy the model again.",
        where=where,
        code="EG342",
    )
