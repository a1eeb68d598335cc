"""terms/NAME.toml: what one contract allows with its data. What nobody read out of the contract is unknown, and unknown is no.

Several terms hold together as their intersection (`meet`): what every one of them allows.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from functools import reduce
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import tomlkit

from evalgate.authored.problems import Problems, describe, listing, nearest
from evalgate.authored.quoted import KEYS, NEVER, Quoted, day, day_of, flag, plain, texts
from evalgate.authored.toml_file import Section, TomlFile, read_toml
from evalgate.records import Record

FOLDER = "terms"
WORLDWIDE = "worldwide"
MOST_DAYS = 36_500

Use = Literal["train", "distil", "augment"]
"""train: rows are trained on. distil: what a model learnt from them is passed on to another through its answers. augment: new
examples are made out of them."""

_USES: Final[tuple[Use, ...]] = ("train", "distil", "augment")
V = TypeVar("V")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PLACE = re.compile(r"[A-Z]{2}")
_HEAD = ("vendor", "contract", "read_by", "read_on", "withdrawn", "why")


class Bounds(Record, kw_only=True):
    """What may be done, at most. None: unknown. Dates: `effective` the first day, `expires` and `keep_until` the last.

    `delete_at_end`: all of it, descendants too, is deleted when the contract ends. `territory`: countries (ISO 3166, two
    letters) where it may be processed; None for unknown, `EVERYWHERE` without limit.
    """

    may_train: bool | None
    may_distil: bool | None
    may_augment: bool | None
    effective: dt.date | None
    expires: dt.date | None
    keep_until: dt.date | None
    delete_at_end: bool | None
    territory: frozenset[str] | None


EVERYWHERE: Final = frozenset({WORLDWIDE})
FREE: Final = Bounds(
    may_train=True,
    may_distil=True,
    may_augment=True,
    effective=dt.date.min,
    expires=NEVER,
    keep_until=NEVER,
    delete_at_end=False,
    territory=EVERYWHERE,
)
"""No limit at all: what no terms at all amount to under `meet`, never what an unknown origin amounts to."""


def meet(one: Bounds, other: Bounds) -> Bounds:
    """What both allow: commutative, associative, idempotent, and never more than either. FREE changes nothing."""
    return Bounds(
        may_train=_both(one.may_train, other.may_train),
        may_distil=_both(one.may_distil, other.may_distil),
        may_augment=_both(one.may_augment, other.may_augment),
        effective=_known(one.effective, other.effective, latest=True),
        expires=_known(one.expires, other.expires, latest=False),
        keep_until=_known(one.keep_until, other.keep_until, latest=False),
        delete_at_end=_duty(one.delete_at_end, other.delete_at_end),
        territory=_common(one.territory, other.territory),
    )


def _both(one: bool | None, other: bool | None) -> bool | None:
    """The stricter permission: no before unknown before yes."""
    if one is False or other is False:
        return False
    return None if one is None or other is None else True


def _duty(one: bool | None, other: bool | None) -> bool | None:
    """The stricter duty: unknown, which allows nothing, before yes before no."""
    return None if one is None or other is None else one or other


def _known(one: dt.date | None, other: dt.date | None, *, latest: bool) -> dt.date | None:
    if one is None or other is None:
        return None
    return max(one, other) if latest else min(one, other)


def _common(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    if one is None or other is None:
        return None
    if EVERYWHERE in (one, other):
        return other if one == EVERYWHERE else one
    return one & other


def refusals(bounds: Bounds, use: Use, on: dt.date, *, place: str = "") -> list[str]:
    """Why `use` is not allowed on that day, [] if it is. `place`: where, two letters; "" where nobody asks.

    Whatever is unknown refuses. Training on descendants asks for "augment" as well: that is for the caller to ask.
    """
    found = []
    allowed = {
        "train": bounds.may_train,
        "distil": bounds.may_distil,
        "augment": bounds.may_augment,
    }
    if not allowed[use]:
        found.append(f"may_{use} is {'false' if allowed[use] is False else 'not stated'}")
    found += [
        f"{name} is not stated" for key, name in _MUST_SAY.items() if getattr(bounds, key) is None
    ]
    if bounds.effective is not None and on < bounds.effective:
        found.append(f"not in force before {bounds.effective}")
    if bounds.expires is not None and on > bounds.expires:
        found.append(f"expired after {bounds.expires}")
    if bounds.keep_until is not None and on > bounds.keep_until:
        found.append(f"to be deleted since {bounds.keep_until}")
    if bounds.territory is not None:
        if not bounds.territory:
            found.append("no country in which all of them allow it")
        elif place and bounds.territory != EVERYWHERE and place not in bounds.territory:
            found.append(f"territory is {plain(bounds.territory)}, not {place}")
    return found


_MUST_SAY = {
    "effective": "effective",
    "expires": "expires",
    "keep_until": "retention",
    "delete_at_end": "deletion_on_termination",
    "territory": "territory",
}
"""What else must be known, with its name in the file."""


class Terms(Record, kw_only=True):
    """A valid terms file: what it allows (`bounds`), and the clause of each value by its name in the file.

    `vendor`: who gave the data. `read_by`, `read_on`: who read the contract for this file, and when. `withdrawn`: the day
    from which nothing of it may be used any more, whatever else stands there, and `why`. `digest`: of the exact bytes.
    """

    id: str
    path: str
    digest: str
    vendor: str
    contract: str
    read_by: str
    read_on: dt.date
    bounds: Bounds
    clauses: dict[str, str]
    withdrawn: dt.date | None = None
    why: str = ""

    def refusals(self, use: Use, on: dt.date, *, place: str = "") -> list[str]:
        """Why `use` is not allowed on that day, each with the clause where there is one; [] if it is."""
        if self.withdrawn is not None:
            return [f"withdrawn on {self.withdrawn}{f': {self.why}' if self.why else ''}"]
        return [self._with_clause(r) for r in refusals(self.bounds, use, on, place=place)]

    def _with_clause(self, reason: str) -> str:
        for words, name in _SAID_BY.items():
            if reason.startswith(words) and name in self.clauses:
                return f"{reason}: {self.clauses[name]}"
        return reason

    def duty(self, on: dt.date) -> str:
        """What has to be deleted, and by when; "" if nothing has to."""
        bounds = self.bounds
        if self.withdrawn is not None:
            return f"delete all of it: withdrawn on {self.withdrawn}"
        ends = [
            d for d in (bounds.keep_until, bounds.expires if bounds.delete_at_end else None) if d
        ]
        end = min(ends, default=NEVER)
        if end == NEVER:
            return "" if bounds.delete_at_end is False else "delete when the contract ends"
        return f"delete all of it {'now: the last day was' if on > end else 'by'} {end}"


_SAID_BY = {
    "may_train": "may_train",
    "may_distil": "may_distil",
    "may_augment": "may_augment",
    "not in force": "effective",
    "expired": "expires",
    "to be deleted": "retention",
    "territory": "territory",
}


class Standing(Record, kw_only=True):
    """Terms that hold together: those that could be read by their ids, and why each of the others cannot be."""

    terms: dict[str, Terms]
    unknown: dict[str, str]

    @property
    def bounds(self) -> Bounds:
        """What all that are known allow together (`unknown` ones allow nothing: see `refusals`)."""
        return reduce(meet, (terms.bounds for terms in self.terms.values()), FREE)

    def refusals(self, use: Use, on: dt.date, *, place: str = "") -> list[str]:
        """Why `use` is not allowed, as `ID: reason`; [] if every one of them allows it. No terms at all refuse, too."""
        if not self.terms and not self.unknown:
            return ["no terms: nobody said what may be done with this"]
        found = [f"{name or '(none)'}: {why}" for name, why in sorted(self.unknown.items())]
        for name, terms in sorted(self.terms.items()):
            found += [f"{name}: {reason}" for reason in terms.refusals(use, on, place=place)]
        together = refusals(self.bounds, use, on, place=place)
        if together and not found:  # each allows it somewhere, at some time
            found = [f"{', '.join(sorted(self.terms))} together: {reason}" for reason in together]
        return found


def terms_of(ids: Iterable[str], root: Path) -> Standing:
    """The terms with these ids, of the files terms/ID.toml of the project. Never raises: what cannot be read is unknown."""
    terms: dict[str, Terms] = {}
    unknown: dict[str, str] = {}
    for name in sorted(set(ids)):
        if not _NAME.fullmatch(name):
            unknown[name] = (
                "no id of terms" if name else "rows without terms: nobody said what may be done"
            )
            continue
        problems = Problems()
        read = load_terms(root / FOLDER / f"{name}.toml", root, problems)
        if read is None:
            first = next(iter(problems))
            hint = nearest(name, known_terms(root)) if first.code == "EG101" else ""
            unknown[name] = f"{first.path} cannot be used ({first.code} {first.message}){hint}"
        else:
            terms[name] = read
    return Standing(terms=terms, unknown=unknown)


def known_terms(root: Path) -> list[str]:
    """The ids of all terms files of the project, in order."""
    return sorted(path.stem for path in (root / FOLDER).glob("*.toml"))


def all_terms(root: Path) -> dict[str, Terms]:
    """Every terms file of the project by its id. Raises FileProblems with every problem of every file."""
    problems = Problems()
    found = {n: load_terms(root / FOLDER / f"{n}.toml", root, problems) for n in known_terms(root)}
    problems.raise_if_any()
    return {name: terms for name, terms in found.items() if terms is not None}


def load_terms(path: Path, root: Path, problems: Problems) -> Terms | None:
    """The terms of one file, or None after noting every problem of it (EG101 to EG109, EG840, EG841)."""
    before = len(problems)
    file = read_toml(path, root, problems)
    if file is None:
        return None
    top = file.top()
    top.only(("terms", *_VALUES))
    if not _NAME.fullmatch(path.stem):
        message = f"found the name `{path.stem}`, expected letters, digits, `.`, `_` and `-`. Rename the file."
        file.add("EG840", message, (0, 0))
    top.has("terms", required=True)
    head = top.section("terms") or Section(file, {}, ("terms",))
    head.only(_HEAD)
    said = {
        n: head.text(n, required="terms" in file.data) for n in ("vendor", "contract", "read_by")
    }
    read_on = day_of(head, "read_on", required="terms" in file.data)
    withdrawn = day_of(head, "withdrawn", required=False)
    may = {use: flag(top, f"may_{use}") for use in _USES}
    effective = day(top, "effective")
    expires = day(top, "expires", endless="never")
    retention = _retention(top, effective)
    deletion = flag(top, "deletion_on_termination")
    territory = _territory(top)
    quoted: dict[str, Quoted[Any] | None] = {
        **{f"may_{use}": one for use, one in may.items()},
        "effective": effective,
        "expires": expires,
        "retention": retention,
        "deletion_on_termination": deletion,
        "territory": territory,
    }
    bounds = Bounds(
        may_train=_value(may["train"]),
        may_distil=_value(may["distil"]),
        may_augment=_value(may["augment"]),
        effective=_value(effective),
        expires=_value(expires),
        keep_until=_value(retention),
        delete_at_end=_value(deletion),
        territory=frozenset(territory.value) if territory else None,
    )
    _contradictions(file, bounds, read_on)
    if len(problems) > before or read_on is None:
        return None
    return Terms(
        id=path.stem,
        path=file.name,
        digest=file.digest,
        vendor=said["vendor"] or "",
        contract=said["contract"] or "",
        read_by=said["read_by"] or "",
        read_on=read_on,
        bounds=bounds,
        clauses={name: str(one) for name, one in quoted.items() if one is not None},
        withdrawn=withdrawn,
        why=head.text("why", ""),
    )


_VALUES = (
    *(f"may_{use}" for use in _USES),
    "effective",
    "expires",
    "retention",
    "deletion_on_termination",
    "territory",
)


def _value(quoted: Quoted[V] | None) -> V | None:
    return None if quoted is None else quoted.value


def _retention(top: Section, effective: Quoted[dt.date] | None) -> Quoted[dt.date] | None:
    """`[retention]`: the last day, "unlimited", or whole days from the day on which the contract takes effect.

    Days count from there because a row does not know when it was delivered, and that is never earlier.
    """
    table = top.section("retention")
    value = table.table.get("value") if table else None
    if table is None or not isinstance(value, int) or isinstance(value, bool):
        return day(top, "retention", endless="unlimited")
    table.only(KEYS)
    days = table.whole("value", None, low=1, high=MOST_DAYS)
    clause, where = table.text("clause", required=True), table.text("where", required=True)
    if days is None or clause is None or where is None or effective is None:
        return None  # without a first day the last one is unknown
    end = min(effective.value.toordinal() + days, NEVER.toordinal())
    return Quoted(value=dt.date.fromordinal(end), clause=clause, where=where)


def _territory(top: Section) -> Quoted[tuple[str, ...]] | None:
    found = texts(top, "territory")
    table = top.section("territory")
    if found is None or table is None:
        return None
    for place in found.value:
        if place != WORLDWIDE and not _PLACE.fullmatch(place):
            message = f'found {describe(place)}, expected a country of two letters, such as US, or "{WORLDWIDE}". Correct it.'
            table.problem("EG840", message, "value", value=True)
    if WORLDWIDE in found.value and len(found.value) > 1:
        message = (
            f'found "{WORLDWIDE}" beside countries, expected one of the two. Remove the other.'
        )
        table.problem("EG841", message, "value", value=True)
    return found


def _contradictions(file: TomlFile, bounds: Bounds, read_on: dt.date | None) -> None:
    """Notes EG841 wherever two values cannot both have been read out of one contract."""
    if bounds.may_train is False:
        for use in ("distil", "augment"):
            if getattr(bounds, f"may_{use}"):
                _note(
                    file,
                    f"may_{use}",
                    "true where may_train is false",
                    "both to allow it or neither",
                )
    for name, last in (("expires", bounds.expires), ("retention", bounds.keep_until)):
        if last and bounds.effective and last < bounds.effective:
            _note(
                file, name, f"{last}, before it takes effect on {bounds.effective}", "a later day"
            )
    kept = bounds.keep_until if bounds.delete_at_end and bounds.keep_until != NEVER else None
    if kept and bounds.expires and bounds.expires < kept:
        found = f"{kept}, though all is to be deleted at the end on {bounds.expires}"
        _note(file, "retention", found, "no later day than that")
    if read_on and read_on > dt.datetime.now().astimezone().date():
        message = f"[terms] read_on: found {read_on}, a day to come, expected the day on which it was read. Correct it."
        file.add("EG841", message, file.places.value(("terms", "read_on")))


def _note(file: TomlFile, name: str, found: str, expected: str) -> None:
    message = f"[{name}]: found {found}, expected {expected}. Read the contract again."
    file.add("EG841", message, file.places.value((name, "value")))


def no_terms(name: str, root: Path) -> str:
    """What a message says about a name that no terms of the project have, neither as id nor as vendor."""
    known = known_terms(root)
    return f"found no terms {name!r}, expected one of {listing(known)}.{nearest(name, known) or f' Write {FOLDER}/NAME.toml.'}"


def with_withdrawal(text: str, on: dt.date, why: str) -> str:
    """The text of a terms file that says it was withdrawn; comments stay, and so does an earlier withdrawal."""
    document = tomlkit.parse(text)
    head = document["terms"]
    if "withdrawn" not in head:
        head["withdrawn"] = on
        if why:
            head["why"] = why
    return tomlkit.dumps(document)
