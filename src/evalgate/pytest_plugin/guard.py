"""Exit codes that are not talked down by accident or by a hook: a session that is not open ends non-zero.

This holds against pytest's own hooks, `os._exit` and exit handlers. It cannot hold against code that is out to end the
process otherwise (another program executed in its place, a call into libc); only `evalgate gate check`, which believes
no exit code, does.
"""

from __future__ import annotations

import atexit
import os
import posix
import sys
from typing import NoReturn

_real_exit = os._exit


class Guard:
    """Holds the exit code of this process. Until someone says otherwise, it is 1.

    `os._exit` is replaced for the life of the process, and an exit handler has the last word, so that neither a
    test that ends the process nor a hook that resets pytest's status turns an unfinished session into success.
    """

    def __init__(self, *, nonce: str | None) -> None:
        self.nonce = nonce
        self.code = 1
        self.armed = True
        self._stderr = os.dup(2)  # before pytest captures it
        os._exit = posix._exit = self._leave  # noqa: SLF001 (its public name begins so)
        atexit.register(self._at_exit)

    def settle(self, code: int) -> None:
        """The session's own, considered exit code."""
        self.code = code

    def disarm(self) -> None:
        """For sessions that decide nothing (collect only, partial runs): pytest's own exit code stands."""
        self.armed = False

    def _leave(self, status: int) -> NoReturn:
        if self._at_least(status) != status:
            os.write(
                self._stderr,
                b"evalgate: the process was ended before there was a decision; that is no yes\n",
            )
        _real_exit(self._at_least(status))

    def _at_least(self, code: int) -> int:
        return code or self.code if self.armed else code

    def _at_exit(self) -> None:
        if self.armed and self.code:
            for stream in (sys.stdout, sys.stderr):
                try:
                    stream.flush()
                except (OSError, ValueError):  # closed by whoever reads us; the code still counts
                    continue
            _real_exit(self.code)
