"""Licences asked once more before an alias moves: a record may have been edited, or run out, since the model was trained."""

from __future__ import annotations

from pathlib import Path

from evalgate.authored import Settings
from evalgate.authored.licence_text import texts_beside
from evalgate.errors import EvalgateError, Exit
from evalgate.release.admission import Check, caught, fails, holds, settings_of, skipped
from evalgate.release.licensing import verdict
from evalgate.release.trained import read_training
from evalgate.store.certificate import Certificate


def check_licences(root: Path, certificate: Certificate) -> list[Check]:
    """Whether the licences that a certified model rests on still allow it today; [] for one that is no file here.

    Of a model that was trained here (EG985): what `gate train` asked, of the base and all that it comes from, and of the models
    that wrote rows. Of another one (EG986): that its licence lets it serve, if evalgate.toml or a text beside it names one.
    What its data allows is for `trained.check_trained`.
    """
    name, artifact = certificate.model["name"], certificate.predicate.artifact
    if not artifact:
        return []
    try:
        settings = settings_of(root)
        trained = read_training(root / artifact) is not None
        what = "licences of what it learnt from" if trained else "its licence"
        if not trained and not _stated(root, name, settings):
            return [skipped(what, f"evalgate.toml names none for {name}, and no text lies with it")]
        found = verdict(root, name, "finetune" if trained else "serve", settings, data=False)
    except EvalgateError as e:
        return [caught("licences", e)]
    if not found.allowed:
        code = "EG985" if trained else "EG986"
        return [fails(what, f"{code} {'; '.join(found.reasons)}", Exit.CLOSED)]
    return [holds(what, f"allowed by {', '.join(found.licences)}")]


def _stated(root: Path, name: str, settings: Settings) -> bool:
    """Whether a licence is named for a model that was not trained here, or for what it lies over, or the text of one is there."""
    spec = settings.model(name)
    places = {root / place for place in (spec.artifact, spec.base) if place}
    named = [one for one in settings.models.values() if one.artifact and root / one.artifact in places]  # fmt: skip
    texts = [text for place in places if place.exists() for text in texts_beside(place)]
    return bool(texts) or any(one.licence for one in (spec, *named))
