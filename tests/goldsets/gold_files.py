"""What every test of a gold set needs: its items, its generator and suite as modules, and answers to its items."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import msgspec

from evalgate.records import Answer, GoldItem

ROOT = Path(__file__).parents[2]
GENERATORS = ROOT / "goldsets/generators"


def load(path: Path) -> ModuleType:
    """A module from a file outside the package; its neighbours are found beside it."""
    spec = importlib.util.spec_from_file_location(f"{path.stem}_under_test", path)
    module = importlib.util.module_from_spec(spec)
    before = list(sys.path)
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path[:] = before
    return module


def gold_items(name: str) -> list[GoldItem]:
    """The items of goldsets/NAME.jsonl."""
    lines = (ROOT / f"goldsets/{name}.jsonl").read_bytes().splitlines()
    return [msgspec.json.decode(line, type=GoldItem) for line in lines]


def tagged(items: list[GoldItem], tag: str) -> list[GoldItem]:
    return [item for item in items if tag in item.tags]


def answer(item: GoldItem, said: str) -> Answer:
    """What a suite's score is given when the model said this."""
    return Answer(
        id=item.id,
        unit=item.unit,
        tags=item.tags,
        input=item.input,
        expected=item.expected,
        text=said,
        parsed=said,
        status="ok",
        correct=False,
    )


def built_elsewhere(name: str) -> bytes:
    """What the generator writes in a process of its own, where strings hash otherwise."""
    code = f"import {name} as g, sys; sys.stdout.buffer.write(g.jsonl(g.build()).encode())"
    done = subprocess.run(
        [sys.executable, "-B", "-c", code],
        cwd=GENERATORS,
        env={**os.environ, "PYTHONHASHSEED": "7"},
        capture_output=True,
        check=True,
    )
    return done.stdout
