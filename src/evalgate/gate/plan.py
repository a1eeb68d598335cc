"""The plan: the digest of everything that decides, fixed before the first question. Seeds come from it."""

from __future__ import annotations

import hashlib
from importlib import metadata
from pathlib import Path

from evalgate import digest
from evalgate.records import ModelIdentity, ModelSpec
from evalgate.suite import Project

DISTRIBUTION = "evalgate-release"


def version() -> str:
    """The installed version of evalgate."""
    return metadata.version(DISTRIBUTION)


def plan_digest(
    project: Project, spec: ModelSpec, baseline: str | None, *, judge: ModelIdentity | None = None
) -> str:
    """Digest of gate.toml, gold sets, rubrics, suites with conftest, prompts, sampling, server arguments, baseline, judge, version.

    `baseline` is the digest of the baseline's identity. `judge`: who judges, where a row needs one; its prompt and
    sampling are evalgate's own and come with its version. Litter (hidden files, caches, editors' backups) is left out:
    nothing of it is imported, and bytecode caches of suites are removed before they are.
    """
    judges = (
        {}
        if judge is None
        else {"judge": [judge.digest, judge.server, judge.version, list(judge.args)]}
    )
    return digest.of_value(
        {
            **judges,
            "evalgate": version(),
            "gate": project.gate.digest,
            "files": code_digests(project.root),
            "gold": {name: s.gold.digest for name, s in project.suites.items()},
            "suites": {name: s.suite.digest for name, s in project.suites.items()},
            "server": {"kind": spec.server, "args": list(spec.args)},
            "baseline": baseline,
        }
    )


def code_digests(root: Path) -> dict[str, str]:
    """The digest of every file of suites/ and rubrics/ and of conftest.py, by its path below `root`; litter left out."""
    files = [p for folder in ("suites", "rubrics") for p in (root / folder).rglob("*")]
    files += [root / "conftest.py"]
    return {
        name: digest.of_file(p)
        for p in sorted(files)
        if p.is_file() and not _litter(name := p.relative_to(root).as_posix())
    }


def _litter(name: str) -> bool:
    parts = name.split("/")
    return name.endswith("~") or any(p.startswith(".") or p == "__pycache__" for p in parts)


def forget_bytecode(root: Path) -> None:
    """Removes the suites' cached bytecode: what runs must be the source that the plan digests."""
    for cache in (root / "__pycache__", *(root / "suites").rglob("__pycache__")):
        for path in cache.glob("*.pyc"):
            path.unlink(missing_ok=True)


def seed_of(plan: str, suite: str, test: str) -> int:
    """The seed of one finding's Monte Carlo draws: known before the answers, different for every claim."""
    text = f"{plan}\n{suite}\n{test}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 1
