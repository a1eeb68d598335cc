"""What training is kept apart from: the gold items of a project, opened sealed sets included, and the words of its prompts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from evalgate import digest
from evalgate.authored import (
    GoldSet,
    Problems,
    card_path,
    load_card,
    load_gold,
    load_prompt,
    relative,
)
from evalgate.authored.card import SEALED
from evalgate.authored.sealed import load_sealed, load_sealed_card
from evalgate.records import GoldItem, Record

if TYPE_CHECKING:
    from evalgate.crypto.seal import SealKey

_DOCUMENT_KEYS: Final = ("document", "documents", "document_id", "document_ids")


class GoldText(Record, kw_only=True):
    """One gold item as leakage sees it: its texts, and what else may not feed both sides.

    `question` are the texts of its input in order, `answer` those of `expected`. `documents` are ids that its input names
    under `document`, `documents`, `document_id` or `document_ids`. `gold_set` is the name of the set, as goldsets/NAME.
    """

    gold_set: str
    id: str
    unit: str
    question: tuple[str, ...]
    answer: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    sealed: bool = False

    def __repr__(self) -> str:  # clinical text must not reach a log
        return f"<GoldText {self.gold_set} {self.id}>"


class Gold(Record, kw_only=True):
    """All gold that rows are compared with, and what is no leak.

    `sets` and `prompts` are digests by name: of each gold set's plain bytes and of each prompt file. `boilerplate` are the
    fixed texts of the prompts, which stand in every example. `generators` are the programs that the sets' cards name,
    by path, with their digest ("" where there is no such file). `unopened` are sealed sets that no key was there for.
    """

    items: tuple[GoldText, ...]
    sets: dict[str, str]
    prompts: dict[str, str] = msgspec.field(default_factory=dict)
    boilerplate: tuple[str, ...] = ()
    generators: dict[str, str] = msgspec.field(default_factory=dict)
    unopened: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<Gold {len(self.items)} items of {len(self.sets)} sets>"


def load_all(root: Path, key: SealKey | None) -> Gold:
    """The gold of the project at `root`: every goldsets/*.jsonl, and with `key` every sealed set.

    Raises FileProblems with everything that is wrong with a set, a card or a prompt; IntegrityError (EG755 to EG757, EG762)
    for a sealed set that does not open.
    """
    folder, problems = root / "goldsets", Problems()
    items: list[GoldText] = []
    sets: dict[str, str] = {}
    generators: dict[str, str] = {}
    unopened: list[str] = []
    for path in sorted(folder.glob("*.jsonl")):
        gold = load_gold(path, root, problems)
        if gold is not None:
            sets[gold.name] = gold.digest
            items += texts_of(gold, gold.name)
        if card_path(path).exists():
            card = load_card(path, root, problems)
            if card is not None and card.generator:
                program = root / card.generator
                generators[card.generator] = digest.of_file(program) if program.is_file() else ""
    for path in sorted(folder.rglob(f"*{SEALED}")):
        if key is None:
            if load_sealed_card(path, root, problems):
                unopened.append(relative(path, root))
            continue
        opened = load_sealed(path, root, key, problems)
        if (
            opened and sets.get(path.name) != opened[0].digest
        ):  # its plain text may still lie beside it
            sets[path.name] = opened[0].digest
            items += texts_of(opened[0], path.name, sealed=True)
    prompts, fixed = prompts_of(root, problems)
    problems.raise_if_any()
    return Gold(
        items=tuple(items),
        sets=sets,
        prompts=prompts,
        boilerplate=fixed,
        generators=generators,
        unopened=tuple(unopened),
    )


def texts_of(gold: GoldSet, name: str, *, sealed: bool = False) -> Iterator[GoldText]:
    """The items of a loaded set. Raises IntegrityError (the file changed since)."""
    for _, item in gold.items():  # noqa: PERF102 (a gold set is no dict)
        yield GoldText(
            gold_set=name,
            id=item.id,
            unit=item.unit,
            question=tuple(_texts(item.input)),
            answer=tuple(_texts(item.expected)),
            documents=tuple(_documents(item)),
            sealed=sealed,
        )


def prompts_of(root: Path, problems: Problems) -> tuple[dict[str, str], tuple[str, ...]]:
    """(digest by path of the prompts of a project, the words that they say for every item)."""
    """Digest by path of each prompt of suites/prompts, and the words that stand in them for every item."""
    digests, fixed = {}, []
    for path in sorted((root / "suites" / "prompts").glob("*.md")):
        prompt = load_prompt(path, root, problems)
        if prompt is not None:
            digests[prompt.path] = prompt.digest
            fixed += [part for turn in prompt.turns for part in turn.parts[::2] if part.strip()]
    return digests, tuple(fixed)


def _texts(value: Any) -> Iterator[str]:
    """Every text in a value, in the order of the file."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def _documents(item: GoldItem) -> Iterator[str]:
    if isinstance(item.input, dict):
        for name in _DOCUMENT_KEYS:
            yield from _texts(item.input.get(name))
