"""`gate switch`: whether another model, most often over another base, may take the place of the one in production.

Three questions at once: does the challenger meet every threshold by itself, is it no worse on any row, and is it better where
that is the case for it. Each attempt on the same gold sets spends a part of alpha, and "no" is kept as "yes" is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from evalgate import digest
from evalgate.authored.switch_rules import SwitchRules
from evalgate.crypto.keys import SigningKey
from evalgate.errors import Exit, InfrastructureError, IntegrityError, UsageError
from evalgate.files import write_new
from evalgate.gate.check import CheckError, Survey, check, survey
from evalgate.gate.record import new_stem
from evalgate.gate.whole import WholeCheck
from evalgate.records import Decision, Lock
from evalgate.release.licensing import verdict
from evalgate.release.reselection import governed_rows
from evalgate.release.switch_pairs import Asked, Pairs, compared_in_process, edited
from evalgate.report.switch import Outcome, Side, Switch, switch_html, switch_markdown
from evalgate.stats import alpha_for_attempt
from evalgate.store.ledger import Ledger, stamp
from evalgate.store.released import released
from evalgate.store.signer import gate_signer, keyring_of
from evalgate.store.turns import in_turn
from evalgate.suite import Project
from evalgate.suite.project import load_header

FOLDER: Final = "reports/switches"
_EXITS: dict[Outcome, Exit] = {"switch": Exit.OPEN, "no switch": Exit.CLOSED, "undecided": Exit.UNDECIDED}  # fmt: skip


def switch(root: Path, challenger: str, incumbent: str | None = None) -> Switch:
    """Decides about `challenger` in the place of `incumbent` (what was promoted, else the baseline), and enters it into the ledger.

    The same question, bit by bit, has the same answer for nothing. Raises UsageError (EG971: no [gate.switch]; EG972: not two
    models whose bytes are known, or no incumbent), CheckError (a check without a decision, or an outage: nothing is decided then, and
    the next start goes on with the same attempt), IntegrityError (EG970: the record of a decision is not what was written; EG502:
    files were edited meanwhile; EG974: a comparison that its own numbers do not bear out; the ledger), InfrastructureError (EG974).
    """
    project = load_header(root)
    rules = project.gate.settings.switch
    if rules is None:
        raise UsageError(
            "found no [gate.switch], expected the margins and claims of a switch. Write them before the challenger is asked.",
            where="gate.toml",
            code="EG971",
        )
    incumbent = incumbent or _incumbent(project)
    _check_known(project, challenger, incumbent)
    keyring = keyring_of(root)
    ledger = Ledger(root, keyring)
    ledger.check_clock()
    key = gate_signer(root, keyring).private
    with in_turn(root, "switch", code="EG974"):
        asked = _asked(project, challenger, incumbent)
        kept = _kept(root, ledger, asked.question)
        if kept is not None:
            return kept
        attempt = _attempt(ledger, asked)
        settings = project.gate.settings
        alpha = alpha_for_attempt(
            settings.alpha, attempt, settings.attempt_spending, attempts=settings.attempts
        )
        reasons, pairs, decision = list(asked.forbidden), Pairs(), None
        if not alpha:
            reasons.append(f"attempt {attempt} of {settings.attempts}: nothing of alpha is left on these gold sets; make new ones")  # fmt: skip
        if not reasons:
            body = {"stage": "began", "question": asked.question, "gold": asked.gold}
            ledger.append("switch", body, key)
            decision, pairs = _look(project, asked, alpha)
        outcome, more = _outcome(rules, decision, pairs, refused=bool(reasons))
        result = Switch(
            decision=outcome,
            exit=int(_EXITS[outcome]),
            made=stamp(),
            question=asked.question,
            challenger=asked.challenger,
            incumbent=asked.incumbent,
            plan=asked.survey.plan,
            locked=asked.locked,
            gold=asked.gold,
            attempt=attempt,
            attempts=settings.attempts,
            alpha=alpha,
            rows=governed_rows(root),
            check=decision.certificate or "" if decision else "",
            compared=pairs.compared,
            unpaired=pairs.unpaired,
            reasons=(*reasons, *more),
        )
        _keep(root, ledger, result, key)
    return result


class _Asked(NamedTuple):
    """What a switch is about. `forbidden`: why nothing may be asked. `question`: digest of everything that its answer depends on."""

    survey: Survey
    challenger: Side
    incumbent: Side
    gold: dict[str, str]
    locked: str
    forbidden: tuple[str, ...]
    question: str


def _incumbent(project: Project) -> str:
    now = released(project.root)
    name = now.model if now else project.gate.settings.baseline
    if name is None:
        raise UsageError(
            "found nothing promoted and no baseline, expected a model whose place is to be taken. Name it: --from MODEL",
            where="gate.toml",
            code="EG972",
        )
    return name


def _check_known(project: Project, *names: str) -> None:
    for name in names:
        if project.model(name)[1].server == "endpoint":
            raise UsageError(
                f"found [models.{name}] to be an endpoint, expected a model whose bytes are here: nothing else can be promoted. "
                "Name its artifact.",
                where="evalgate.toml",
                code="EG972",
            )


def _asked(project: Project, challenger: str, incumbent: str) -> _Asked:
    """Raises UsageError (EG972: one model twice)."""
    ours, theirs = survey(project, challenger), survey(project, incumbent)
    sides = [Side(name=s.model["name"], digest=s.model["digest"]) for s in (ours, theirs)]
    if sides[0].digest == sides[1].digest:
        raise UsageError(
            f"found the same bytes behind {challenger} and {incumbent}, expected two models. Name another one.",
            where="evalgate.toml",
            code="EG972",
        )
    gold = {
        path: known
        for path, known in ours.files.items()
        if path.endswith(".jsonl") and not path.startswith(("suites/", "rubrics/"))
    }
    lock = ours.lock
    locked = lock.digest if lock and not lock.changed else ""
    # licences change without the plan: what they forbade yesterday is another question than what they allow today
    forbidden = tuple(_forbidden(project, challenger, lock))
    told = [sides[0].digest, sides[1].digest, ours.plan, locked, gold, forbidden]
    return _Asked(ours, sides[0], sides[1], gold, locked, forbidden, digest.of_value(told))


def _forbidden(project: Project, challenger: str, lock: Lock | None) -> Iterator[str]:
    """What forbids a switch before anything is asked."""
    if lock is None:
        yield "EG802 no plan is locked: what a challenger has to meet is fixed before it is asked; run 'evalgate plan --lock'"
    elif lock.changed:
        yield f"EG802 the plan changed since it was locked: {', '.join(lock.changed[:5])}"
    allowed = verdict(project.root, challenger, "finetune", project.settings)
    yield from (f"licence: {reason}" for reason in allowed.reasons)


def _attempt(ledger: Ledger, asked: _Asked) -> int:
    """Which attempt on these gold sets this is: other questions about any of them were attempts, too, finished or not.

    A set is known by its bytes: under another name it is no new one.
    """
    ours = set(asked.gold.values())
    before = {
        entry.body["question"]
        for entry in ledger.of_kind("switch")
        if entry.body["stage"] == "began" and ours & set(entry.body["gold"].values())
    }
    return len(before - {asked.question}) + 1


def _look(project: Project, asked: _Asked, alpha: float) -> tuple[Decision, Pairs]:
    """The challenger's own check, and both models item by item; who has not answered yet is asked. Raises as `switch`."""
    decision = WholeCheck(project, asked.challenger.name).decision
    _check_decided(decision, asked.challenger, asked.survey.plan)
    if decision.decision == "closed":
        return decision, Pairs()
    told = Asked(
        root=str(project.root),
        challenger=asked.challenger,
        incumbent=asked.incumbent,
        plan=asked.survey.plan,
        alpha=alpha,
    )
    pairs = compared_in_process(project, told)
    if asked.incumbent.name in pairs.missing:
        # asked, not decided about: a decision about what is promoted would come between it and its certificate
        log = project.root / "reports" / "logs" / "check.log"
        again, _ = check(project, asked.incumbent.name, log=log)
        _check_decided(again, asked.incumbent)
        pairs = compared_in_process(project, told)
    if pairs.missing:
        why = "; ".join(
            f"{model} has not answered: {said}" for model, said in pairs.missing.items()
        )
        raise CheckError(why, Exit.INFRASTRUCTURE)
    return decision, pairs


def _check_decided(decision: Decision, about: Side, plan: str | None = None) -> None:
    """Returns if a check came to a decision about these bytes (and this plan). Raises CheckError, IntegrityError (EG502).

    What an outage, an edited run or a killed process left is none: kept as an answer, it would be one for good.
    """
    broken = decision.exit in (Exit.INFRASTRUCTURE, Exit.INTEGRITY)
    if broken or not decision.model.get("digest"):
        raise CheckError("; ".join(decision.reasons), decision.exit)
    if decision.model["digest"] != about.digest or plan not in (None, decision.plan):
        raise edited(about.name)


def _outcome(
    rules: SwitchRules, decision: Decision | None, pairs: Pairs, *, refused: bool
) -> tuple[Outcome, list[str]]:
    """The decision and its reasons. Only what is proven switches."""
    if refused or decision is None:
        return "no switch", []
    if decision.decision == "closed":
        return "no switch", [f"its own check: {reason}" for reason in decision.reasons]
    reasons = [f"its own check: {r}" for r in decision.reasons if decision.decision != "open"]
    margins = [row for row in pairs.compared if not row.claim]
    claims = [row for row in pairs.compared if row.claim]
    worse = [row for row in margins if row.status == "fail"]
    unproven = [row for row in margins if row.status not in ("pass", "fail")]
    reasons += [f"{row.name}: worse than its margin: {row.reason}" for row in worse]
    reasons += [f"{row.name}: not shown to be no worse: {row.reason}" for row in unproven]
    tasks = {row.suite for row in margins}
    bare = sorted({name.split(".")[0] for name in pairs.unpaired} - tasks)
    reasons += [f"{task}: none of its rows can be compared item by item" for task in bare]
    lost = bool(worse)
    if rules.claims and not any(row.status == "pass" for row in claims):
        reasons += [f"{row.name}: not shown to be better: {row.reason}" for row in claims]
        reasons += [f"{name}: claimed, but it cannot be compared item by item" for name in rules.claims if name not in {row.name for row in claims}]  # fmt: skip
        lost = lost or (bool(claims) and all(row.status == "fail" for row in claims))
    if not reasons:
        return "switch", []
    return ("no switch" if lost else "undecided"), reasons


def _keep(root: Path, ledger: Ledger, result: Switch, key: SigningKey) -> None:
    """Writes the record and its pages, then the entry that has its digest: all or none. Raises InfrastructureError (EG974)."""
    path = root / FOLDER / f"{new_stem(result.challenger.name)}.json"
    data = msgspec.json.format(digest.canonical(result), indent=1)
    files = {
        path.with_suffix(".html"): switch_html(result).encode(),
        path.with_suffix(".md"): switch_markdown(result).encode(),
        path: data,
    }
    body = {
        "stage": "decided",
        "question": result.question,
        "decision": result.decision,
        "challenger": msgspec.to_builtins(result.challenger),
        "incumbent": msgspec.to_builtins(result.incumbent),
        "plan": result.plan,
        "locked": result.locked,
        "gold": result.gold,
        "attempt": result.attempt,
        "record": path.relative_to(root).as_posix(),
        "digest": digest.of_bytes(data),
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        for place, content in files.items():
            write_new(place, content)
        ledger.append("switch", body, key)
    except OSError as e:
        _forget(files)
        raise InfrastructureError(
            f"found {e.strerror or e}, expected to be able to write the decision. Free some space or mend the permissions; the next "
            "start goes on with the same attempt.",
            where=FOLDER,
            code="EG974",
        ) from None
    except BaseException:  # a decision that the ledger does not know is none
        _forget(files)
        raise


def _forget(files: Iterable[Path]) -> None:
    for path in files:
        with suppress(OSError):
            path.unlink()


def _kept(root: Path, ledger: Ledger, question: str) -> Switch | None:
    """The decision about the same question. Raises IntegrityError (EG970)."""
    entry = ledger.latest("switch", lambda e: e.body["stage"] == "decided" and e.body["question"] == question)  # fmt: skip
    if entry is None:
        return None
    path = root / entry.body["record"]
    try:
        data = path.read_bytes()
        if digest.of_bytes(data) == entry.body["digest"]:
            return msgspec.json.decode(data, type=Switch)
    except (OSError, ValueError):
        pass
    raise IntegrityError(
        f"found the record of a switch missing or changed, expected what entry {entry.seq} of the ledger says. Put it back.",
        where=entry.body["record"],
        code="EG970",
    )
