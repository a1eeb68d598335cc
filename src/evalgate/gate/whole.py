"""A whole check: asked, decided, certified, kept and entered into the ledger, or nothing of it."""

from __future__ import annotations

from pathlib import Path

from evalgate.gate.certify import Sealing
from evalgate.gate.check import check
from evalgate.gate.evidence import now
from evalgate.gate.record import new_stem, record, withdraw
from evalgate.records import Decision, Evidence
from evalgate.suite import Project


class WholeCheck:
    """What a check of `name` came to. `page`: its report; `withdraw` takes it back where it could not be told."""

    def __init__(
        self, project: Project, name: str, *, fresh: bool = False, copy: Path | None = None
    ) -> None:
        """Raises CheckError (no decision), UsageError (no key), IntegrityError, InfrastructureError (EG501, EG723)."""
        self._copy = copy
        self._sealing = Sealing(project)
        log = project.root / "reports" / "logs" / "check.log"
        decision, evidence = check(project, name, fresh=fresh, log=log)
        self.evidence: Evidence = evidence or now()
        self.stem = new_stem(name)
        self.decision: Decision = self._sealing.certified(decision, self.evidence, self.stem)
        self.page = record(self.decision, project.root, self.evidence, copy=copy, stem=self.stem)
        try:
            self._sealing.enter(self.decision)
        except BaseException:  # a decision that the ledger does not know is none
            self.withdraw()
            self._sealing.withdraw(self.decision)
            raise

    def withdraw(self) -> None:
        """Removes the report."""
        withdraw(self.page, copy=self._copy)
