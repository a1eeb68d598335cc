"""The model card of a kept decision, with what the project's files say of model and gold sets."""

from __future__ import annotations

from pathlib import Path

import msgspec

from evalgate import digest
from evalgate.authored import Problems, load_card
from evalgate.gate.record import Recorded
from evalgate.records import SuiteEvidence
from evalgate.report.card import CardFacts, SuiteFacts, render_card
from evalgate.report.signatures import Signatures
from evalgate.suite.project import load_header


def model_card(kept: Recorded, root: Path, signed: Signatures | None) -> str:
    """README.md in Hugging Face form. Raises FileProblems where gate.toml or evalgate.toml cannot be read."""
    spec = load_header(root).settings.models.get(kept.decision.model.get("name", ""))
    files = kept.evidence.files
    facts = CardFacts(
        licence=(spec.licence if spec else None) or "",
        base=(spec.base if spec else None) or "",
        artifact=(spec.artifact if spec else None) or "",
        suites=tuple(_tested(s, root, files.get(s.gold, "")) for s in kept.evidence.suites),
    )
    return render_card(kept.decision, kept.evidence, facts, signed)


def _tested(s: SuiteEvidence, root: Path, asked: str) -> SuiteFacts:
    """What the gold set's card says, if the gold set is still the one that was asked."""
    gold = root / s.gold
    told = SuiteFacts(suite=s.suite, gold=s.gold, digest=asked, items=s.items, units=s.units)
    if not gold.is_file() or digest.of_file(gold) != asked:
        return msgspec.structs.replace(told, changed=True)
    card = load_card(gold, root, Problems())
    if card is None:
        return told
    return msgspec.structs.replace(
        told,
        title=card.title,
        frame=card.sampling_frame,
        reviewed=card.reviewed,
        split=card.split,
        synthetic=card.synthetic,
    )
