"""Looking for people in training rows, by a scanner that has shown what it finds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from evalgate.corpus.example import Example
from evalgate.corpus.hit import Hit
from evalgate.corpus.phi.proof import Proof, proved
from evalgate.corpus.phi.settings import scanner_of


class People:
    """A check of rows, one by one, for `corpus.leakage.check_corpora`. Its silence counts only if `proof.holds`."""

    def __init__(self, root: Path) -> None:
        """Tries the project's scanner on planted data first, or finds that it was tried before: some seconds.

        Raises FileProblems (EG883) and UsageError (EG884) for a phi.toml that cannot be followed.
        """
        self.scanner = scanner_of(root)
        self.proof: Proof = proved(self.scanner, root)

    def __call__(self, row: Example) -> Iterator[Hit]:
        yield from self.scanner.scan_rows([row])

    @property
    def told(self) -> str:
        """What was shown of the scanner, in a line."""
        weakest = min(self.proof.cells, key=lambda cell: cell.lower - cell.bar)
        return (
            f"people were looked for by a scanner that found all planted kinds above their bars; the weakest is {weakest.type} with "
            f"{weakest.noise} text: {weakest.found} of {weakest.planted}, at least {weakest.lower:.3f} (bar {weakest.bar:.2f})"
        )
