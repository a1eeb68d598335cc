"""What is done in the test process of a check about sealed sets: it is handed a key, says what it would ask, and needs labels.

Loaded by the plugin in every session: what only sealed sets need is imported where it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from evalgate.errors import UsageError
from evalgate.gate.check import Survey
from evalgate.records import ModelIdentity, Record
from evalgate.store.attempts import SealedSet

if TYPE_CHECKING:
    from evalgate.suite import AskedModel, Project
    from evalgate.suite.project import Opening

OUTCOME: Final = "outcome"
"""What the encrypted outcome of a test process is called."""


class Handed(Record, kw_only=True):
    """What a test process is told. `key`: the seal key's bytes, b"" if it reads no sealed set; `alphas`: by digest of each set.

    `survey`: it only says what would be asked.
    """

    key: bytes = b""
    alphas: dict[str, float] = msgspec.field(default_factory=dict)
    survey: bool = False

    @classmethod
    def read(cls, data: bytes) -> Handed | None:
        """What stands behind the nonce; None where nothing does."""
        return msgspec.json.decode(data, type=cls) if data else None

    def __repr__(self) -> str:
        return f"<Handed sets={len(self.alphas)}>"

    @property
    def opening(self) -> Opening | None:
        """What opens the sealed sets of the project; None if the check is not about them."""
        if not self.key:
            return None
        from evalgate.crypto.seal import SealKey
        from evalgate.suite.project import Opening

        return Opening(key=SealKey(self.key), alphas=self.alphas)

    def hidden(self, outcome: bytes) -> bytes:
        """The outcome as it lies on the disk until the gate has read it."""
        return self.opening.key.seal(outcome, kind=OUTCOME, name="") if self.opening else outcome


def with_labels(project: Project, candidate: ModelIdentity) -> Project:
    """In the test process: `project` with the labels of the candidate's answers to its sealed sets, if it is about such.

    Raises FileProblems, IntegrityError (labels that cannot be read).
    """
    if project.sealed is None or not _judged(project):
        return project
    from evalgate.suite.sealed_labels import with_labels as labelled

    return labelled(project, candidate)


def require_labels(project: Project, asked: AskedModel, judge: ModelIdentity | None) -> None:
    """In the test process: returns if nothing is missing of people. Raises Undecided (EG930), and what asking the judge raises."""
    if project.sealed is not None and _judged(project):
        from evalgate.suite.sealed_labels import require_labels as required

        required(project, asked, judge)


def _judged(project: Project) -> bool:
    return any(bar.judge for rows in project.gate.suites.values() for bar in rows.values())


def survey_of(
    project: Project,
    candidate: ModelIdentity,
    plan: str,
    *,
    baseline: str | None,
    judge: ModelIdentity | None,
) -> Survey:
    """In the test process: what it would ask. Raises UsageError (EG768: a judge that would read sealed answers elsewhere)."""
    from evalgate.gate.evidence import files_of
    from evalgate.gate.plan import lock_of

    if project.sealed is not None and judge is not None and judge.server == "endpoint":
        raise endpoint_refused(judge.name)
    return Survey(
        model={"name": candidate.name, "digest": candidate.digest},
        plan=plan,
        baseline=baseline,
        files=files_of(project, candidate),
        lock=lock_of(project, judge),
        sealed={
            name: SealedSet(
                version=loaded.card.version, digest=loaded.gold.digest, date=loaded.card.date
            )
            for name, loaded in project.suites.items()
            if loaded.card is not None and project.sealed is not None
        },
        labels={
            name: loaded.labelled[1]
            for name, loaded in project.suites.items()
            if loaded.labelled and loaded.labelled[1]
        },
    )


def endpoint_refused(name: str) -> UsageError:
    """The error of a model that somebody else serves (EG768)."""
    return UsageError(
        f"found {name}, an endpoint, expected a model that evalgate serves itself: whoever runs the endpoint would read "
        "the sealed items. Check its weights by an `artifact`.",
        where=f"evalgate.toml: [models.{name}]",
        code="EG768",
    )
