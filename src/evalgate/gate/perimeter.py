"""Around the test process of a check: a network namespace of its own where one can be had, else a guard. docs/privacy.md.

Which of the two is not a wish but what happened: the namespace is tried by the very process that is to live in it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from evalgate.errors import IntegrityError
from evalgate.records import Egress, Evidence, Record

if TYPE_CHECKING:
    from evalgate.suite import Project

VARIABLE = "EVALGATE_PERIMETER"
"""By this variable the test process is told where it lives. The gate sets it; nobody else's word is taken for it."""

_PORTS = {"http": 80, "https": 443}

# Sockets behind which a program works that is not in the namespace: containers, other users' services, name servers.
_SOCKETS = (
    "avahi-daemon/socket", "containerd/containerd.sock", "crio/crio.sock", "dbus/system_bus_socket", "docker.sock",
    "libvirt/libvirt-sock", "libvirt/virtqemud-sock", "lxd/unix.socket", "nscd/socket", "podman/podman.sock", "snapd.socket",
    "systemd/private", "systemd/resolve/io.systemd.Resolve", "user/{uid}/bus", "user/{uid}/docker.sock",
    "user/{uid}/podman/podman.sock", "user/{uid}/systemd/private",
)  # fmt: skip


class Address(Record, kw_only=True):
    """Where an endpoint is: its name as written, its port, and what the name meant when the check began."""

    name: str
    port: int
    numbers: tuple[str, ...]

    def __str__(self) -> str:
        name = f"[{self.name}]" if ":" in self.name else self.name
        meant = "" if self.numbers == (self.name,) else f" = {', '.join(self.numbers) or 'unknown'}"
        return f"{name}:{self.port}{meant}"

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine, where everything passes a guard."""
        return bool(self.numbers) and all(n == "::1" or n.startswith("127.") for n in self.numbers)


class Perimeter(Record, kw_only=True):
    """What the test process is told. `why`: what speaks against a namespace, "" in one.

    `endpoints`: what a guard lets pass besides loopback. `proxies`: host and port by the variable of the caller that
    names them; `sockets`: the paths of known sockets of this machine. Neither may lead out.
    """

    guarantee: Literal["netns", "guard"]
    why: str = ""
    endpoints: tuple[Address, ...] = ()
    proxies: dict[str, tuple[str, int]] = {}  # noqa: RUF012 (msgspec copies it)
    sockets: tuple[str, ...] = ()


def wanted(project: Project, model: str, environment: Mapping[str, str]) -> Perimeter:
    """The best perimeter for a check of `model`: a namespace, unless an endpoint is in use, which would be outside it.

    Names of endpoints are resolved here, once. `environment` is the caller's.
    """
    used = dict.fromkeys((model, project.gate.settings.baseline, _judge(project)))
    specs = {name: project.settings.models.get(name) for name in used if name}
    urls = {n: s.url or "" for n, s in specs.items() if s is not None and s.server == "endpoint"}
    proxies = {n: a for n, v in environment.items() if _is_proxy(n) and (a := _host_and_port(v))}
    why = ""
    if urls:
        names = ", ".join(urls)
        why = f"{names} {'is an endpoint' if len(urls) == 1 else 'are endpoints'}, outside any namespace of this gate"
    elif sys.platform != "linux":
        why = f"network namespaces are Linux's, and this is {sys.platform}"
    return Perimeter(
        guarantee="guard" if why else "netns",
        why=why,
        endpoints=tuple(_resolved(urls.values())),
        proxies=proxies,
        sockets=_sockets(),
    )


def start(
    want: Perimeter, spawn: Callable[[Perimeter, Callable[[], None]], subprocess.Popen[bytes]]
) -> tuple[subprocess.Popen[bytes], Perimeter]:
    """What `spawn` starts, and the perimeter that it is in: where no namespace can be had, a guard that says why.

    `spawn` gets the perimeter that its process is to be told of, and what that process must call before it executes
    anything.
    """
    if want.guarantee == "netns":
        from evalgate.gate.perimeter_namespace import enter

        reading, writing = os.pipe()

        def entering() -> None:
            try:
                enter(want.sockets)
            except OSError as e:
                os.write(writing, f"{e.filename or 'namespace'}: {e.strerror}".encode()[:200])
                raise

        with os.fdopen(reading, "rb") as told:
            try:
                return spawn(want, entering), want
            except subprocess.SubprocessError:
                os.set_blocking(reading, False)
                if not (why := told.read(200)):
                    raise
            finally:
                os.close(writing)
        want = msgspec.structs.replace(want, guarantee="guard", why=why.decode())
    return spawn(want, lambda: None), want


def disagreement(evidence: Evidence | None, lived_in: Perimeter) -> IntegrityError | None:
    """What speaks against an open decision with this evidence: it proves no perimeter, or another than it was given."""
    egress: Egress | None = evidence.egress if evidence else None
    if egress is not None and egress.control and egress.guarantee == lived_in.guarantee:
        return None
    return IntegrityError(
        f"found {egress.guarantee if egress else 'no'} proof of the network perimeter, expected one of "
        f"{lived_in.guarantee}. Run the check again.",
        where="network",
        code="EG783",
    )


def _judge(project: Project) -> str | None:
    """Who judges, where a row of gate.toml needs a judge."""
    judged = any(bar.judge for rows in project.gate.suites.values() for bar in rows.values())
    return project.settings.judge_model if judged else None


def _is_proxy(variable: str) -> bool:
    name = variable.lower()
    return name.isidentifier() and name.endswith("_proxy") and name != "no_proxy"


def _host_and_port(value: str) -> tuple[str, int] | None:
    """Of a proxy or an endpoint, without user and password; None where there are none to be found."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        host, port = parts.hostname, parts.port or _PORTS.get(parts.scheme, 1080)
    except ValueError:
        return None
    return (host, port) if host and " " not in host else None


def _resolved(urls: Iterable[str]) -> Iterable[Address]:
    """What the names mean now. One that means nothing is allowed no address: the question will find it unreachable."""
    import socket

    for host, port in dict.fromkeys(filter(None, map(_host_and_port, urls))):
        try:
            found: list[Any] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            found = []
        yield Address(
            name=host, port=port, numbers=tuple(dict.fromkeys(str(f[4][0]) for f in found))
        )


def _sockets() -> tuple[str, ...]:
    """The known sockets of this machine that are there, each by its true path."""
    named = (s.format(uid=os.getuid()) for s in _SOCKETS) if sys.platform == "linux" else ()
    paths = [Path(root, name) for name in named for root in ("/run", "/var/run")]
    return tuple(dict.fromkeys(os.path.realpath(p) for p in paths if _is_socket(p)))


def _is_socket(path: Path) -> bool:
    try:
        return path.is_socket()
    except OSError:  # a directory that is not ours to look into
        return False
