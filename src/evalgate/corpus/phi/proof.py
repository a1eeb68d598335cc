"""What a scanner is worth: its recall of planted canaries, type by type, with exact bounds, against a bar.

A scanner that has not shown that it finds people says nothing when it finds none. So its "clean" counts only where the
lower bounds of every type, plain, mistyped and misread, are above the bars below.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from evalgate import digest
from evalgate.corpus.phi.finding import Finding
from evalgate.corpus.phi.planted import NOISES, Noise, Planted, lists_digest, plant, types
from evalgate.corpus.phi.scanner import Scanner
from evalgate.files import write_whole
from evalgate.records import Record

ALPHA = 0.05
"""Chance that any of a proof's lower bounds is above the true recall, all cells together (Bonferroni)."""

PER_CELL = 300
"""Canaries of one type under one noise. So many with no miss put the lower bound at 0.977."""

_PLAIN_BAR, _NOISY_BAR = 0.90, 0.70
_LOWER_BARS: dict[tuple[str, Noise], float] = {
    ("NAME", "ocr"): 0.60,
    ("ADDRESS", "typos"): 0.60,
    ("ADDRESS", "ocr"): 0.60,
}
"""Where a slip or a blot may take away what gives a text away, less is asked."""

_KIN = (
    frozenset(("PHONE", "FAX")),
    frozenset(("MEMBER_ID", "CLAIM_NUMBER", "MRN", "NPI", "SSN", "ACCOUNT", "POLICY", "OTHER_ID")),
    frozenset(("DATE", "DATE_OF_BIRTH")),
    frozenset(("ADDRESS", "ZIP")),
)
"""Types that are easily taken for each other; the row is stopped all the same."""


class Cell(Record, kw_only=True):
    """Canaries of one type under one noise: how many were planted, found, and found under their own type."""

    type: str
    noise: Noise
    planted: int
    found: int
    named: int
    lower: float
    bar: float

    @property
    def holds(self) -> bool:
        """Whether the lower bound of recall reaches the bar."""
        return self.lower >= self.bar


class Proof(Record, kw_only=True):
    """The cells of one scanner (by digest) over one set of canaries (by digest), drawn with `seed`."""

    schema: str = "evalgate.phi-proof/1"
    scanner: str
    canaries: str
    seed: int
    per_cell: int
    cells: tuple[Cell, ...]

    @property
    def short(self) -> tuple[Cell, ...]:
        """The cells below their bars."""
        return tuple(cell for cell in self.cells if not cell.holds)

    @property
    def holds(self) -> bool:
        """Whether "nothing found" means something."""
        return not self.short

    def lines(self) -> list[str]:
        """The proof as a table, a line for each type."""
        head = f"{'type':14}" + "".join(f"{noise + ' (at least, bar)':>28}" for noise in NOISES)
        by_type: dict[str, list[str]] = {}
        for cell in self.cells:
            mark = "" if cell.holds else " SHORT"
            told = f"{cell.found}/{cell.planted} ({cell.lower:.3f}, {cell.bar:.2f}){mark}"
            by_type.setdefault(cell.type, []).append(f"{told:>28}")
        return [head, *(f"{type_:14}" + "".join(told) for type_, told in by_type.items())]


def prove(scanner: Scanner, *, per_cell: int = PER_CELL, seed: int = 0) -> Proof:
    """Scans `per_cell` canaries of the held list for each type and noise. Takes some seconds; equal arguments, equal proof."""
    from evalgate.stats import cp_lower

    kinds = types()
    alpha = ALPHA / (len(kinds) * len(NOISES))
    cells = []
    for type_ in kinds:
        for noise in NOISES:
            planted = list(plant("held", type_, noise, per_cell, seed=seed))
            met = [_met(one, scanner.scan(one.text)) for one in planted]
            found, named = sum(m > 0 for m in met), sum(m > 1 for m in met)
            cells.append(
                Cell(
                    type=type_,
                    noise=noise,
                    planted=per_cell,
                    found=found,
                    named=named,
                    lower=cp_lower(found, per_cell, alpha),
                    bar=_LOWER_BARS.get(
                        (type_, noise), _PLAIN_BAR if noise == "plain" else _NOISY_BAR
                    ),
                )
            )
    return Proof(
        scanner=scanner.digest,
        canaries=lists_digest(),
        seed=seed,
        per_cell=per_cell,
        cells=tuple(cells),
    )


def _met(one: Planted, found: list[Finding]) -> int:
    """2 if findings of its type cover at least half of a canary, 1 if findings of its kin do, else 0."""
    kin = {one.type}.union(*(k for k in _KIN if one.type in k))
    return _covers(one, found, {one.type}) + _covers(one, found, kin)


def _covers(one: Planted, found: list[Finding], kinds: set[str]) -> bool:
    covered = sum(
        max(0, min(f.end, one.end) - max(f.start, one.start)) for f in found if f.type in kinds
    )
    return 2 * covered >= one.end - one.start


def proved(scanner: Scanner, root: Path) -> Proof:
    """The proof of a scanner, from .evalgate/phi/ of the project if it was made before with these detectors and canaries.

    The file is a memory, no evidence: whoever may write to the project may edit it. It is left out where it cannot be kept.
    """
    wanted = digest.of_value([scanner.digest, lists_digest(), PER_CELL, _bars()])
    path = root / ".evalgate" / "phi" / f"{wanted.removeprefix('sha256:')[:24]}.json"
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=Proof)
    except (OSError, msgspec.DecodeError):
        kept = None
    if kept and (kept.scanner, kept.canaries, kept.per_cell) == (
        scanner.digest,
        lists_digest(),
        PER_CELL,
    ):
        return kept
    made = prove(scanner)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(path, msgspec.json.format(digest.canonical(made), indent=1))
    except OSError:
        pass  # a project that nobody may write to is scanned all the same
    return made


def _bars() -> list[object]:
    return [_PLAIN_BAR, _NOISY_BAR, sorted([*k, v] for k, v in _LOWER_BARS.items())]
