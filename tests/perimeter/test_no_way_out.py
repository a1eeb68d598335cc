"""A suite that is out to send something away, in the namespace and under the guard; somebody outside listens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import walled
import ways_out
from harness import Project, right_but
from scripted import ScriptedServer

from evalgate.models.process import QUIET

# What an operator's shell, or somebody who wants to relax the gate, may have set.
HOSTILE = {
    "EVALGATE_PERIMETER": '{"guarantee": "guard"}',
    "EVALGATE_GUARD": "{}",
    "EVALGATE_ALLOW_NETWORK": "1",
    "HTTP_PROXY": "http://user:secret@127.0.0.1:9",
    "https_proxy": "http://198.51.100.78:3128",
    "ALL_PROXY": "socks5://198.51.100.79",
    "NO_PROXY": "*",
    "HF_HUB_OFFLINE": "0",
    "LD_PRELOAD": "/nonexistent/evalgate-tests.so",
}
TRY = """\
told = {{host: ways_out.try_all(host, {port}) for host in {hosts!r}}}
open({target!r}, "w").write(json.dumps([told, dict(os.environ)]))
"""


@pytest.fixture(scope="module")
def observer():
    with ways_out.Observer() as listening:
        yield listening


@pytest.fixture(scope="module")
def walled_in(tmp_path_factory, observer):
    """One check in a namespace, by a hostile suite under a hostile environment: project, result, what the suite saw."""
    if why := walled.why_no_namespace():
        pytest.skip(f"no network namespace here: {why}")
    root = tmp_path_factory.mktemp("walled_in")
    project = walled.served(root / "p")
    hosts = ["127.0.0.1", *filter(None, [ways_out.own_address()])]
    told = root / "told.json"
    walled.attacking(project, first=TRY.format(port=observer.port, hosts=hosts, target=str(told)))
    evil = root / "evil"
    evil.mkdir()
    (evil / "sitecustomize.py").write_text(f"open({str(root / 'loaded')!r}, 'a').write('x')\n")
    done = project.evalgate("gate", "check", timeout=600, **HOSTILE, PYTHONPATH=str(evil))
    assert told.exists(), done.stdout + done.stderr + walled.as_seen(project)
    attempts, environment = json.loads(told.read_text())
    return project, done, attempts, environment


@pytest.mark.parametrize("way", ways_out.WAYS)
def test_in_the_namespace_nothing_gets_out(walled_in, observer, way):
    _, _, attempts, _ = walled_in
    for host, told in attempts.items():
        # a datagram to the namespace's own loopback is sent, and lands where nobody is
        if (host, way) != ("127.0.0.1", "udp"):
            assert told[way], f"{way} went through to {host}"
    assert observer.heard == []


def test_the_observer_hears_each_way_that_no_perimeter_is_in():
    """Without this, a deaf observer would prove anything. Name lookups leave the machine, so they are left out."""
    host = ways_out.own_address() or "127.0.0.1"
    ways = [w for w in ways_out.WAYS if w not in ("dns", "setns", "proxy", "curl")]
    with ways_out.Observer() as listening:
        script = [sys.executable, ways_out.__file__, host, str(listening.port), ",".join(ways)]
        told = json.loads(subprocess.run(script, capture_output=True, check=True).stdout)
        end = time.monotonic() + 10
        while len(listening.heard) < len(ways) and time.monotonic() < end:
            time.sleep(0.05)
    assert told == dict.fromkeys(ways, "")
    assert sorted(listening.heard) == sorted(ways)


def test_the_model_is_asked_and_decided_about_in_the_namespace(walled_in):
    project, done, _, _ = walled_in
    assert done.returncode == 0, done.stdout + done.stderr + walled.as_seen(project)
    assert len(project.rows()) == 120


def test_what_the_namespace_stopped_is_in_the_evidence(walled_in):
    egress = walled.evidence(walled_in[0])["egress"]
    assert egress["guarantee"] == "netns"
    assert egress["control"] is True
    assert egress["allowed"] == []
    probe = egress["probe"]
    for by in ("python", "ctypes", "child"):
        for what in ("tcp4", "tcp6", "udp4", "udp6", "dns packet", "metadata"):
            assert probe[f"{by} {what}"].startswith("refused: E"), (by, what)
    assert probe["child dns lookup"].startswith("refused")
    assert all(how.startswith("refused") for what, how in probe.items() if what != "python vsock")


def test_the_callers_proxies_are_tried_by_name_and_their_passwords_are_nowhere(walled_in):
    project, done, _, _ = walled_in
    probe = walled.evidence(project)["egress"]["probe"]
    for variable in ("HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        assert probe[f"python proxy of {variable}"].startswith("refused")
        assert probe[f"child proxy of {variable}"].startswith("refused")
    assert probe["python proxy variables"] == "refused: none is set"
    kept = "".join(p.read_text() for p in project.root.glob("reports/decisions/*"))
    assert "secret@" not in kept + done.stdout + done.stderr


def test_variables_of_the_caller_relax_nothing(walled_in):
    _, _, _, environment = walled_in
    assert not {v for v in environment if v.lower().endswith("_proxy")}
    assert not {"LD_PRELOAD", "PYTHONPATH", "EVALGATE_ALLOW_NETWORK", "EVALGATE_GUARD", "EVALGATE_PERIMETER"} & set(environment)  # fmt: skip
    assert QUIET.items() <= environment.items()


def test_every_output_names_the_guarantee(walled_in):
    project, done, _, _ = walled_in
    for text in (done.stdout, walled.page(project, ".html"), walled.page(project, ".md")):
        assert "netns: nothing but loopback" in text
        assert "attempts of the probe failed" in text


@walled.needs_namespace
def test_what_the_check_writes_belongs_to_its_caller(walled_in):
    project, _, _, _ = walled_in
    owners = {p.stat().st_uid for p in (project.root / "reports").rglob("*")}
    assert owners == {os.getuid()}


@walled.needs_namespace
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_gate_that_is_ended_takes_the_namespace_with_it_and_goes_on_next_time(tmp_path, number):
    project = walled.served(tmp_path, slow=0.5)
    process = project.start("evalgate", "gate", "check")
    end = time.monotonic() + 300
    while len(project.rows()) < 8:
        assert time.monotonic() < end, walled.as_seen(project)
        time.sleep(0.05)
    inside = walled.children_of(process.pid)
    assert len(inside) >= 3  # the test process, the supervisor, the server
    process.send_signal(number)
    process.communicate(timeout=120)
    end = time.monotonic() + 60
    while any(map(walled.alive, inside)):
        assert time.monotonic() < end, "something has outlived the gate"
        time.sleep(0.05)
    assert process.returncode == (130 if number == signal.SIGTERM else -signal.SIGKILL)
    assert 8 <= len(project.rows()) < 120


# -- under the guard

NAMED = ("python", "udp", "loop", "proxy", "dns", "child")
UNSEEN = ("native", "isolated", "curl")  # docs/privacy.md says so


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """One check of an endpoint by the same suite: project, result, what the suite saw, what was heard outside."""
    host = ways_out.own_address()
    if host is None:
        pytest.skip("this machine has no address but loopback")
    told = tmp_path_factory.mktemp("told") / "told.json"
    with (
        ways_out.Observer() as listening,
        ScriptedServer(reply=right_but(set())) as server,
    ):
        project = Project(tmp_path_factory.mktemp("guarded"), server.url)
        first = f"told = ways_out.try_all({host!r}, {listening.port}, {NAMED[:-1]!r})\n"
        last = f"told = ways_out.try_all({host!r}, {listening.port}, {('child', *UNSEEN)!r})\n"
        write = f"open({str(told)!r}, 'a').write(json.dumps(told) + '\\n')\n"
        walled.attacking(project, first=first + write, last=last + write)
        done = project.evalgate("gate", "check", timeout=600, **HOSTILE)
    lines = told.read_text().splitlines() if told.exists() else []
    assert len(lines) == 2, done.stdout + done.stderr + walled.as_seen(project)
    return project, done, json.loads(lines[0]) | json.loads(lines[1]), listening.heard


@pytest.mark.parametrize("way", NAMED)
def test_under_the_guard_python_gets_nothing_out(guarded, way):
    _, _, attempts, heard = guarded
    assert attempts[way]
    assert way not in heard


def test_under_the_guard_an_attempt_ends_with_5_and_names_the_line_and_the_test(guarded):
    project, done, _, _ = guarded
    assert done.returncode == 5, done.stdout + done.stderr
    decision = json.loads(
        max(
            p for p in project.root.glob("reports/decisions/*.json") if "evidence" not in p.name
        ).read_text()
    )
    assert decision["decision"] == "closed"
    reasons = "\n".join(decision["integrity"])
    assert "EG782" in reasons
    assert "suites/test_triage.py:" in reasons
    assert "in suites/test_triage.py::test_accuracy" in reasons
    assert "a child process, in suites/test_triage.py::test_must_pass" in reasons
    assert "a name was looked up" in reasons


def test_no_message_repeats_where_an_attempt_went(guarded):
    """A name or an address can carry text out of a gold set; a port hardly."""
    project, done, _, _ = guarded
    kept = "".join(p.read_text() for p in project.root.glob("reports/decisions/*"))
    for told in (kept, done.stdout, done.stderr):
        assert ways_out.NAME not in told
        assert ways_out.own_address() not in told


@pytest.mark.parametrize("way", UNSEEN)
def test_the_guard_claims_nothing_about_what_it_cannot_see(guarded, way):
    """It does not stop these, and says so: a guard is best effort."""
    project, done, attempts, heard = guarded
    if attempts[way].startswith("OSError: no curl"):
        pytest.skip("no curl here")
    assert any(way in told for told in heard)
    egress = walled.evidence(project)["egress"]
    assert egress["guarantee"] == "guard"
    assert egress["probe"]["ctypes"] == egress["probe"]["child process"] == "not claimed"
    assert "scripted is an endpoint" in egress["why"]
    for text in (done.stdout, walled.page(project, ".html"), walled.page(project, ".md")):
        assert "best effort" in text
        assert "netns" not in text


def test_what_the_guard_claims_was_tried_before_the_first_question(guarded):
    probe = walled.evidence(guarded[0])["egress"]["probe"]
    for what in ("tcp4", "tcp6", "udp4", "udp6", "dns packet", "dns lookup", "metadata"):
        assert probe[f"python {what}"] == "blocked by the guard"


def test_an_attempt_while_suites_are_imported_is_egress_and_no_usage_error(tmp_path):
    with ScriptedServer(reply=right_but(set())) as server:
        project = Project(tmp_path, server.url)
        project.edit(
            "suites/test_triage.py",
            "import pytest\n",
            "import pytest, socket\nsocket.create_connection(('198.51.100.77', 443), 1)\n",
        )
        done = project.evalgate("gate", "check", timeout=600)
        assert server.count == 0
    assert done.returncode == 5, done.stdout + done.stderr
    assert "suites/test_triage.py:3" in done.stdout
    assert "port 443" in done.stdout


def test_an_endpoint_beyond_loopback_is_asked_and_stands_under_allowed(tmp_path):
    host = ways_out.own_address()
    if host is None:
        pytest.skip("this machine has no address but loopback")
    with (
        ScriptedServer(reply=right_but(set())) as server,
        ways_out.relay(host, server.port) as port,
    ):
        project = Project(tmp_path, f"http://{host}:{port}/v1")
        done = project.evalgate("gate", "check", timeout=600)
        assert server.count == 120
    assert done.returncode == 0, done.stdout + done.stderr + walled.as_seen(project)
    assert walled.evidence(project)["egress"]["allowed"] == [f"{host}:{port}"]
    assert f"held to loopback, {host}:{port}" in " ".join(done.stdout.split())


def test_an_endpoint_whose_name_means_nothing_is_an_outage_and_no_egress(tmp_path):
    project = Project(tmp_path, "http://nobody.evalgate-tests.invalid:8000/v1")
    done = project.evalgate("gate", "check", timeout=600)
    assert done.returncode == 4, done.stdout + done.stderr
    assert "EG782" not in done.stdout
