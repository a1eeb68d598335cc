"""Putting a decision beyond dispute: a signed certificate about the model's files, and an entry in the ledger."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path

import msgspec

from evalgate import digest
from evalgate.errors import IntegrityError
from evalgate.models import artifact
from evalgate.records import Decision, Evidence, ModelSpec
from evalgate.report.json import to_json
from evalgate.store.aliases import check_beyond
from evalgate.store.attempts import Certified, Question, Verdict
from evalgate.store.certificate import FOLDER, Predicate, Subject, issue, keep, read
from evalgate.store.ledger import Ledger, seconds_of, stamp
from evalgate.store.sealed_certificate import SUFFIX, Attempt, SealedPredicate, issue_sealed
from evalgate.store.signer import Signer, gate_signer, keyring_of
from evalgate.suite import Project

DAY_S = 86_400


class Sealing:
    """The signature of one check: the key is at hand, and the ledger sound, before the first question is asked."""

    def __init__(self, project: Project) -> None:
        """Raises UsageError (no key that counts), IntegrityError (the ledger is not what was written, or the clock)."""
        self._project = project
        self.signer: Signer = gate_signer(project.root, keyring_of(project.root))
        self.keyring = keyring_of(project.root)
        self.ledger = Ledger(project.root, self.keyring)
        self.ledger.check_clock()
        check_beyond(project.root, self.ledger)

    def certified(self, decision: Decision, evidence: Evidence, stem: str) -> Decision:
        """The decision with the path of its certificate, which is written; unchanged where no bytes were identified.

        Raises IntegrityError (EG724) if the model's files are not the ones that were asked, InfrastructureError (EG723).
        """
        name, known = decision.model.get("name", ""), decision.model.get("digest", "")
        spec = self._project.model(name)[1] if name and known else None
        if spec is None or spec.server == "endpoint":
            return decision
        subjects = subjects_of(spec, self._project.root)
        if model_digest(spec, subjects) != known:
            raise _other_files(spec)
        path = self._project.reports / FOLDER / f"{stem}.json"
        keep(path, issue(subjects, self._predicate(decision, evidence, spec), self.signer.private))
        relative = path.relative_to(self._project.root).as_posix()
        return msgspec.structs.replace(decision, certificate=relative)

    def enter(self, decision: Decision) -> None:
        """Enters the decision into the ledger. Raises as `Ledger.append`."""
        path = self._project.root / decision.certificate if decision.certificate else None
        self.ledger.append(
            "decision",
            {
                "decision": decision.decision,
                "exit": decision.exit,
                "model": decision.model,
                "plan": decision.plan,
                "attempt": decision.attempt,
                "certificate": decision.certificate,
                "digest": digest.of_file(path) if path else None,
            },
            self.signer.private,
        )

    def withdraw(self, decision: Decision) -> None:
        """Removes the certificate of a decision that could not be entered."""
        if decision.certificate:
            (self._project.root / decision.certificate).unlink(missing_ok=True)

    def _predicate(self, decision: Decision, evidence: Evidence, spec: ModelSpec) -> Predicate:
        issued = stamp()
        gate = self._project.gate.settings
        lock = evidence.lock
        return Predicate(
            decision={k: v for k, v in to_json(decision).items() if k != "certificate"},
            evidence=evidence,
            artifact=spec.artifact or "",
            base=spec.base or "",
            issued=issued,
            expires=stamp(seconds_of(issued) + gate.valid_days * DAY_S),
            key_grade=self.signer.key.grade,
            keyring=self.keyring.digest,
            sign_off=gate.sign_off,
            require_sealed=gate.require_sealed,
            first_release=gate.first_release,
            platform={
                "python": platform.python_version(),
                "system": platform.system(),
                "release": platform.release(),
                "machine": platform.machine(),
            },
            locked=lock.digest if lock and not lock.changed else "",
        )


def certify_sealed(
    project: Project,
    question: Question,
    verdict: Verdict,
    attempts: Mapping[str, Attempt],
    evidence: Evidence,
    *,
    decides: str,
    signer: Signer,
) -> Certified:
    """Writes the certificate of a sealed check beside those of dev checks: the bit, and what it is about.

    Raises IntegrityError (EG724) if the model's files are not the ones that were asked, InfrastructureError (EG723).
    """
    spec = project.model(question.model["name"])[1]
    subjects = subjects_of(spec, project.root)
    if model_digest(spec, subjects) != question.model["digest"]:
        raise _other_files(spec)
    lock = evidence.lock
    predicate = SealedPredicate(
        decision="open" if verdict.open else "not open",
        model=question.model,
        plan=question.plan,
        attempts=dict(attempts),
        bundle=verdict.sum,
        decides=decides,
        locked=lock.digest if lock and not lock.changed else "",
        judge=evidence.judge,
        egress=evidence.egress,
        artifact=spec.artifact or "",
        base=spec.base or "",
        issued=stamp(),
        evalgate=evidence.evalgate,
        key_grade=signer.key.grade,
        keyring=keyring_of(project.root).digest,
    )
    path = project.reports / FOLDER / f"{Path(verdict.bundle).stem}{SUFFIX}"
    data = issue_sealed(subjects, predicate, signer.private)
    keep(path, data)
    return Certified(path=path.relative_to(project.root).as_posix(), digest=digest.of_bytes(data))


def _other_files(spec: ModelSpec) -> IntegrityError:
    return IntegrityError(
        "found other files than were asked, expected the model as it answered. Leave them alone and check again.",
        where=spec.artifact or "",
        code="EG724",
    )


def check_kept(decision: Decision, evidence: Evidence, root: Path) -> None:
    """Returns if a kept decision says what its certificate says, where that is here: the files beside it bear no signature.

    Raises IntegrityError (EG729; EG720 to EG722 for the certificate itself), FileProblems for keys.toml.
    """
    if decision.certificate is None or not (root / decision.certificate).exists():
        return
    told = read(root / decision.certificate, keyring_of(root), where=decision.certificate).predicate
    said = {k: v for k, v in to_json(decision).items() if k != "certificate"}
    if digest.canonical((said, evidence)) != digest.canonical((told.decision, told.evidence)):
        raise IntegrityError(
            "found a kept decision that does not say what its certificate says, expected the same. Find out who edited it; "
            "believe the certificate: evalgate verify.",
            where=decision.certificate,
            code="EG729",
        )


def subjects_of(spec: ModelSpec, root: Path) -> list[Subject]:
    """Every file of a model that evalgate serves itself, by its path below the project; of an adapter its base's too."""
    found = []
    for place in (spec.artifact, spec.base):
        if place is None:
            continue
        path = root / place
        files = digest.files_of(path) if path.is_dir() else {"": digest.of_file(path)}
        found += [
            Subject(
                name=f"{place}/{name}" if name else place,
                digest={"sha256": value.removeprefix("sha256:")},
            )
            for name, value in files.items()
        ]
    return found


def model_digest(spec: ModelSpec, subjects: list[Subject]) -> str:
    """The digest that `identify` gives a model whose files are `subjects`."""
    return artifact.digest_of(
        spec.artifact or "", spec.base, {s.name: f"sha256:{s.digest['sha256']}" for s in subjects}
    )
