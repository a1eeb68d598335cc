"""Entering a network namespace in which there is nothing but loopback. Linux; libc is called directly.

Called between fork and exec, in a process with one thread. Without privileges it takes a user namespace in which the
caller is who they are, so that files keep their owner; with them, it gives up those that lead back out.
"""

from __future__ import annotations

import _socket
import ctypes
import fcntl
import os
import sys
from collections.abc import Sequence
from pathlib import Path

_NEWNS, _NEWUSER, _NEWNET = 0x00020000, 0x10000000, 0x40000000
_BIND, _REC, _SLAVE = 0x1000, 0x4000, 0x80000
_CAPBSET_DROP = 24
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1

# By these a root process could join the namespace it came from, wire one to the other, unhide a socket, or act through
# a process outside.
_WAYS_BACK = {"NET_ADMIN": 12, "SYS_MODULE": 16, "SYS_RAWIO": 17, "SYS_PTRACE": 19, "SYS_ADMIN": 21}

_libc = ctypes.CDLL(None, use_errno=True)


def enter(hidden: Sequence[str]) -> None:
    """Leaves every network but a loopback of its own, and hides the sockets at the paths `hidden` from here on.

    Children inherit it, and nothing that is executed can undo it. Raises OSError with what could not be done as its
    `filename`; the process may then be half way and must not go on.
    """
    kinds = _NEWNET | (_NEWNS if hidden else 0)
    uid, gid, here = os.geteuid(), os.getegid(), Path.cwd()
    try:
        _call("unshare", kinds)
    except PermissionError:
        _call("unshare", kinds | _NEWUSER, named="no network namespace without privileges")
        for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):  # fmt: skip
            Path("/proc/self", name).write_text(text)
        if uid == 0 and not os.access(here, os.R_OK | os.W_OK | os.X_OK):
            # root over its own id only, and the files are somebody else's
            raise PermissionError(
                13, "the project's files are another user's", "user namespace"
            ) from None
    _raise_loopback()
    if hidden:
        _call("mount", b"none", b"/", None, ctypes.c_ulong(_REC | _SLAVE), None)
        for path in hidden:
            _call("mount", b"/dev/null", os.fsencode(path), None, ctypes.c_ulong(_BIND), None, named=f"hide {path}")  # fmt: skip
    for name, number in _WAYS_BACK.items():
        _call("prctl", _CAPBSET_DROP, ctypes.c_ulong(number), 0, 0, 0, named=f"drop CAP_{name}")


def _call(function: str, *arguments: object, named: str = "") -> None:
    if getattr(_libc, function)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), named or function)


def _raise_loopback() -> None:
    any_socket = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    request = b"lo".ljust(16, b"\0") + _IFF_UP.to_bytes(2, sys.byteorder) + bytes(22)
    fcntl.ioctl(any_socket.fileno(), _SIOCSIFFLAGS, request)
    any_socket.close()
