"""Whether what is promoted stands on another base than what was promoted before: then a switch must have been decided."""

from __future__ import annotations

from pathlib import Path

from evalgate import digest
from evalgate.authored import GateSettings, Settings
from evalgate.errors import EvalgateError, Exit
from evalgate.release.admission import Check, Found, caught, fails, holds
from evalgate.release.trained import read_training
from evalgate.store.ledger import Ledger
from evalgate.store.released import released

_WHAT = "the base model"


def base_of(root: Path, settings: Settings, model: str) -> str:
    """The digest of the files that a model stands on: its training's base, its adapter's base, or itself; "" if they are not here.

    Raises IntegrityError (EG857: an edited record of training).
    """
    spec = settings.models.get(model)
    if spec is None or spec.artifact is None or not (root / spec.artifact).exists():
        return ""
    training = read_training(root / spec.artifact)
    if training is not None:
        return training.base
    place = root / (spec.base or spec.artifact)
    if not place.exists():
        return ""
    return digest.of_tree(place) if place.is_dir() else digest.of_file(place)


def check_base(  # noqa: PLR0917 (what is promoted, of what, by what)
    root: Path, settings: Settings, gate: GateSettings, ledger: Ledger, found: Found, alias: str
) -> Check | None:
    """None where gate.toml has no [gate.switch], or nothing was promoted yet."""
    # an alias that was never moved is no way around what stands in production
    before = released(root, alias) or released(root)
    if gate.switch is None or before is None:
        return None
    certificate = found.certificate
    name = certificate.model["name"]
    try:
        ours, theirs = base_of(root, settings, name), base_of(root, settings, before.model)
    except EvalgateError as e:
        return caught(_WHAT, e)
    if ours and ours == theirs:
        return holds(_WHAT, f"that of {before.model}, {ours[:19]}")
    for entry in reversed(ledger.of_kind("switch")):
        body = entry.body
        if body["stage"] != "decided" or body["decision"] != "switch":
            continue
        about = (body["challenger"]["digest"], body["incumbent"]["digest"], body["plan"])
        if about == (certificate.model["digest"], before.digest, certificate.predicate.decision["plan"]):  # fmt: skip
            return holds(_WHAT, f"another one than that of {before.model}: switched to at {entry.at}, {body['record']}")  # fmt: skip
    return fails(
        _WHAT,
        f"another one than that of {before.model}, and no switch to it was decided for these bytes and this plan; run "
        f"'evalgate gate switch {name} --from {before.model}'",
        Exit.CLOSED,
    )
