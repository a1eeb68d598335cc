"""Attempts to get out of the perimeter, all of which must fail. Run by probe.py, and as a script by its child process.

The addresses are those reserved for documentation (RFC 5737, RFC 3849), where nobody lives, and the one at which clouds
tell a machine its secrets. An attempt has failed when this machine refuses it at once. One that is merely never answered
has reached: something left. Few modules are imported, and none of the package, since the child starts with each check.
"""

from __future__ import annotations

import _socket as socket
import errno
import os
import select
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

PUBLIC4, PUBLIC6 = "198.51.100.77", "2001:db8::77"
METADATA = "169.254.169.254"
NAME = "perimeter-probe.invalid"  # RFC 6761: nobody's, whoever is asked
LOOPBACK = ("localhost", "127.0.0.1", "::1")
HYPERVISOR = 2  # the host's number on AF_VSOCK

_WAIT_MS = 200
_QUERY = b"\0\x4d\1\0\0\1\0\0\0\0\0\0\x0fperimeter-probe\x07invalid\0\0\1\0\1"
# By these the machine says that there is no way, before a byte has left.
_REFUSALS = frozenset(
    {errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.EPERM, errno.EACCES}
)  # fmt: skip
_NOBODY = frozenset({errno.ECONNREFUSED, errno.ENOENT})  # at an address of this very machine

_IP: dict[str, tuple[int, int, tuple[str, int], bytes]] = {
    "tcp4": (socket.AF_INET, socket.SOCK_STREAM, (PUBLIC4, 443), b""),
    "tcp6": (socket.AF_INET6, socket.SOCK_STREAM, (PUBLIC6, 443), b""),
    "udp4": (socket.AF_INET, socket.SOCK_DGRAM, (PUBLIC4, 9), b"\0"),
    "udp6": (socket.AF_INET6, socket.SOCK_DGRAM, (PUBLIC6, 9), b"\0"),
    "dns packet": (socket.AF_INET, socket.SOCK_DGRAM, (PUBLIC4, 53), _QUERY),
    "metadata": (socket.AF_INET, socket.SOCK_STREAM, (METADATA, 80), b""),
}


def from_python(proxies: Mapping[str, tuple[str, int]], sockets: Sequence[str]) -> dict[str, str]:
    """Each attempt through Python's sockets, with what became of it. `proxies`: host and port by variable."""
    told = {what: _told(_send, *attempt) for what, attempt in _IP.items()}
    told["proxy variables"] = _variables()
    told["proxy of no variable"] = _told(_send_to, PUBLIC4, 3128)
    for variable, (host, port) in proxies.items():
        told[f"proxy of {variable}"] = _told(_send_to, host, port, nobody=host in LOOPBACK)
    for path in sockets:
        attempt = (socket.AF_UNIX, socket.SOCK_STREAM, path, b"")
        told[f"unix {path}"] = _told(_send, *attempt, nobody=True)
    return told


def vsock() -> str:
    """An attempt at the hypervisor, for which a network namespace is no obstacle: what became of it."""
    family = getattr(socket, "AF_VSOCK", None)
    if family is None:
        return "refused: no such module"
    return _told(_send, family, socket.SOCK_STREAM, (HYPERVISOR, 1), b"")


def look_up() -> str:
    """An attempt to have a name looked up that nobody has. A resolver that says so has been reached."""
    try:
        socket.getaddrinfo(NAME, 443)
    except socket.gaierror as e:
        none = {socket.EAI_AGAIN: "EAI_AGAIN", socket.EAI_FAIL: "EAI_FAIL", socket.EAI_SYSTEM: "EAI_SYSTEM"}  # fmt: skip
        return f"refused: {none[e.errno]}" if e.errno in none else "REACHED: a resolver answered"
    except OSError as e:
        return _failure(e, nobody=False)
    return "REACHED: a resolver answered"


def from_libc() -> dict[str, str]:
    """The same attempts at IP addresses by libc's own calls, past everything that Python could watch. Linux."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)

    def attempt(family: int, kind: int, address: tuple[str, int], data: bytes) -> None:
        number = libc.socket(family, kind | os.O_NONBLOCK, 0)
        if number < 0:
            raise OSError(ctypes.get_errno(), "socket")
        s = socket.socket(fileno=number)
        there = _sockaddr(family, *address)
        try:
            if kind == socket.SOCK_STREAM:
                failed = libc.connect(number, there, len(there))
            else:
                failed = libc.sendto(number, data, len(data), 0, there, len(there)) < 0
            _settle(s, ctypes.get_errno() if failed else 0)
        finally:
            s.close()

    return {what: _told(attempt, *a) for what, a in _IP.items()}


def knock(port: int, *, by_libc: bool = False) -> None:
    """The positive control: connects to a listener on loopback, who counts."""
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if by_libc:
            import ctypes

            there = _sockaddr(socket.AF_INET, "127.0.0.1", port)
            ctypes.CDLL(None).connect(s.fileno(), there, len(there))
        else:
            s.connect_ex(("127.0.0.1", port))
    finally:
        s.close()


def _sockaddr(family: int, host: str, port: int) -> bytes:
    packed = socket.inet_pton(family, host)
    rest = packed + bytes(8) if family == socket.AF_INET else bytes(4) + packed + bytes(4)
    return family.to_bytes(2, sys.byteorder) + port.to_bytes(2, "big") + rest


def _send_to(host: str, port: int) -> None:
    """A connection to the first address of `host`."""
    family, kind, _, _, address = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)[0]
    _send(family, kind, address, b"")


def _send(family: int, kind: int, address: Any, data: bytes) -> None:
    """Raises the OSError by which it failed; returns if anything may have left."""
    s = socket.socket(family, kind)
    try:
        s.setblocking(False)
        if kind == socket.SOCK_STREAM:
            try:
                s.connect(address)
            except BlockingIOError as e:
                _settle(s, e.errno or 0)
        else:
            s.sendto(data, address)
    finally:
        s.close()


def _settle(s: socket.socket, number: int) -> None:
    if (
        number == errno.EINPROGRESS
    ):  # a packet is under way: what becomes of it is only for the report
        waiting = select.poll()
        waiting.register(s.fileno(), select.POLLOUT)
        done = waiting.poll(_WAIT_MS)
        number = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) if done else errno.ETIMEDOUT
    if number:
        raise OSError(number, os.strerror(number))


def _told(attempt: Callable[..., None], *arguments: Any, nobody: bool = False) -> str:
    try:
        attempt(*arguments)
    except OSError as e:
        return _failure(e, nobody=nobody)
    return "REACHED: nothing refused it"


def _failure(e: OSError, *, nobody: bool) -> str:
    """`nobody`: whether nobody listening there is a refusal. So it is at sockets of this machine; elsewhere it is an answer."""
    if getattr(e, "guarded", False):
        return "blocked by the guard"
    if isinstance(e, socket.gaierror):
        return "refused: no such name"
    name = errno.errorcode.get(e.errno or 0, "?")
    refused = e.errno in _REFUSALS or (nobody and e.errno in _NOBODY)
    return f"refused: {name}" if refused else f"REACHED: {name}"


def _variables() -> str:
    found = sorted(v for v in os.environ if v.lower().endswith("_proxy") and v.lower() != "no_proxy")  # fmt: skip
    return f"REACHED: {', '.join(found)} set" if found else "refused: none is set"


def main(port: str, *known: str) -> None:
    """As the child: "VARIABLE HOST PORT" for each proxy and "/PATH" for each socket; a line of "WHAT<tab>HOW" for each attempt."""
    proxies = dict(_proxy(*k.split(" ")) for k in known if not k.startswith("/"))
    told = from_python(proxies, [k for k in known if k.startswith("/")])
    told["dns lookup"] = look_up()
    knock(int(port))
    sys.stdout.write("".join(f"{what}\t{how}\n" for what, how in told.items()))


def _proxy(variable: str, host: str, port: str) -> tuple[str, tuple[str, int]]:
    return variable, (host, int(port))


if __name__ == "__main__":
    main(*sys.argv[1:])
