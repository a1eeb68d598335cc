"""Sealing a gold set: everything that could be wrong with it is told before it is encrypted and cannot be looked at any more."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from evalgate import digest
from evalgate.authored import (
    Card,
    GoldSet,
    Problems,
    card_path,
    check_feasible,
    load_card,
    load_gold,
    load_rubric,
    nearest,
    relative,
)
from evalgate.authored.card import Contents
from evalgate.authored.problems import count
from evalgate.authored.sealed import (
    KIND,
    check_apart,
    contents_of,
    load_sealed,
    load_sealed_card,
    sealed_path,
    write_sealed,
)
from evalgate.errors import UsageError
from evalgate.records import Record
from evalgate.suite.project import LoadedSuite, Project, check_items

if TYPE_CHECKING:
    from evalgate.crypto.seal import SealKey


class SealedFile(Record, kw_only=True):
    """A set that was sealed. `replaced`: the version that lay there before, "" for none or the same."""

    path: Path
    card: Card
    contents: Contents
    replaced: str = ""


def seal_gold(
    project: Project,
    name: str,
    source: Path,
    key: SealKey,
    *,
    opener: SealKey | None,
    alpha: float,
) -> SealedFile:
    """Writes goldsets/NAME.sealed and its card from the gold set at `source`, which stays where it is.

    `alpha`: what its first attempt may spend: rows that the set is too small for are refused. `opener` opens a version
    that lies there already; the new one must share no unit and no text with it, or spent attempts would be given back.

    Raises FileProblems with everything that is wrong with the set, UsageError (EG761: no dev set of that name),
    IntegrityError (the version that lies there does not open), InfrastructureError (EG754).
    """
    from evalgate.crypto.seal import LARGEST, unwritable

    root = project.root
    loaded = _suite_of(project, name)
    path = sealed_path(root / loaded.suite.gold)
    problems = Problems()
    gold = load_gold(source, root, problems)
    card = load_card(source, root, problems)
    where = relative(source, root)
    if gold is not None and gold.size > LARGEST:
        found = f"found {gold.size} bytes, expected at most {LARGEST}. Seal fewer items."
        problems.add(where, "EG758", found)
    if card is not None and card.split != "sealed":
        message = 'found split = "dev", expected "sealed": write it only of items that nobody who trains has looked at.'
        problems.add(relative(card_path(source), root), "EG758", message)
    replaced = ""
    if gold is not None:
        check_items(loaded.suite, gold, loaded.prompt, where, problems)
        check_feasible(
            project.gate, {loaded.suite.name: gold}, problems, alphas={loaded.suite.name: alpha}
        )
        check_apart(gold, loaded.gold, where, problems)
        _check_rubric(root, loaded, gold, problems)
        replaced = _check_fresh(path, root, gold, where, opener, problems)
    problems.raise_if_any()
    assert gold is not None
    assert card is not None
    try:
        text = source.read_bytes()
        sealed = key.seal(text, kind=KIND, name=path.stem)
        contents = contents_of(gold, key=key.id, cipher=digest.of_bytes(sealed))
        if digest.of_bytes(text) != gold.digest:
            raise UsageError(
                "found a file that changed while it was read, expected it to rest. Run the command again.",
                where=where,
                code="EG157",
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        write_sealed(path, sealed, card_path(source).read_text(encoding="utf-8"), contents)
    except OSError as e:
        raise unwritable(path, e) from None
    return SealedFile(path=path, card=card, contents=contents, replaced=replaced)


def _check_rubric(root: Path, loaded: LoadedSuite, gold: GoldSet, problems: Problems) -> None:
    """Notes what the suite's rubric shows and the items lack, and texts of it that they hold. A sealed check tells neither."""
    path = root / "rubrics" / f"{loaded.suite.name}.toml"
    if path.is_file():
        load_rubric(path, root, problems, gold=gold)


def _check_fresh(  # noqa: PLR0917 (what is compared, and where it is told)
    path: Path,
    root: Path,
    gold: GoldSet,
    where: str,
    opener: SealKey | None,
    problems: Problems,
) -> str:
    """Notes what `gold` shares with the version that lies at `path`; returns that version, "" for none or the same bytes."""
    if not path.exists() or not card_path(path).exists():
        return ""
    if opener is None:
        message = "found a sealed set there already and no key that opens it, expected to compare the two. Name its key in EVALGATE_SEAL_KEY_FILE."
        problems.add(relative(path, root), "EG750", message)
        return ""
    text = opener.open(path.read_bytes(), kind=KIND, name=path.stem, where=relative(path, root))
    if digest.of_bytes(text) == gold.digest:
        return ""  # once more the same, perhaps after a crash between file and card
    found = load_sealed(path, root, opener, problems)
    if found is None:
        return ""
    check_apart(gold, found[0], where, problems, called="the sealed version before it")
    return found[1].version


def _suite_of(project: Project, name: str) -> LoadedSuite:
    by_stem: Mapping[str, LoadedSuite] = {
        Path(loaded.suite.gold).name.removesuffix(".jsonl"): loaded
        for loaded in project.suites.values()
    }
    if name not in by_stem:
        raise UsageError(
            f"found no suite with the gold set goldsets/{name}.jsonl, expected one of: {', '.join(by_stem)}."
            f"{nearest(name, by_stem)} A sealed set stands beside a dev set.",
            code="EG761",
        )
    return by_stem[name]


def check_sealed_sets(project: Project, key: SealKey | None, *, alpha: float) -> list[str]:
    """One line for every sealed set of the project's suites. With `key` it is opened and checked like before sealing.

    Raises FileProblems with everything that is wrong, IntegrityError (a set is not what was sealed, or under another key).
    """
    root, problems, lines = project.root, Problems(), []
    for name, loaded in project.suites.items():
        path = sealed_path(root / loaded.suite.gold)
        if not path.exists():
            continue
        where = relative(path, root)
        plain = path.with_name(f"{path.name}.jsonl")
        if plain.exists():
            message = f"found the plain text of {where} beside it, expected it out of the project. Move it away, and out of its history."
            problems.add(relative(plain, root), "EG758", message)
        card = load_sealed_card(path, root, problems)
        opened = load_sealed(path, root, key, problems) if card and key else None
        if opened:
            gold = opened[0]
            check_items(loaded.suite, gold, loaded.prompt, where, problems)
            check_feasible(project.gate, {name: gold}, problems, alphas={name: alpha})
            check_apart(gold, loaded.gold, where, problems)
            _check_rubric(root, loaded, gold, problems)
        if card and card.sealed:
            facts = card.sealed
            looked = (
                "opened and checked" if opened else f"not opened: that takes the key {facts.key}"
            )
            lines.append(
                f"{where}: {count(facts.items, 'item')}, {count(facts.units, 'unit')}, version {card.version} of {card.date}, "
                f"as it was sealed; {looked}"
            )
    problems.raise_if_any()
    return lines
