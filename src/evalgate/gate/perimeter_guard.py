"""The guard: an audit hook that keeps a process's Python sockets to loopback and to the endpoints in use.

It sees what goes through Python's own socket module, and nothing else: native code and other programs pass unseen
(docs/privacy.md). Standard library only: Python children load this file without the package, from perimeter_site/.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

VARIABLE = "EVALGATE_GUARD"

_LOCAL_NAMES = frozenset({"", "localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback", os.uname().nodename.lower()})  # fmt: skip
_LOOKUPS = frozenset({"socket.getaddrinfo", "socket.gethostbyname"})
_REVERSE = frozenset({"socket.gethostbyaddr", "socket.getnameinfo"})
_SENDS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_WITHIN = frozenset({getattr(socket, "AF_NETLINK", None)})  # the kernel itself


class Blocked(PermissionError):  # noqa: N818 (what was done, not what went wrong)
    """What a blocked attempt gets to see."""

    guarded = True


class Guard:
    """The rules of one check: what passes, and who tried what did not.

    `rules`: {"root": the project, "endpoints": [[name, port, [numbers]], ..], "sockets": [paths], "seen": a file to
    which blocked attempts are appended}, as JSON holds it; names are in lower case.
    """

    def __init__(self, rules: dict[str, Any]) -> None:
        self._root = f"{rules['root']}/"
        self._names = {name: list(numbers) for name, _, numbers in rules["endpoints"]}
        self._named = {(name, port) for name, port, _ in rules["endpoints"]}
        self._allowed = {(_packed(n), port) for _, port, numbers in rules["endpoints"] for n in numbers}  # fmt: skip
        self._sockets = frozenset(rules["sockets"])
        self._file = Path(rules["seen"])
        self._own: list[tuple[str, str]] = []
        self.probed = False  # while the probe is at work, attempts are blocked and not told

    def install(self) -> None:
        """From here on, for the life of the process: an audit hook cannot be removed."""
        socket.getaddrinfo = self._pinned(socket.getaddrinfo)
        sys.addaudithook(self._hook)

    def seen(self) -> list[tuple[str, str]]:
        """(culprit, kind) of each blocked attempt of this process and of those children that are guarded, once each."""
        told = list(self._own)
        if self._file.exists():
            lines = self._file.read_text(encoding="utf-8").splitlines()
            told += [(culprit, kind) for culprit, kind in map(json.loads, lines)]
        return list(dict.fromkeys(told))

    def _tell(self, culprit: str, kind: str) -> None:
        self._own.append((culprit, kind))
        with self._file.open("a", encoding="utf-8") as file:  # for a forked child, its only voice
            file.write(json.dumps([culprit, kind]) + "\n")

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not event.startswith("socket."):
            return
        kind = ""
        if event in _LOOKUPS:
            kind = "" if self._may_look_up(arguments[0]) else "a name was looked up"
        elif event in _REVERSE:
            asked = arguments[0][0] if event == "socket.getnameinfo" else arguments[0]
            kind = "" if self._may_look_back(asked) else "an address was looked up"
        elif event in _SENDS:
            kind = self._refusal(arguments[0].family, arguments[1])
        if kind:
            if not self.probed:
                self._tell(self._culprit(), kind)
            raise Blocked(1, "evalgate's guard lets nothing out but to the endpoints in use")

    def _may_look_up(self, host: object) -> bool:
        name = _text(host)
        return name in _LOCAL_NAMES or _packed(name) != b""

    def _may_look_back(self, host: object) -> bool:
        name = _text(host)
        packed = _packed(name)
        endpoint = any(packed == known for known, _ in self._allowed)
        return name in _LOCAL_NAMES or endpoint or _is_loopback(packed)

    def _refusal(self, family: int, address: Any) -> str:
        """What is wrong with sending there, "" if nothing is. Ports may be told; names and addresses can hold text."""
        if address is None or family in _WITHIN:  # None: a datagram on a connected socket
            return ""
        if family == getattr(socket, "AF_UNIX", None):
            path = os.fsdecode(address) if isinstance(address, (str, bytes)) else ""
            known = "\0" not in path and os.path.realpath(path) in self._sockets
            return "a known socket of the machine" if known else ""
        if family not in (socket.AF_INET, socket.AF_INET6):
            return f"address family {int(family)}"
        host, port = _text(address[0]), address[1]
        packed = _packed(host)
        if _is_loopback(packed) or host in _LOCAL_NAMES or (packed, port) in self._allowed:
            return ""
        return "" if (host, port) in self._named else f"port {port}"

    def _culprit(self) -> str:
        """The project's line that tried, or else the package; and the test at work."""
        place = ""
        frame: FrameType | None = sys._getframe()  # noqa: SLF001 (the documented way to it)
        while frame is not None:
            file = frame.f_code.co_filename
            below = file.removeprefix(self._root)
            if below != file and "/lib/python" not in below:  # environments may lie in the project
                place = f"{below}:{frame.f_lineno}"
                break
            name = str(frame.f_globals.get("__name__", "")).partition(".")[0]
            if file != __file__ and name not in sys.stdlib_module_names:
                place = place or name
            frame = frame.f_back
        if place in ("", "__main__"):
            place = "a child process" if place else "a thread"
        test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" (")[0]
        return f"{place}, in {test}" if test else place

    def _pinned(self, real: Callable[..., Any]) -> Callable[..., Any]:
        """A getaddrinfo that knows endpoints by the numbers they had at the start, without asking anybody."""

        def getaddrinfo(host: Any, port: Any, *arguments: Any, **named: Any) -> Any:
            numbers = self._names.get(_text(host))
            if numbers is None:
                return real(host, port, *arguments, **named)
            found = []
            for number in numbers:
                try:
                    found += real(number, port, *arguments, **named)
                except socket.gaierror:  # not of the family that is asked for
                    continue
            if not found:
                raise socket.gaierror(socket.EAI_NONAME, "unknown when the check began")
            return found

        return getaddrinfo


def guard_child() -> None:
    """In a Python child, which finds the rules in its environment."""
    Guard(json.loads(os.environ[VARIABLE])).install()


def _text(host: object) -> str:
    if isinstance(host, (bytes, bytearray)):
        host = host.decode("ascii", "replace")
    return "" if host is None else str(host).lower()


def _packed(host: str) -> bytes:
    """A numeric address as bytes, one of IPv4 inside IPv6 as IPv4; b"" for a name."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            packed = socket.inet_pton(family, host.partition("%")[0])
        except (OSError, ValueError):
            continue
        return packed[12:] if packed[:12] == bytes(10) + b"\xff\xff" else packed
    return b""


def _is_loopback(packed: bytes) -> bool:
    """Loopback. The unspecified address leads there, too."""
    if len(packed) == 4:
        return packed[0] == 127 or not any(packed)
    return packed in (bytes(16), bytes(15) + b"\1")
