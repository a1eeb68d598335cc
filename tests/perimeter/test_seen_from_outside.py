"""A whole gate check on the real embedded model, every connect and send of every process of it watched by strace."""

from __future__ import annotations

import re
import shutil
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest
import walled
from harness import DECLARED, Project, gold_items

from evalgate.gate.probe_child import METADATA, PUBLIC4, PUBLIC6

WEIGHTS = Path(__file__).parents[2] / "models" / "smollm2-135m-instruct.gguf"
SUITE = f'''\
"""Triage of a handful of requests."""
from evalgate import Suite, parse_label, rate

{DECLARED}
def test_failed_rate(answers, threshold):
    assert threshold.met_by(rate(answers, "failed"))
'''
MODELS = """\
[models.smollm2]
artifact = "smollm2.gguf"
server = "llamacpp"
timeout_s = 1800

[default]
candidate = "smollm2"
"""
CALLS = "connect,sendto,sendmsg,sendmmsg"
_ADDRESS = re.compile(r'inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"|sa_family=(AF_\w+)')


def sent(line: str) -> set[str]:
    """Where a traced call would go: numbers of IP addresses, families for others."""
    found = {a or b or c for a, b, c in _ADDRESS.findall(line)}
    return found - {"AF_INET", "AF_INET6"} or found


def nameservers() -> set[str]:
    try:
        lines = Path("/etc/resolv.conf").read_text().splitlines()
    except OSError:
        lines = []
    return {line.split()[1] for line in lines if line.startswith("nameserver")} or {"127.0.0.1"}


def test_the_reader_of_traces_finds_every_kind_of_address():
    line = '7 connect(5, {sa_family=AF_INET, sin_port=htons(443), sin_addr=inet_addr("198.51.100.77")}, 16) = -1 ENETUNREACH'
    assert sent(line) == {"198.51.100.77"}
    line = '7 sendto(5, "x", 1, 0, {sa_family=AF_INET6, sin6_port=htons(9), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "2001:db8::77", &sin6_addr), sin6_scope_id=0}, 28 <unfinished ...>'
    assert sent(line) == {"2001:db8::77"}
    assert sent('7 connect(3, {sa_family=AF_UNIX, sun_path="/run/x"}, 9) = 0') == {"AF_UNIX"}
    assert sent('7 sendto(3, "x", 1, 0, NULL, 0) = 1') == set()


@pytest.mark.slow
@pytest.mark.embedded
@pytest.mark.skipif(find_spec("xllamacpp") is None, reason="the extra `embedded` is not installed")
@pytest.mark.skipif(not WEIGHTS.is_file(), reason="run 'evalgate models import smollm2'")
@pytest.mark.skipif(shutil.which("strace") is None, reason="the program strace is not here")
@walled.needs_namespace
def test_a_whole_gate_check_on_the_embedded_model_sends_nothing_but_the_probes_own_attempts(
    tmp_path,
):
    project = Project(tmp_path / "p", "http://127.0.0.1:9/v1")
    project.write("suites/test_triage.py", SUITE)
    project.write("gate.toml", "[gate]\nalpha = 0.05\nfirst_release = true\n\n[triage]\nfailed_rate = { max = 0.9 }\n")  # fmt: skip
    project.write("evalgate.toml", MODELS)
    project.gold(gold_items(6))
    shutil.copy(WEIGHTS, project.root / "smollm2.gguf")
    trace = tmp_path / "trace"
    done = project.run(
        "strace", "-f", "--seccomp-bpf", "-o", str(trace), "-e", f"trace={CALLS}",
        sys.executable, "-m", "evalgate", "gate", "check", timeout=1800,
    )  # fmt: skip
    assert done.returncode in (0, 1, 3), done.stdout + done.stderr + walled.as_seen(project)
    assert len(project.rows()) == 6

    calls = [line for line in trace.read_text(errors="replace").splitlines() if "(" in line]
    told = [(line, to) for line in calls for to in sent(line)]
    assert Counter(to for _, to in told)["127.0.0.1"] > 6  # the questions, so the trace is whole
    probe = {PUBLIC4, PUBLIC6, METADATA}
    inside = {"127.0.0.1", "::1", "AF_UNIX", "AF_NETLINK", "AF_UNSPEC", "AF_VSOCK"}
    rest = [line for line, to in told if to not in inside | probe | nameservers()]
    assert rest == []
    attempts = [line for line, to in told if to in probe]
    assert len(attempts) == 20  # seven from Python, seven from its child, six from libc
    assert all(" = -1 E" in line or "unfinished" in line for line in attempts)
    # A resolver is asked for by the probe's child alone, and does not answer: there is no way to it.
    probing = {line.split()[0] for line in attempts}
    asking = [line for line, to in told if to in nameservers() - {"127.0.0.1"}]
    assert {line.split()[0] for line in asking} <= probing
    assert sum("AF_VSOCK" in line for line in calls) <= 1
