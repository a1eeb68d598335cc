"""Steps of a project that are taken one after another, whichever processes take them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from evalgate.errors import InfrastructureError
from evalgate.files import held


@contextmanager
def in_turn(root: Path, name: str, *, code: str) -> Iterator[None]:
    """Holds reports/NAME.lock; another process waits, and then sees what this one has done. Raises InfrastructureError (`code`)."""
    where = f"reports/{name}.lock"
    with ExitStack() as stack:
        try:
            stack.enter_context(held(root / where))
        except OSError as e:
            raise InfrastructureError(
                f"found {e.strerror or e}, expected to be able to write. Mend the permissions.",
                where=where,
                code=code,
            ) from None
        yield
