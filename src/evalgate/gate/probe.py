"""The negative control: before the first question, the test process tries to get out, and every attempt must fail.

Begun before any code of the project is imported, with its child at work meanwhile. What a guard does not claim to stop
is not tried under one: these bytes would leave.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from evalgate.errors import EvalgateError, IntegrityError
from evalgate.gate import probe_child
from evalgate.gate.perimeter import VARIABLE, Perimeter
from evalgate.records import Egress

if TYPE_CHECKING:
    from evalgate.gate.perimeter_guard import Guard

_PATIENCE_S = 30.0  # for the child, on a machine that is busy
_NOT_CLAIMED = "not claimed"


def told() -> Perimeter | None:
    """What the gate said of this process's perimeter; None where no gate did. It is gone from the environment then."""
    text = os.environ.pop(VARIABLE, None)
    return msgspec.json.decode(text, type=Perimeter) if text else None


class Watch:
    """One perimeter from inside: `finish` ends the probe, `troubles` says who has tried to leave since.

    `egress` is what goes into the evidence; None before the probe is finished.
    """

    def __init__(self, perimeter: Perimeter, root: Path, folder: Path) -> None:
        """Begins the probe. `root` is the project; below `folder`, the gate's own, a guard keeps what it sees."""
        self.egress: Egress | None = None
        self._perimeter = perimeter
        self._guard: Guard | None = None
        self._child: subprocess.Popen[str] | None = None
        self._probe: dict[str, str] = {}
        self._knocks = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        if perimeter.guarantee == "netns":
            self._child = self._start_child()
            self._try_namespace()
        else:
            self._try_guard(root, folder)

    def finish(self) -> None:
        """Waits for the child and judges. Raises IntegrityError: something got out (EG780), the control failed (EG781)."""
        if self._child is not None:
            self._hear(self._child)
        control = self._heard_all()
        claimed = {what: how for what, how in self._probe.items() if not how.startswith(_NOT_CLAIMED)}  # fmt: skip
        self.egress = Egress(
            guarantee=self._perimeter.guarantee,
            why=self._perimeter.why,
            allowed=tuple(str(e) for e in self._perimeter.endpoints if not e.is_loopback),
            probe=self._probe,
            control=control,
        )
        out = [what for what, how in claimed.items() if how.startswith("REACHED")]
        if out:
            raise IntegrityError(
                f"found a way out for {', '.join(out)}, expected every attempt of the probe to be refused. "
                "See docs/privacy.md; nothing was asked.",
                where=f"network, {self._perimeter.guarantee}",
                code="EG780",
            )
        if not control:
            raise IntegrityError(
                "found that the probe does not reach its own listener on loopback, expected it to: its refusals prove "
                "nothing. Nothing was asked.",
                where=f"network, {self._perimeter.guarantee}",
                code="EG781",
            )

    def troubles(self) -> list[EvalgateError]:
        """One for each way in which the project's code, or a library under it, tried to leave and was blocked."""
        seen = self._guard.seen() if self._guard else []
        return [
            IntegrityError(
                f"found an attempt to leave the perimeter ({kind}), expected none. It was blocked. Remove it, or whatever "
                "makes the library try.",
                where=culprit,
                code="EG782",
            )
            for culprit, kind in seen
        ]

    def _try_namespace(self) -> None:
        here = self._perimeter
        tried = {
            "python": probe_child.from_python(here.proxies, here.sockets),
            "ctypes": probe_child.from_libc(),
        }
        self._probe = {f"{by} {what}": how for by, x in tried.items() for what, how in x.items()}
        self._probe["python vsock"] = _unclaimed(probe_child.vsock())
        probe_child.knock(self._port)
        probe_child.knock(self._port, by_libc=True)
        self._knocks = 3

    def _try_guard(self, root: Path, folder: Path) -> None:
        from evalgate.gate import perimeter_guard

        here = self._perimeter
        rules = {
            "root": str(root),
            "endpoints": [[e.name, e.port, e.numbers] for e in here.endpoints],
            "sockets": here.sockets,
            "seen": str(folder / "seen.jsonl"),
        }
        self._guard = guard = perimeter_guard.Guard(rules)
        guard.install()
        # Python children find the guard on their path; model servers get neither variable.
        os.environ[perimeter_guard.VARIABLE] = json.dumps(rules)
        os.environ["PYTHONPATH"] = str(Path(perimeter_guard.__file__).with_name("perimeter_site"))
        guard.probed = True
        far = {v: a for v, a in here.proxies.items() if a[0] not in probe_child.LOOPBACK}
        tried = probe_child.from_python(far, here.sockets)
        tried |= {"dns lookup": probe_child.look_up(), "vsock": probe_child.vsock()}
        guard.probed = False
        self._probe = {f"python {what}": how for what, how in tried.items()}
        near = [f"python proxy of {v}" for v in here.proxies if v not in far]
        self._probe |= dict.fromkeys((*near, "ctypes", "child process"), _NOT_CLAIMED)
        probe_child.knock(self._port)
        self._knocks = 1

    @property
    def _port(self) -> int:
        return int(self._listener.getsockname()[1])

    def _heard_all(self) -> bool:
        """The positive control: whether every way of knocking has reached the listener on loopback."""
        heard = 0
        with self._listener as listener:
            listener.setblocking(False)  # they have all knocked by now
            try:
                while True:
                    listener.accept()[0].close()
                    heard += 1
            except OSError:
                return heard == self._knocks

    def _start_child(self) -> subprocess.Popen[str]:
        here = self._perimeter
        proxies = [f"{variable} {host} {port}" for variable, (host, port) in here.proxies.items()]
        return subprocess.Popen(  # noqa: S603 (this interpreter, a file of our own)
            [
                *(sys.executable, "-I", "-S", probe_child.__file__),
                *(str(self._port), *proxies, *here.sockets),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "RES_OPTIONS": "timeout:1 attempts:1"},
        )

    def _hear(self, child: subprocess.Popen[str]) -> None:
        """A child that says nothing has not knocked either."""
        try:
            said, _ = child.communicate(timeout=_PATIENCE_S)
        except subprocess.TimeoutExpired:
            child.kill()
            said, _ = child.communicate()
        if child.returncode:
            self._knocks = -1
        for line in said.splitlines():
            what, _, how = line.partition("\t")
            self._probe[f"child {what}"] = how


def _unclaimed(how: str) -> str:
    return how if how.startswith("refused") else f"{_NOT_CLAIMED} ({how.removeprefix('REACHED: ')})"
