"""What licences allow for a purpose, and what they oblige to: of one record, and of all those that a model descends from."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Final, Literal, get_args

from evalgate.authored.licence import Licence, Obligation

Purpose = Literal["finetune", "merge", "distil", "serve"]
"""finetune: train its weights or an adapter. merge: one set of weights out of several. distil: train another model on its
answers. serve: let it answer, inside the organisation."""
PURPOSES: Final[tuple[Purpose, ...]] = get_args(Purpose)

NEEDS: Final[dict[Purpose, str]] = {
    "finetune": "may_finetune",
    "merge": "may_merge",
    "distil": "outputs_may_train_other_models",
    "serve": "internal_use",
}
ALWAYS: Final = ("commercial", "internal_use")
"""What every purpose needs: an insurer's use is commercial, even where nothing is sold."""

HARD: Final = {
    "medical-advice": "medical advice or the reading of medical results",
    "automated-decisions": "decisions about people without a person",
}
"""Fields of use that an insurer's tasks touch. A licence that denies one allows nothing until counsel has cleared that row."""


def refusals(
    licence: Licence,
    purpose: Purpose,
    on: dt.date,
    *,
    student: Collection[str] = (),
    counsel: bool = False,
) -> list[str]:
    """Why the licence does not allow `purpose` on that day, each reason with its clause; [] if it does.

    `student`: ids of the licences of the model that is to learn from the answers (for "distil"): some texts allow that within
    one family only. `counsel`: the project asks that a lawyer has reviewed the record.
    """
    found = []
    if not licence.verified:
        found.append("unverified: this record was not checked against a text that it can name")
    if counsel and not licence.counsel:
        found.append(f"no counsel has reviewed the record: {licence.reviewed_by}")
    for name in dict.fromkeys((NEEDS[purpose], *ALWAYS)):
        if not licence.says(name) and not (
            purpose == "distil" and _in_family(licence, name, student)
        ):
            said = f"false: {licence.flags[name]}" if name in licence.flags else "not stated"
            found.append(f"{name} is {said}")
    if licence.expires is not None and on > licence.expires.value:
        found.append(f"expired after {licence.expires.value}: {licence.expires}")
    policy = licence.acceptable_use
    if policy is not None and not policy.checked:
        found.append(
            f"its policy of acceptable use ({policy.url}) was not read: “{policy.clause}” ({policy.where})"
        )
    found += [
        f"DENIES {HARD[one.use].upper()}: “{one.clause}” ({one.where}); counsel has to clear this row"
        for one in licence.denied
        if one.use in HARD and not one.cleared_by
    ]
    return found


def _in_family(licence: Licence, name: str, student: Collection[str]) -> bool:
    """Whether answers may train the student because it is of the same family."""
    return (
        name == NEEDS["distil"]
        and licence.id in student
        and licence.says("outputs_may_train_same_family") is True
    )


def remarks(licence: Licence) -> list[str]:
    """What does not forbid, and has to be known: fields of use denied and cleared, caps, changes, how it ends."""
    found = []
    for one in licence.denied:
        cleared = f"; cleared by {one.cleared_by} on {one.cleared_on}: {one.cleared_why}"
        if one.use not in HARD or one.cleared_by:
            found.append(f"denies {one.use}: “{one.clause}”{cleared if one.cleared_by else ''}")
    if cap := licence.monthly_users_cap:
        found.append(f"not with more than {cap.value:,} monthly users: {cap}")
    if licence.says("terms_can_change"):
        found.append(f"its terms can change: {licence.flags['terms_can_change']}")
    if licence.termination is not None:
        found.append(f"ends: {licence.termination}")
    return found


def obligations(licences: Sequence[Licence]) -> list[tuple[Licence, Obligation]]:
    """All obligations of these licences, in their order; what two of them ask in the same words stands once."""
    found: dict[tuple[str, str], tuple[Licence, Obligation]] = {}
    for licence in licences:
        for one in licence.obligations:
            found.setdefault((one.kind, one.text), (licence, one))
    return list(found.values())


def notice(name: str, licences: Sequence[Licence]) -> str:
    """The text of the NOTICE that goes with a model of that name: notices to keep word for word, then what else is to be done."""
    due = obligations(licences)
    lines = [f"NOTICE for the model {name}", ""]
    lines += [f"- {one.name} ({one.id})" for one in licences] or ["- no licence"]
    for heading, kinds in _PARTS:
        wanted = [(licence, one) for licence, one in due if one.kind in kinds]
        if wanted:
            lines += ["", heading, ""]
            lines += [
                _line(licence, one, word_for_word="notice" in kinds) for licence, one in wanted
            ]
    lines += ["", "Compiled from licence records; the texts of the licences themselves bind.", ""]
    return "\n".join(lines)


def _line(licence: Licence, one: Obligation, *, word_for_word: bool) -> str:
    if word_for_word:
        return one.text
    only = (
        " (only if the model or a service with it goes to others)"
        if one.when == "distributed"
        else ""
    )
    return f"- {one.text}{only} [{licence.id}, {one.where}]"


_PARTS: Final = (
    ("Notices", ("notice",)),
    ("Names and words to show", ("naming", "display", "disclose")),
    ("When it is passed on", ("copy", "changes", "pass-on", "share-alike")),
)
