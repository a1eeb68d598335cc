"""A dataset of Hugging Face `datasets` that was written to disk with `save_to_disk`. Nothing is ever looked up on a hub."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from evalgate.authored.imports.rows import Options, Rows
from evalgate.authored.imports.sources import no_source
from evalgate.authored.imports.table import row_of
from evalgate.authored.problems import Problems, listing, nearest
from evalgate.errors import UsageError


def read_hf(source: Path, options: Options) -> Rows:
    """One row per row; numbers of a ClassLabel become its names, -1 no answer.

    Raises UsageError (EG175, EG178: the extra is not installed, a split to choose) and FileProblems (EG178: columns).
    """
    if not any((source / mark).is_file() for mark in ("state.json", "dataset_dict.json")):
        advice = "Write it with save_to_disk, or correct the path or KIND."
        raise no_source(source, "no dataset on disk", "hf", advice)
    name = source.resolve().name
    dataset = _split(_load(source), source, options.split)
    wanted = _columns(dataset, name, options)
    dataset = dataset.select_columns(wanted).with_format(None)
    for number, values in enumerate(dataset, start=1):
        named = {column: _named(dataset.features[column], values[column]) for column in wanted}
        yield row_of(named, options.columns, f"{name}[{number}]", f"{name}-{number}")


def _load(source: Path) -> Any:
    # read when `datasets` is imported: no hub, no counting of downloads, no bars
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"):
        os.environ[name] = "1"
    os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"
    try:
        import datasets
    except ImportError:
        raise UsageError(
            "found no package `datasets`, expected the extra `hf`. Run pip install 'evalgate-release[hf]'.",
            where=source.name,
            code="EG178",
        ) from None
    try:
        return datasets.load_from_disk(str(source.absolute()))
    except Exception as error:  # a damaged directory: whatever the library and Arrow raise
        found = f"a dataset that cannot be loaded ({type(error).__name__})"
        raise no_source(source, found, "hf", "Write it again with save_to_disk.") from None


def _split(loaded: Any, source: Path, split: str | None) -> Any:
    """The one Dataset to read. A DatasetDict needs --split; a Dataset alone has no choice."""
    splits = list(loaded) if isinstance(loaded, dict) else None
    if splits is None and split is None:
        return loaded
    if splits is not None and split in splits:
        return loaded[split]
    if splits is None:
        found, advice = "a single dataset with --split", "Leave --split out."
    else:
        found = "no --split" if split is None else f"the split {split!r}"
        advice = f"Name one of: {listing(splits)}.{nearest(split or '', splits)}"
    message = f"found {found}, expected one dataset to read. {advice}"
    raise UsageError(message, where=source.name, code="EG178")


def _columns(dataset: Any, name: str, options: Options) -> list[str]:
    """The columns to read, in order: others, such as images, are not decoded."""
    there = dataset.column_names
    required = options.columns.required()
    problems = Problems()
    for column in required:
        if column not in there:
            message = f"found no column {column!r}, expected one of: {listing(there)}.{nearest(column, there)} Name the right one."
            problems.add(name, "EG178", message)
    problems.raise_if_any()
    usual = [column for column in ("id", "unit", "tags") if column in there]
    return list(dict.fromkeys((*required, *usual)))


def _named(feature: Any, value: Any) -> Any:
    """`value` with class numbers as names; also in a list, as token tags are kept."""
    names = getattr(feature, "names", None)
    if names is not None:
        return names[value] if isinstance(value, int) and 0 <= value < len(names) else None
    inner = feature[0] if isinstance(feature, list) else getattr(feature, "feature", None)
    if getattr(inner, "names", None) is not None and isinstance(value, list):
        return [_named(inner, each) for each in value]
    return value
