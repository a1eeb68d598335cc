"""The parts of the perimeter alone: entering a namespace, the guard's rules, a probe that must not be fooled."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import walled
from hypothesis import given, settings
from hypothesis import strategies as st

from evalgate.gate import perimeter, probe_child
from evalgate.gate.perimeter import Address, Perimeter
from evalgate.gate.perimeter_guard import Guard
from evalgate.gate.perimeter_namespace import enter
from evalgate.records import Egress, Evidence
from evalgate.report.egress import egress_text
from evalgate.suite.project import load_header

RULES = {
    "root": "/project",
    "endpoints": [
        ["judge.internal", 8443, ["10.1.2.3", "fd00::7"]],
        ["10.9.9.9", 80, ["10.9.9.9"]],
    ],
    "sockets": ["/run/docker.sock"],
}
WATCH = """\
import sys
from pathlib import Path
from evalgate.errors import IntegrityError
from evalgate.gate.perimeter import Perimeter
from evalgate.gate.probe import Watch
watch = Watch(Perimeter(guarantee="netns", proxies={"HTTP_PROXY": ("proxy.invalid", 3128)}), Path.cwd(), Path.cwd())
try:
    watch.finish()
except IntegrityError as e:
    print(e)
"""
# As a child of the test: unprivileged if it can be, in a namespace, then what it finds there.
INSIDE = """\
import ctypes, os, socket, sys
from pathlib import Path
from evalgate.gate.perimeter_namespace import enter
if os.getuid() == 0 and sys.argv[1] == "nobody":
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # its own again, as after an exec
enter(sys.argv[3:])
(Path(sys.argv[2]) / "made").write_text("x")
print(os.getuid(), os.getgid())
with socket.socket() as listener:
    listener.bind(("127.0.0.1", 0)); listener.listen()
    socket.socket().connect(listener.getsockname())
with socket.socket(socket.AF_INET6) as listener:
    listener.bind(("::1", 0)); listener.listen()
    socket.socket(socket.AF_INET6).connect(listener.getsockname())
for path in sys.argv[3:]:
    try:
        socket.socket(socket.AF_UNIX).connect(path)
        print("reached")
    except OSError as e:
        print(type(e).__name__)
print([n for _, n in socket.if_nameindex()])
"""


@pytest.fixture
def guard(tmp_path) -> Guard:
    """The rules alone: an audit hook could never be taken away again."""
    return Guard({**RULES, "seen": str(tmp_path / "seen.jsonl")})


@pytest.fixture
def everybodys() -> Iterator[Path]:
    """A directory that every user of the machine may write to."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


# -- the namespace


@walled.needs_namespace
@pytest.mark.parametrize("who", ["caller", "nobody"])
def test_in_the_namespace_there_is_loopback_and_the_caller_stays_who_they_are(everybodys, who):
    path = str(everybodys / "known.sock")
    with socket.socket(socket.AF_UNIX) as known:
        known.bind(path)
        known.listen()
        Path(path).chmod(0o777)
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", INSIDE, who, str(everybodys), path],
            capture_output=True,
            text=True,
            check=False,
        )
        with socket.socket(socket.AF_UNIX) as outside:
            outside.connect(path)  # hidden there, not here
    assert done.returncode == 0, done.stderr
    me, hidden, interfaces = done.stdout.splitlines()
    expected = 65534 if who == "nobody" and os.getuid() == 0 else os.getuid()
    assert me.split()[0] == str(expected)
    assert (everybodys / "made").stat().st_uid == expected
    assert hidden == "ConnectionRefusedError"
    assert "lo" in interfaces
    assert "eth" not in interfaces


@walled.needs_namespace
@pytest.mark.skipif(os.getuid() != 0, reason="only root can try to go back")
def test_root_cannot_go_back_out_of_the_namespace():
    """After an exec, what could lead back is gone: join, wire, trace, unhide."""
    code = "import sys; from evalgate.gate.perimeter_namespace import enter; enter(()); import os; os.execv(sys.executable, [sys.executable, '-c', sys.argv[1]])"
    back = (
        "import ctypes, os\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "try:\n"
        "    print(libc.setns(os.open(f'/proc/{os.getppid()}/ns/net', os.O_RDONLY), 0x40000000))\n"
        "except PermissionError:\n"
        "    print(-1)\n"
        "print(libc.unshare(0x20000), libc.ptrace(16, os.getppid(), 0, 0))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, back], capture_output=True, text=True, check=False)  # fmt: skip
    assert done.stdout.split() == ["-1", "-1", "-1"], done.stderr


@pytest.mark.skipif(shutil.which("unshare") is None, reason="the program `unshare` is not here")
@walled.needs_namespace
def test_where_no_namespace_can_be_had_the_guard_says_why(tmp_path):
    """A machine that forbids them, made of a user namespace whose limit is none."""
    project = walled.served(tmp_path)
    argv = [sys.executable, "-m", "evalgate", "gate", "check"]
    lock = 'cd /proc/sys/user && echo 0 > max_net_namespaces && echo 0 > max_user_namespaces && cd "$OLDPWD" && exec "$@"'  # fmt: skip
    done = project.run("unshare", "-Ur", "sh", "-c", lock, "sh", *argv, timeout=600)
    if "max_net_namespaces" in done.stderr:
        pytest.skip("the limits of namespaces cannot be lowered here")
    assert done.returncode == 0, done.stdout + done.stderr + walled.as_seen(project)
    egress = walled.evidence(project)["egress"]
    assert egress["guarantee"] == "guard"
    assert egress["why"].startswith("unshare: ")
    assert egress["why"] in done.stdout.replace("\n", " ")


# -- the probe


def in_namespace(setup: str) -> str:
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        pytest.skip("the programs `unshare` and `ip` are not here")
    script = f'{setup} || exit 77; exec "$0" -c "$1"'
    done = subprocess.run(
        ["unshare", "-rn", "sh", "-c", script, sys.executable, WATCH],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip(f"it cannot be set up here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return done.stdout


@walled.needs_namespace
def test_a_route_that_swallows_everything_is_a_way_out():
    """What is never answered has left: nothing of it may count as refused."""
    said = in_namespace("ip link set lo up && ip route add default dev lo")
    assert "EG780" in said
    for what in ("python tcp4", "ctypes tcp4", "child tcp4", "python udp4", "python metadata"):
        assert what in said


@walled.needs_namespace
def test_refusals_without_a_working_loopback_prove_nothing():
    assert "EG781" in in_namespace("true")


@walled.needs_namespace
def test_a_probe_in_a_bare_namespace_finds_no_way_out():
    """The two above would say something else of any namespace if this one did not stay silent."""
    assert in_namespace("ip link set lo up") == ""


def test_a_variable_that_names_a_proxy_is_a_way_out(monkeypatch):
    assert probe_child._variables() == "refused: none is set"
    monkeypatch.setenv("Https_Proxy", "http://198.51.100.1")
    monkeypatch.setenv("no_proxy", "*")
    assert probe_child._variables() == "REACHED: Https_Proxy set"


def test_somebody_who_answers_has_been_reached_though_the_answer_is_no():
    refused = OSError(111, "refused")
    assert probe_child._failure(refused, nobody=False) == "REACHED: ECONNREFUSED"
    assert probe_child._failure(refused, nobody=True) == "refused: ECONNREFUSED"
    assert probe_child._failure(TimeoutError(110, "timed out"), nobody=True).startswith("REACHED")


def test_an_open_decision_needs_the_proof_of_its_own_perimeter():
    bare = Evidence(decided="", evalgate="", python="")
    lived_in = Perimeter(guarantee="netns")

    def said(egress: Egress | None) -> str:
        found = msgspec.structs.replace(bare, egress=egress)
        return str(perimeter.disagreement(found, lived_in) or "")

    assert said(Egress(guarantee="netns", control=True)) == ""
    assert "EG783" in said(None)
    assert "EG783" in said(Egress(guarantee="guard", control=True))
    assert "EG783" in said(Egress(guarantee="netns", control=False))
    assert "EG783" in str(perimeter.disagreement(None, lived_in))


# -- which perimeter


def test_an_endpoint_in_use_cannot_be_in_a_namespace_and_one_that_is_not_in_use_does_not_count(
    tmp_path,
):
    project = walled.served(tmp_path)
    text = (tmp_path / "evalgate.toml").read_text()
    other = '[models.other]\nserver = "endpoint"\nurl = "http://127.0.0.1:8000/v1"\nname = "x"\nfamily = "y"\n'
    project.write("evalgate.toml", text + other)
    header = load_header(tmp_path)
    mine = perimeter.wanted(header, "rc", {})
    assert mine.guarantee == ("netns" if sys.platform == "linux" else "guard")
    assert mine.endpoints == ()
    theirs = perimeter.wanted(header, "other", {})
    assert theirs.guarantee == "guard"
    assert theirs.why.startswith("other is an endpoint")
    assert theirs.endpoints == (Address(name="127.0.0.1", port=8000, numbers=("127.0.0.1",)),)
    assert theirs.endpoints[0].is_loopback


def test_proxies_are_known_by_host_and_port_alone(tmp_path):
    walled.served(tmp_path)
    found = perimeter.wanted(
        load_header(tmp_path),
        "rc",
        {
            "HTTP_PROXY": "http://user:secret@proxy.example:3128/",
            "https_proxy": "proxy.example",
            "no_proxy": "*",
            "PATH": "/bin",
            "ALL_PROXY": "",
        },
    )
    assert found.proxies == {
        "HTTP_PROXY": ("proxy.example", 3128),
        "https_proxy": ("proxy.example", 80),
    }


# -- the guard's rules

ADDRESSES = st.ip_addresses(v=4).map(str) | st.ip_addresses(v=6).map(str)


@settings(deadline=None)
@given(address=ADDRESSES, port=st.integers(1, 65535))
def test_only_loopback_and_endpoints_pass_the_guard(address, port):
    guard = Guard({**RULES, "seen": "unused"})
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    known = address.startswith("127.") or address in ("::1", "0.0.0.0", "::")
    mapped = address.lower().startswith("::ffff:")
    if not known and not mapped and address not in ("10.1.2.3", "10.9.9.9", "fd00::7"):
        assert guard._refusal(family, (address, port)) == f"port {port}"


@pytest.mark.parametrize(
    ("address", "passes"),
    [
        (("127.0.0.1", 1), True),
        (("127.8.9.1", 1), True),
        (("::1", 1, 0, 0), True),
        (("::ffff:127.0.0.1", 1, 0, 0), True),
        (("localhost", 1), True),
        (("10.1.2.3", 8443), True),
        (("::ffff:10.1.2.3", 8443, 0, 0), True),
        (("fd00::7", 8443, 0, 0), True),
        (("fd00:0::0:7", 8443, 0, 0), True),
        (("judge.internal", 8443), True),
        (("JUDGE.internal", 8443), True),
        (("10.9.9.9", 80), True),
        (("10.1.2.3", 443), False),
        (("10.9.9.9", 8443), False),
        (("judge.internal", 443), False),
        (("judge.internal.example", 8443), False),
        (("::ffff:10.1.2.4", 8443, 0, 0), False),
        (("127.0.0.1.example", 1), False),
        (("169.254.169.254", 80), False),
        (("2001:db8::1", 443, 0, 0), False),
    ],
)
def test_an_endpoint_is_its_address_and_its_port(guard, address, passes):
    family = socket.AF_INET6 if len(address) == 4 else socket.AF_INET
    assert (guard._refusal(family, address) == "") is passes


def test_sockets_of_the_machine_and_other_families_do_not_pass_the_guard(guard, tmp_path):
    assert guard._refusal(socket.AF_UNIX, str(tmp_path / "own.sock")) == ""
    assert guard._refusal(socket.AF_UNIX, b"\0abstract") == ""
    assert guard._refusal(socket.AF_UNIX, "/run/../run/docker.sock")
    assert guard._refusal(40, (2, 1)) == "address family 40"


def test_names_may_be_looked_up_only_where_they_are_known(guard):
    for fine in (None, "", "localhost", b"localhost", "10.0.0.1", "fd00::1", os.uname().nodename):
        assert guard._may_look_up(fine), fine
    for not_fine in ("example.invalid", b"example.invalid", "localhost.example", "1.example"):
        assert not guard._may_look_up(not_fine), not_fine
    assert guard._may_look_back("10.1.2.3")
    assert not guard._may_look_back("10.1.2.4")


def test_an_endpoints_name_means_what_it_meant_at_the_start_and_nobody_is_asked(guard):
    asked = []

    def real(host, port, *args, **named):
        asked.append(host)
        return socket.getaddrinfo(host, port, *args, **named)

    pinned = guard._pinned(real)
    found = pinned("Judge.internal", 8443, type=socket.SOCK_STREAM)
    assert {f[4][0] for f in found} == {"10.1.2.3", "fd00::7"}
    only = pinned("judge.internal", 8443, socket.AF_INET, socket.SOCK_STREAM)
    assert {f[4][0] for f in only} == {"10.1.2.3"}
    assert set(asked) == {"10.1.2.3", "fd00::7"}
    unknown = Guard({**RULES, "endpoints": [["gone.internal", 80, []]], "seen": "unused"})
    with pytest.raises(socket.gaierror):
        unknown._pinned(real)("gone.internal", 80)


def test_the_same_attempt_is_told_once_and_a_childs_is_told_too(guard, tmp_path):
    guard._tell("suites/test_a.py:3", "port 443")
    guard._tell("suites/test_a.py:3", "port 443")
    other = Guard({**RULES, "seen": str(tmp_path / "seen.jsonl")})
    other._tell("a child process", "port 80")
    assert guard.seen() == [("suites/test_a.py:3", "port 443"), ("a child process", "port 80")]


# -- what is said of it


def test_the_sentence_promises_no_more_than_was_there():
    walls = Egress(guarantee="netns", control=True, probe={"python tcp4": "refused: ENETUNREACH", "python vsock": "not claimed (ECONNRESET)"})  # fmt: skip
    assert egress_text(walls) == (
        "netns: nothing but loopback in the namespace of the gate and its servers; 1 of 1 attempts of the probe failed; "
        "not claimed: python vsock"
    )
    weak = Egress(
        guarantee="guard",
        why="judge is an endpoint",
        allowed=("judge.internal:8443 = 10.1.2.3",),
        control=True,
        probe={"python tcp4": "blocked by the guard", "ctypes": "not claimed"},
    )
    said = egress_text(weak)
    assert said.startswith("guard, best effort")
    assert "judge.internal:8443" in said
    assert "no namespace, because judge is an endpoint" in said
    assert "not claimed: ctypes" in said
    broken = msgspec.structs.replace(walls, probe={"python tcp4": "REACHED: ETIMEDOUT"}, control=False)  # fmt: skip
    assert "0 of 1 attempts" in egress_text(broken)
    assert "proves nothing" in egress_text(broken)


def test_entering_says_what_could_not_be_done():
    if sys.platform != "linux" or walled.why_no_namespace():
        pytest.skip("there are no namespaces here")
    pid = os.fork()
    if not pid:
        code = 1
        try:
            enter(("/nonexistent/evalgate.sock",))
        except OSError as e:
            code = 0 if e.filename == "hide /nonexistent/evalgate.sock" else 2
        os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
