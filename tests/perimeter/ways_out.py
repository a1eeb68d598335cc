"""Ways out, as an attacker's suite would try them, and an observer outside who hears what comes through.

`try_all(host, port)` tries each and says what became of it; run as a script, it does so without any perimeter.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

NAME = "somebody.evalgate-tests.invalid"
_ONE_LINE = "import socket, sys; s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 3); s.sendall(sys.argv[3].encode())"


def python(host, port):
    with socket.create_connection((host, port), 3) as s:
        s.sendall(b"python")


def udp(host, port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(b"udp", (host, port))


def loop(host, port):
    async def send():
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), 3)
        writer.write(b"loop")
        await writer.drain()
        writer.close()

    asyncio.run(send())


def native(host, port):
    libc = ctypes.CDLL(None, use_errno=True)
    there = (
        struct.pack("=H", socket.AF_INET)
        + struct.pack("!H", port)
        + socket.inet_aton(host)
        + bytes(8)
    )
    number = libc.socket(socket.AF_INET, socket.SOCK_STREAM, 0)
    try:
        if libc.connect(number, there, len(there)):
            raise OSError(ctypes.get_errno(), "connect")
        libc.send(number, b"native", 6, 0)
    finally:
        os.close(number)


def child(host, port):
    _run(sys.executable, "-c", _ONE_LINE, host, str(port), "child")


def isolated(host, port):
    _run(sys.executable, "-I", "-S", "-c", _ONE_LINE, host, str(port), "isolated")


def curl(host, port):
    if shutil.which("curl") is None:
        raise OSError("no curl here")
    _run("curl", "--silent", "--max-time", "3", "--http0.9", f"http://{host}:{port}/curl")


def proxy(host, port):
    os.environ["http_proxy"] = f"http://{host}:{port}"
    try:
        urllib.request.urlopen("http://proxy.invalid/", timeout=3)
    finally:
        del os.environ["http_proxy"]


def dns(host, port):
    del host, port
    try:
        socket.getaddrinfo(NAME, 80)
    except socket.gaierror as e:
        if e.errno == socket.EAI_NONAME:
            return  # a resolver has heard the name
        raise


def abstract(host, port):
    del host
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(f"\0evalgate-observer-{port}")
        s.sendall(b"abstract")


def setns(host, port):
    with Path(f"/proc/{os.getppid()}/ns/net").open() as outside:
        libc = ctypes.CDLL(None, use_errno=True)
        inside = os.open("/proc/self/ns/net", os.O_RDONLY)
        if libc.setns(outside.fileno(), 0x40000000):
            raise OSError(ctypes.get_errno(), "setns")
    try:
        with socket.create_connection((host, port), 3) as s:
            s.sendall(b"setns")
    finally:
        libc.setns(inside, 0)


WAYS = {
    f.__name__: f
    for f in (python, udp, loop, native, child, isolated, curl, proxy, dns, abstract, setns)
}


def _run(*argv):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode:
        raise OSError(done.returncode, done.stderr.decode()[-300:])


def try_all(host, port, ways=tuple(WAYS)):
    """{way: "" if it went through, else the error}."""
    told = {}
    for name in ways:
        try:
            WAYS[name](host, port)
            told[name] = ""
        except Exception as e:
            told[name] = f"{type(e).__name__}: {e}"
    return told


class Observer:
    """Listens outside every namespace: TCP and UDP on all addresses of the machine, and an abstract socket."""

    def __enter__(self):
        self.heard = []
        self._tcp = socket.create_server(("0.0.0.0", 0))
        self.port = self._tcp.getsockname()[1]
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("0.0.0.0", self.port))
        self._unix = socket.socket(socket.AF_UNIX)
        self._unix.bind(f"\0evalgate-observer-{self.port}")
        self._unix.listen()
        self._sockets = (self._tcp, self._udp, self._unix)
        for one in self._sockets:
            one.settimeout(0.1)
        self._over = False
        self._threads = [
            threading.Thread(target=self._listen, args=(one,), daemon=True) for one in self._sockets
        ]
        for thread in self._threads:
            thread.start()
        return self

    def _listen(self, one):
        while not self._over:
            with contextlib.suppress(OSError):
                if one is self._udp:
                    self.heard.append(one.recv(64).decode())
                    continue
                connection, _ = one.accept()
                with connection:
                    connection.settimeout(2)
                    self.heard.append(connection.recv(64).decode())

    def __exit__(self, *_):
        self._over = True
        for thread in self._threads:
            thread.join()
        for one in self._sockets:
            one.close()


def own_address():
    """An address of this machine that is not loopback, None if it has none. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.connect(("198.51.100.77", 9))
        except OSError:
            return None
        return s.getsockname()[0]


@contextlib.contextmanager
def relay(host, port):
    """Carries connections to a free port of `host` on to `port` of loopback; yields the free one."""
    loop = asyncio.new_event_loop()

    async def copy(reader, writer):
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def connected(reader, writer):
        onward, there = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(copy(reader, there), copy(onward, writer))

    server = loop.run_until_complete(asyncio.start_server(connected, host, 0))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:

        async def end():
            server.close()
            mine = asyncio.current_task()
            rest = [t for t in asyncio.all_tasks() if t is not mine]
            for task in rest:
                task.cancel()
            await asyncio.gather(*rest, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


if __name__ == "__main__":
    json.dump(try_all(sys.argv[1], int(sys.argv[2]), sys.argv[3].split(",")), sys.stdout)
