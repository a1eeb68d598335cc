"""licences/ID.toml: what one licence text allows with a model, each value with the words it was read from.

A record is of a text, not of a name: `texts` are the digests of the texts it was read from. What nobody read out of it is
unknown, and unknown is no. Shipped records lie in the package; a project's own, in its folder licences/, go before them.
The shipped ones are the project's reading and no legal advice.
"""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Final, Literal, get_args

from evalgate.authored.problems import Problems, describe, nearest
from evalgate.authored.quoted import Quoted, day, day_of, flag
from evalgate.authored.toml_file import Section, read_toml
from evalgate.records import Record

FOLDER: Final = "licences"
SHIPPED: Final = Path(__file__).parent.parent / FOLDER

Kind = Literal[
    "notice", "naming", "display", "copy", "changes", "pass-on", "disclose", "share-alike"
]
"""Of an obligation: a notice to keep; how a model is named; words to show; the licence's text to give; changes to mark;
limits to pass on to users; that answers are a machine's; derivatives under the same licence."""
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
When = Literal["always", "distributed"]

FLAGS: Final = (
    "may_finetune",
    "may_merge",
    "commercial",
    "internal_use",
    "outputs_may_train_other_models",
    "outputs_may_train_same_family",
    "redistribute_derivatives",
    "terms_can_change",
)
_TOP = (
    "licence",
    *FLAGS,
    "expires",
    "termination",
    "monthly_users_cap",
    "acceptable_use",
    "denied",
    "obligation",
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_USE = re.compile(r"[a-z][a-z-]*")


class Denied(Record, kw_only=True):
    """One field of use that a licence denies. `cleared_by`: the counsel who decided that it does not touch this project, and why."""

    use: str
    clause: str
    where: str
    cleared_by: str = ""
    cleared_on: dt.date | None = None
    cleared_why: str = ""


class Obligation(Record, kw_only=True):
    """Something to do. `text`: the words to write or show, or what is to be done. `when`: only if weights or a service go out."""

    kind: Kind
    when: When
    text: str
    clause: str
    where: str


class Policy(Record, kw_only=True):
    """A policy of use that a licence makes part of itself. `checked`: which text was read, "" if nobody read it."""

    url: str
    clause: str
    where: str
    checked: str = ""


class Licence(Record, kw_only=True):
    """A valid licence record. `ids`: what it is called, the file's name first. `flags`: tri-state, absent = unknown.

    `checked`: the text that the record was read from; `texts`: digests of that text and of others that say the same. A
    record without both is unverified. `counsel`: a lawyer of the project has reviewed it.
    """

    id: str
    path: str
    digest: str
    name: str
    ids: tuple[str, ...]
    texts: tuple[str, ...]
    checked: str
    reviewed_by: str
    reviewed_on: dt.date
    counsel: bool
    flags: dict[str, Quoted[bool]]
    expires: Quoted[dt.date] | None = None
    termination: Quoted[str] | None = None
    monthly_users_cap: Quoted[int] | None = None
    acceptable_use: Policy | None = None
    denied: tuple[Denied, ...] = ()
    obligations: tuple[Obligation, ...] = ()

    @property
    def verified(self) -> bool:
        """Whether the record was read from a text that it can name."""
        return bool(self.checked and self.texts)

    def says(self, name: str) -> bool | None:
        """What the text says about one of FLAGS; None if it is unknown."""
        return self.flags[name].value if name in self.flags else None

    def called(self, name: str) -> bool:
        """Whether `name` is one of its names, whatever its case."""
        return name.casefold() in {one.casefold() for one in (*self.ids, self.name)}


class Licences(Record, kw_only=True):
    """All records that a project can use, its own before the shipped ones."""

    records: tuple[Licence, ...]

    def by_name(self, name: str) -> Licence | None:
        """The record that is called so, None if there is none."""
        return next((one for one in self.records if one.called(name)), None)

    def by_text(self, text: str) -> Licence | None:
        """The record of the text with this digest, None if there is none."""
        return next((one for one in self.records if text in one.texts), None)

    def near(self, name: str) -> str:
        """` Did you mean ..?`, or nothing."""
        return nearest(name, [n for one in self.records for n in one.ids])


def load_licences(root: Path | None) -> Licences:
    """The records of the project at `root` (None: none) and the shipped ones. Raises FileProblems with every problem (EG844, ..).

    A project's record replaces a shipped one of the same id: it is in git, and somebody signed for it.
    """
    problems = Problems()
    found: dict[str, Licence] = {}
    folders = [(SHIPPED, SHIPPED.parent), *([(root / FOLDER, root)] if root is not None else [])]
    for folder, top in folders:
        for path in sorted(folder.glob("*.toml")):
            if one := load_licence(path, top, problems):
                found[one.id] = one
    own = [one for one in found.values() if root is not None and (root / one.path).exists()]
    records = (*own, *(one for one in found.values() if one not in own))
    for number, one in enumerate(records):
        for other in records[:number]:
            both = {n.casefold() for n in one.ids} & {n.casefold() for n in other.ids}
            if shared := both or set(one.texts) & set(other.texts):
                message = f"found {min(shared)}, which {other.path} has too, expected every name and text in one record. Keep one."
                problems.add(one.path, "EG844", message)
    problems.raise_if_any()
    return Licences(records=records)


def load_licence(path: Path, root: Path, problems: Problems) -> Licence | None:
    """The record of one file, or None after noting every problem of it (EG101 to EG109, EG840, EG844)."""
    before = len(problems)
    file = read_toml(path, root, problems)
    if file is None:
        return None
    top = file.top()
    top.only(_TOP)
    top.has("licence", required=True)
    there = "licence" in file.data
    head = top.section("licence") or Section(file, {}, ("licence",))
    head.only(("name", "ids", "texts", "checked", "reviewed_by", "reviewed_on", "counsel"))
    name = head.text("name", required=there)
    reviewed_by = head.text("reviewed_by", required=there)
    reviewed_on = day_of(head, "reviewed_on", required=there)
    texts = head.texts("texts")
    for text in texts:
        if not _DIGEST.fullmatch(text):
            message = f"found {describe(text)}, expected sha256: and 64 hex digits. Copy it from 'evalgate models licences --text FILE'."
            head.problem("EG844", message, "texts", value=True)
    flags = {key: found for key in FLAGS if (found := flag(top, key)) is not None}
    record = {
        "expires": day(top, "expires", endless="never"),
        "termination": _words(top, "termination"),
        "monthly_users_cap": _cap(top),
        "acceptable_use": _policy(top),
        "denied": tuple(_denied(top)),
        "obligations": tuple(_obligations(top)),
    }
    if not _NAME.fullmatch(path.stem):
        message = f"found the name `{path.stem}`, expected letters, digits, `.`, `_` and `-`. Rename the file."
        file.add("EG844", message, (0, 0))
    if len(problems) > before or name is None or reviewed_by is None or reviewed_on is None:
        return None
    return Licence(
        id=path.stem,
        path=file.name,
        digest=file.digest,
        name=name,
        ids=tuple(dict.fromkeys((path.stem, *head.texts("ids")))),
        texts=texts,
        checked=head.text("checked", ""),
        reviewed_by=reviewed_by,
        reviewed_on=reviewed_on,
        counsel=head.flag("counsel", default=False),
        flags=flags,
        **record,  # type: ignore[arg-type]
    )


def _clause(table: Section) -> tuple[str, str] | None:
    clause, where = table.text("clause", required=True), table.text("where", required=True)
    return None if clause is None or where is None else (" ".join(clause.split()), where)


def _words(top: Section, name: str) -> Quoted[str] | None:
    """`[name]` that is a clause alone: its value is its words."""
    table = top.section(name, like=f"Write [{name}] with clause and where.")
    if table is None:
        return None
    table.only(("clause", "where"))
    said = _clause(table)
    return None if said is None else Quoted(value=said[0], clause=said[0], where=said[1])


def _cap(top: Section) -> Quoted[int] | None:
    table = top.section("monthly_users_cap")
    if table is None:
        return None
    table.only(("value", "clause", "where"))
    table.has("value", required=True)
    value, said = table.whole("value", None, low=1), _clause(table)
    if value is None or said is None:
        return None
    return Quoted(value=value, clause=said[0], where=said[1])


def _policy(top: Section) -> Policy | None:
    table = top.section("acceptable_use")
    if table is None:
        return None
    table.only(("url", "checked", "clause", "where"))
    url, said = table.text("url", required=True), _clause(table)
    if url is None or said is None:
        return None
    return Policy(url=url, checked=table.text("checked", ""), clause=said[0], where=said[1])


def _denied(top: Section) -> list[Denied]:
    found = []
    for table in top.tables("denied", like="Write [[denied]] with use, clause and where."):
        table.only(("use", "clause", "where", "cleared_by", "cleared_on", "cleared_why"))
        use, said = table.text("use", required=True), _clause(table)
        if use is not None and not _USE.fullmatch(use):
            message = f"found {describe(use)}, expected words such as medical-advice. Rename it."
            table.problem("EG844", message, "use", value=True)
        cleared_on = day_of(table, "cleared_on", required=False)
        cleared = [key for key in ("cleared_by", "cleared_on", "cleared_why") if key in table.table]
        if cleared and len(cleared) < 3:
            message = f"found {cleared[0]} alone, expected cleared_by, cleared_on and cleared_why together: who, when and why. Add them."
            table.problem("EG844", message, cleared[0])
        if use is not None and said is not None:
            words = {key: table.text(key, "") for key in ("cleared_by", "cleared_why")}
            found.append(
                Denied(use=use, clause=said[0], where=said[1], cleared_on=cleared_on, **words)
            )
    return found


def _obligations(top: Section) -> list[Obligation]:
    found = []
    for table in top.tables("obligation", like="Write [[obligation]] with kind, when and text."):
        table.only(("kind", "when", "text", "clause", "where"))
        kind = next((k for k in KINDS if k == table.text("kind", required=True)), None)
        when = next((w for w in get_args(When) if w == table.text("when", required=True)), None)
        for key, value, known in (("kind", kind, KINDS), ("when", when, get_args(When))):
            if value is None and isinstance(table.table.get(key), str):
                given = table.table[key]
                message = f"found {describe(given)}, expected one of {', '.join(known)}.{nearest(given, known)}"
                table.problem("EG844", message, key, value=True)
        text, said = table.text("text", required=True), _clause(table)
        if kind and when and text is not None and said is not None:
            found.append(Obligation(kind=kind, when=when, text=text, clause=said[0], where=said[1]))
    return found
