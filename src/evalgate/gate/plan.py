"""The plan: everything that decides, fixed before the first question. Its digest names it, and seeds come from that.

What of it holds for every model (`locked.py`) is locked in the ledger before any is seen; docs/plan.md.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from importlib import metadata
from itertools import pairwise
from pathlib import Path

import msgspec

from evalgate import digest
from evalgate.authored import Problems, load_card
from evalgate.authored.gate_toml import CENSUS, GateSettings, is_census, split_key
from evalgate.authored.sealed_labels import LABELS
from evalgate.errors import IntegrityError, Refused
from evalgate.gate.locked import Gold, LockedPlan, Marks, Task, differences
from evalgate.records import Lock, ModelIdentity, ModelSpec, Record
from evalgate.store.released import released
from evalgate.store.turns import in_turn
from evalgate.suite import LoadedSuite, Project, load_project

DISTRIBUTION = "evalgate-release"
REVIEWED_LATER = (".labels.jsonl", ".review.json", LABELS)
"""Endings of what people make for answers of a model, after the plan."""


def version() -> str:
    """The installed version of evalgate."""
    return metadata.version(DISTRIBUTION)


def plan_digest(
    project: Project, spec: ModelSpec, baseline: str | None, *, judge: ModelIdentity | None = None
) -> str:
    """Digest of gate.toml, gold sets, rubrics, suites with conftest, prompts, sampling, server arguments, baseline, judge, version.

    `baseline` is the digest of the baseline's identity. `judge`: who judges, where a row needs one; its prompt and
    sampling are evalgate's own and come with its version. About sealed sets labels are left out: they belong to an attempt
    (`store.attempts`), and those of dev sets decide nothing there. Litter (hidden files, caches, editors' backups) is left out:
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
            "files": deciding_files(project),
            "gold": {name: s.gold.digest for name, s in project.suites.items()},
            "suites": {name: s.suite.digest for name, s in project.suites.items()},
            "server": {"kind": spec.server, "args": list(spec.args)},
            "baseline": baseline,
        }
    )


def deciding_files(project: Project) -> dict[str, str]:
    """`code_digests`; of a project about sealed sets without what people made for answers to dev sets."""
    files = code_digests(project.root)
    return without_labels(files) if project.sealed is not None else files


def without_labels(files: Mapping[str, str]) -> dict[str, str]:
    """Digests of files by path, without those that are about one model's answers: labels, and draws of what people label."""
    return {name: value for name, value in files.items() if not name.endswith(REVIEWED_LATER)}


def code_digests(root: Path) -> dict[str, str]:
    """The digest of every file of suites/ and rubrics/ and of conftest.py, by its path below `root`; litter left out.

    So are labels of answers to sealed sets: they decide nothing but the sealed checks that name them.
    """
    files = [p for folder in ("suites", "rubrics") for p in (root / folder).rglob("*")]
    files += [root / "conftest.py"]
    return {
        name: digest.of_file(p)
        for p in sorted(files)
        if p.is_file()
        and not _litter(name := p.relative_to(root).as_posix())
        and not name.endswith(LABELS)
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


class Locked(Record, kw_only=True):
    """A lock as the ledger has it. `after`: decisions between the lock before it (or the beginning) and this one."""

    seq: int
    at: str
    by: str
    digest: str
    plan: LockedPlan
    reason: str
    after: int


class _Body(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a `plan` entry; `changed` and `weakened` beside it are for people who read the ledger."""

    digest: str
    plan: LockedPlan
    reason: str
    after: int


def lockable(project: Project, judge: ModelIdentity | None) -> LockedPlan:
    """What of the project's plan can be locked, whichever model is asked. `judge`: who judges, where a row needs one.

    Labels and the review plan are left out: people make them for answers of a model. Raises OSError, and FileProblems for
    cards of sealed sets.
    """
    if project.sealed is not None:  # its suites hold sealed sets in place of the others
        project = load_project(project.root, only=set(project.suites))
    files = without_labels(code_digests(project.root))
    return LockedPlan(
        evalgate=version(),
        settings=_settings_as_written(project),
        tasks={name: _task(project, loaded) for name, loaded in project.suites.items()},
        files=files | {s.suite.prompt: s.prompt.digest for s in project.suites.values()},
        judge=(judge.name, judge.digest, judge.server, judge.version, *judge.args) if judge else (),
    )


def _settings_as_written(project: Project) -> GateSettings:
    """The table [gate], with the baseline that the file names: the promoted model comes in its place by itself."""
    settings = project.gate.settings
    if released(project.root) is not None:
        table = tomllib.loads((project.root / project.gate.path).read_text(encoding="utf-8"))
        settings = msgspec.structs.replace(settings, baseline=table["gate"].get("baseline"))
    return msgspec.structs.replace(settings, sign_off=tuple(sorted(settings.sign_off)))


def _task(project: Project, loaded: LoadedSuite) -> Task:
    rows = project.gate.suites[loaded.suite.name]
    slices = {name for key in rows if (name := split_key(key)[1])}
    slices |= {CENSUS for key in rows if is_census(key)}
    rubric = loaded.rubric
    return Task(
        rows=rows,
        gold=_gold(loaded, slices),
        sealed=_sealed(project, loaded, slices),
        prompt=loaded.suite.prompt,
        suite=loaded.suite.digest,
        rubric=Marks(
            pass_mark=rubric.pass_mark, critical={c.id: c.critical for c in rubric.criteria}
        )
        if rubric
        else None,
    )


def _gold(loaded: LoadedSuite, named: Collection[str]) -> Gold:
    gold = loaded.gold
    units = {**gold.labels, **(gold.classes or {})}
    units |= {tag: gold.units_with_tag(tag) for tag in gold.tags if tag in named}
    units[CENSUS] = gold.items_with_tag(CENSUS)
    return Gold(
        path=loaded.suite.gold,
        digest=gold.digest,
        items=gold.n,
        units=gold.units,
        slices={name: units[name] for name in sorted(named) if name in units},
    )


def _sealed(project: Project, loaded: LoadedSuite, named: Collection[str]) -> Gold | None:
    """The sealed set beside a dev set, as far as its card tells without the key; None if there is none."""
    from evalgate.authored.sealed import sealed_path

    path = sealed_path(project.root / loaded.suite.gold)
    if not path.exists():
        return None
    problems = Problems()
    card = load_card(path, project.root, problems)
    problems.raise_if_any()
    if card is None or card.sealed is None:
        return None
    contents = card.sealed
    return Gold(
        path=path.relative_to(project.root).as_posix(),
        digest=contents.plain,
        items=contents.items,
        units=contents.units,
        slices={name: n for name, n in sorted(contents.tags.items()) if name in named},
    )


def judge_of(project: Project) -> ModelIdentity | None:
    """Who judges; None where no row needs a judge. Raises as `identify_judge`."""
    if not any(bar.judge for rows in project.gate.suites.values() for bar in rows.values()):
        return None
    from evalgate.suite.judging import identify_judge

    return identify_judge(project, ())


def locks(root: Path) -> list[Locked]:
    """Every plan that was locked, oldest first. Raises IntegrityError (the ledger; EG801: an entry that cannot be read)."""
    try:  # a look that costs nothing where nothing was locked: most commands then need no cryptography
        if b'"kind":"plan"' not in (root / "reports" / "ledger.jsonl").read_bytes():
            return []
    except OSError:
        return []
    from evalgate.store.signer import ledger_of

    found = []
    for entry in ledger_of(root).of_kind("plan"):
        try:
            body = msgspec.convert(entry.body, _Body)
        except msgspec.ValidationError as e:
            raise IntegrityError(
                f"found a locked plan that cannot be read ({e}), expected one as this version writes it. Use the version "
                "that wrote it, or restore the ledger.",
                where=f"reports/ledger.jsonl:{entry.seq + 1}",
                code="EG801",
            ) from None
        found.append(
            Locked(
                seq=entry.seq,
                at=entry.at,
                by=entry.by,
                digest=body.digest,
                plan=body.plan,
                reason=body.reason,
                after=body.after,
            )
        )
    return found


def lock_of(project: Project, judge: ModelIdentity | None) -> Lock | None:
    """How the project as it stands compares with the last locked plan; None if none was ever locked. Raises as `locks`."""
    found = locks(project.root)
    if not found:
        return None
    last = found[-1]
    changes = differences(last.plan, lockable(project, judge))
    return Lock(
        digest=last.digest,
        at=last.at,
        changed=tuple(map(str, changes)),
        weakened=tuple(weakened(found)),
    )


def weakened(found: Sequence[Locked]) -> Iterator[str]:
    """What the last of these locks still asks less for than one before it did, with when and why, oldest first.

    What was weakened is in force until a later lock asks for as much again as before; another, smaller loosening in
    between does not wash it away.
    """
    for before, lock in pairwise(found):
        still = {c.what: c for c in differences(before.plan, found[-1].plan) if c.weaker}
        for change in differences(before.plan, lock.plan):
            if change.weaker and change.what in still:
                now = still[change.what].now
                since = f", now {now}" if now != change.now else ""
                seen = f", {after(lock.after)}" if lock.after else ""
                yield f"{change}{since} (locked {lock.at[:10]}{seen}): {lock.reason or 'no reason given'}"


def after(decisions: int) -> str:
    """In words that results were known by then: so many decisions stand in the ledger between two locks."""
    return f"after {decisions} decision{'s were' if decisions != 1 else ' was'} seen"


def lock_plan(project: Project, judge: ModelIdentity | None, reason: str = "") -> Locked:
    """Enters the project's plan into the ledger, signed by the gate; the last lock, if it is that plan already.

    Raises Refused (EG800: it asks for less than the last one, and no reason is given), and what signing and the ledger raise.
    """
    from evalgate.store.signer import gate_signer, keyring_of, ledger_of

    root, reason = project.root, " ".join(reason.split())
    key = gate_signer(root, keyring_of(root)).private
    ledger = ledger_of(root)
    with in_turn(root, "plan", code="EG803"):
        found, plan = locks(root), lockable(project, judge)
        changes = differences(found[-1].plan, plan) if found else []
        if found and not changes:
            return found[-1]
        weaker = [str(change) for change in changes if change.weaker]
        if weaker and not reason:
            raise Refused(
                f"found that it asks for less than the plan locked on {found[-1].at[:10]}: {'; '.join(weaker)}; expected a "
                "reason, which stays in the ledger and in every report. Give it with --reason, or take the changes back.",
                where="the plan",
                code="EG800",
            )
        since = found[-1].seq if found else -1
        body = {
            "digest": digest.of_value(plan),
            "reason": reason,
            "after": sum(entry.seq > since for entry in ledger.of_kind("decision")),
            "changed": [str(change) for change in changes],
            "weakened": weaker,
            "plan": msgspec.to_builtins(plan),
        }
        ledger.append("plan", body, key)
        return locks(root)[-1]


def require_locked(project: Project, tasks: Collection[str]) -> None:
    """Returns if every task is in the last locked plan as it stands now: rows, gold sets, rubric, prompt, suite module.

    What belongs to no single task (the table [gate], a conftest, the judge) is the business of `gate check`. Raises Refused
    (EG802) that names the others, and as `locks`.
    """
    found = locks(project.root)
    known = found[-1].plan.tasks if found else {}
    changes = differences(found[-1].plan, lockable(project, None)) if found else []
    faults = []
    for task in tasks:
        changed = [str(change) for change in changes if change.task == task]
        if task not in project.suites:
            faults.append(f"{task} (no suite and no rows in gate.toml)")
        elif task not in known:
            faults.append(f"{task} (never locked)")
        elif changed:
            faults.append(f"{task} (changed since: {', '.join(changed)})")
    if faults:
        raise Refused(
            f"found no locked plan for {'; '.join(faults)}, expected one for each: what a model has to meet is fixed before "
            "it is trained. Run 'evalgate plan --lock'.",
            where="the plan",
            code="EG802",
        )
