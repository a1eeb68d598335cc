"""A tiny project whose model evalgate serves itself (a stand-in), so that decisions about it have certificates."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection
from pathlib import Path
from unittest import mock

from harness import Project, gold_items
from models import stand_in

from evalgate import digest
from evalgate.authored.keyring import GATE
from evalgate.records import ModelIdentity, Reply, Sampling
from evalgate.store import Manifest, Run, RunWriter, last_sum, read_manifest
from evalgate.store.signer import make_key

SIGN_OFF = 'sign_off = ["release_manager"]\nrequire_sealed = false\n'


def certified(root: Path, *, wrong: Collection[int] = ()) -> Project:
    """A project whose model `rc` is right about all items but `wrong`; three people have keys."""
    made = Project(root, "http://127.0.0.1:9/v1")
    stand_in.model(root / "m")
    stand_in.environment(root / "env")
    made.write(
        "evalgate.toml",
        '[models.rc]\nserver = "vllm"\nartifact = "m"\nlicence = "Apache-2.0"\npatience_s = 2\n'
        '[servers.vllm]\npython = "env/python"\n[default]\ncandidate = "rc"\n',
    )
    made.edit("gate.toml", "first_release = true\n", f"first_release = true\n{SIGN_OFF}")
    items = gold_items()
    for n in wrong:
        items[n]["expected"] = "REVIEW" if items[n]["expected"] != "REVIEW" else "DENY"
    made.gold(items)
    make_key(root, "ci", roles=(GATE,), holder="the CI server")
    make_key(root, "manager", roles=("release_manager",), holder="release manager")
    make_key(root, "safety", roles=("waiver",), holder="patient safety")
    return made


def copied(made: Project, root: Path) -> Project:
    """The same project at another place."""
    shutil.copytree(made.root, root, dirs_exist_ok=True)
    found = object.__new__(Project)
    found.root = root
    return found


def verdicts_on(root: Path, run: Path) -> Path:
    """A judge's run on the answers in `run`, as suite/judging.py names it."""
    about = read_manifest(run)
    assert about is not None
    manifest = Manifest(
        suite=about.suite,
        gold=digest.of_value([about.gold, about.key, last_sum(run)]),
        items=4,
        prompt="sha256:" + "1" * 64,
        parser="verdict",
        model=ModelIdentity(
            name="judge", digest="sha256:" + "2" * 64, server="endpoint", version="", verified=False
        ),
        sampling=Sampling(),
    )
    path = root / "reports" / "verdicts" / about.suite / f"kind-{manifest.key[:16]}"
    with RunWriter(path, manifest) as writer:
        writer.land(0, "t-0000", Reply(text="the letter says aspirin", finish="stop"))
    assert Run(path, manifest).landed == 1
    return path


def aged(path: Path, days: float) -> None:
    """Makes every answer of a run so many days old, with checksums that fit."""
    manifest = read_manifest(path)
    assert manifest is not None
    rows = [json.loads(line)["row"] for line in (path / "answers.jsonl").read_text().splitlines()]
    (path / "answers.jsonl").unlink()
    with RunWriter(path, manifest) as writer:
        for row in rows:
            with mock.patch("time.time", return_value=row["at"] - days * 86_400):
                writer.land(row["n"], row["id"], Reply(text=row["text"], finish=row["finish"]))
