"""Runs one server and outlives nobody: `python -I -S supervisor.py LIFELINE_FD GRACE_S COMMAND...`.

LIFELINE_FD is the reading end of a pipe whose writing end only evalgate holds. When that end closes, because evalgate
is done or because it was killed, the server's process group is told to stop, and killed after GRACE_S. So no server
survives evalgate, whatever it started itself, and whatever ended evalgate. Exits as the server did (128 + signal).

Standard library only, and little of it: this file runs as a script, apart from the package.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time


def main() -> int:
    """Supervises the command of the command line."""
    lifeline, grace = int(sys.argv[1]), float(sys.argv[2])
    os.set_inheritable(lifeline, False)
    # Ctrl-C and hang-ups are evalgate's to answer: it closes the lifeline.
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    try:
        server = os.posix_spawn(
            sys.argv[3],
            sys.argv[3:],
            dict(os.environ),
            setpgroup=0,
            setsigdef=[signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGPIPE],
        )
    except OSError as e:
        os.write(2, f"cannot run {sys.argv[3]}: {e.strerror}\n".encode())
        return 127
    status = None
    while status is None:
        ready, _, _ = select.select([lifeline, woken], [], [])
        if woken in ready:
            os.read(woken, 512)
            status = _ended(server)
        if status is None and lifeline in ready:
            _signal(server, signal.SIGTERM)
            status = _ended(server, within=grace)
            break
    _signal(server, signal.SIGKILL)  # whatever the server left behind in its group, and itself
    if status is None:
        status = os.waitpid(server, 0)[1]
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _ended(server: int, within: float = 0.0) -> int | None:
    """The server's wait status if it ends within so many seconds."""
    until = time.monotonic() + within
    while True:
        pid, status = os.waitpid(server, os.WNOHANG)
        if pid:
            return status
        if time.monotonic() >= until:
            return None
        time.sleep(0.01)


def _signal(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # nobody is left in it
        os.killpg(group, number)


if __name__ == "__main__":
    sys.exit(main())
