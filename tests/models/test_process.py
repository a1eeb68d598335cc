"""Server processes, played by small scripts: they start, hang, die and refuse to go."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from evalgate.errors import InfrastructureError
from evalgate.models.process import cleaned_environment, managed

# Every script tells its process id, and the id of a child where it has one, in the file named by its first argument.
TELL = "import os, sys, time, signal\nopen(sys.argv[1] + '.new', 'w').write(str(os.getpid()))\n"
READY = "os.replace(sys.argv[1] + '.new', sys.argv[1])\n"
RUN = "while True: time.sleep(1)\n"


class Script:
    """A fake server and the file by which it tells that it is ready."""

    def __init__(self, folder: Path, *lines: str) -> None:
        self.path = folder / "server.py"
        self.path.write_text(TELL + "".join(lines), encoding="utf-8")
        self.told = folder / "told"
        self.log = folder / "logs" / "m.log"

    @property
    def argv(self) -> list[str]:
        return [sys.executable, str(self.path), str(self.told)]

    @property
    def ready(self) -> Callable[[], bool]:
        return self.told.exists

    def pids(self) -> list[int]:
        return [int(p) for p in self.told.read_text(encoding="utf-8").split()]


def gone(pid: int, within: float = 10.0) -> bool:
    """Whether a process has ended and, if it was ours, been reaped: no zombie is left."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        try:
            state = (
                Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
            )
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z" and os.getppid() != 0:
            parent = (
                Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1]
            )
            if int(parent) != os.getpid():
                return True  # somebody else's to reap: it is over
        time.sleep(0.02)
    return False


def children() -> set[str]:
    found = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="utf-8")
    return set(found.split())


def test_a_server_runs_until_the_end_and_leaves_nothing(tmp_path):
    before = children()
    script = Script(tmp_path, READY, RUN)
    with managed(script.argv, script.log, script.ready, 30) as server:
        server.alive()
        pid = script.pids()[0]
        os.kill(pid, 0)
    assert gone(pid)
    assert children() == before


def test_an_exception_inside_stops_the_server_too(tmp_path):
    script = Script(tmp_path, READY, RUN)
    with pytest.raises(KeyError), managed(script.argv, script.log, script.ready, 30):
        raise KeyError
    assert gone(script.pids()[0])


def test_a_server_that_dies_at_start_is_told_with_its_last_lines(tmp_path):
    script = Script(tmp_path, "for i in range(40): print('line', i)\nsys.exit(3)\n")
    with (
        pytest.raises(InfrastructureError) as caught,
        managed(script.argv, script.log, script.ready, 30, where="models/m.gguf"),
    ):
        pytest.fail("it never was ready")
    error = caught.value
    assert error.code == "EG320"
    assert "died at start (exit code 3)" in str(error)
    assert str(error).splitlines()[1:] == [f"    line {i}" for i in range(25, 40)]
    assert str(error).startswith("models/m.gguf: ")


def test_a_cause_that_is_buried_under_other_lines_is_told_first(tmp_path):
    script = Script(
        tmp_path,
        "for _ in range(2): print('(Worker pid=7) ERROR [x.py:1] ValueError: too little memory')\n",
        "for i in range(40): print('line', i)\nsys.exit(1)\n",
    )
    with (
        pytest.raises(InfrastructureError) as caught,
        managed(script.argv, script.log, script.ready, 30),
    ):
        pytest.fail("it never was ready")
    shown = str(caught.value).splitlines()[1:]
    assert shown[0] == "    ValueError: too little memory"
    assert shown[1:] == [f"    line {i}" for i in range(25, 40)]


def test_a_server_killed_at_start_is_told_by_its_signal(tmp_path):
    script = Script(tmp_path, "os.kill(os.getpid(), signal.SIGKILL)\n")
    with (
        pytest.raises(InfrastructureError, match="signal 9"),
        managed(script.argv, script.log, script.ready, 30),
    ):
        pytest.fail("it never was ready")


def test_a_program_that_is_not_there_is_told(tmp_path):
    with (
        pytest.raises(InfrastructureError) as caught,
        managed([str(tmp_path / "nothing")], tmp_path / "log", lambda: False, 30),
    ):
        pytest.fail("it never was ready")
    assert caught.value.code == "EG320"
    assert "No such file" in str(caught.value)


def test_a_server_that_hangs_at_start_is_told_and_stopped(tmp_path):
    script = Script(tmp_path, "print('loading', flush=True)\n", RUN)
    with (
        pytest.raises(InfrastructureError) as caught,
        managed(script.argv, script.log, lambda: False, 1.5),
    ):
        pytest.fail("it never was ready")
    assert caught.value.code == "EG321"
    assert "hangs at start" in str(caught.value)
    assert "    loading" in str(caught.value)
    assert gone(int((tmp_path / "told.new").read_text(encoding="utf-8")))


def test_a_server_that_dies_in_the_middle_is_noticed_and_its_log_not_repeated(tmp_path):
    script = Script(
        tmp_path, READY, "print('prompt: Mrs. Example', flush=True)\ntime.sleep(0.3)\nsys.exit(7)\n"
    )
    with managed(script.argv, script.log, script.ready, 30, where="m") as server:
        assert gone(script.pids()[0])
        with pytest.raises(InfrastructureError) as caught:
            wait_for_death(server.alive)
    assert caught.value.code == "EG322"
    assert "exit code 7" in str(caught.value)
    assert "Example" not in str(caught.value)


def wait_for_death(alive: Callable[[], None]) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        alive()
        time.sleep(0.02)


def test_a_server_that_ignores_the_request_to_stop_is_killed(tmp_path):
    script = Script(tmp_path, "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n", READY, RUN)
    started = time.monotonic()
    with managed(script.argv, script.log, script.ready, 30, grace_s=0.3):
        pid = script.pids()[0]
        started = time.monotonic()
    assert gone(pid)
    assert 0.3 <= time.monotonic() - started < 5


WITH_CHILD = (
    "child = os.fork()\nif child:\n"
    "    open(sys.argv[1] + '.new', 'w').write(f'{os.getpid()} {child}')\n"
    "    os.replace(sys.argv[1] + '.new', sys.argv[1])\n"
)


def test_what_a_server_started_itself_ends_with_it(tmp_path):
    script = Script(tmp_path, WITH_CHILD, RUN)
    with managed(script.argv, script.log, script.ready, 30):
        pids = script.pids()
        assert len(pids) == 2
    assert all(gone(pid) for pid in pids)


def test_what_a_dead_server_left_behind_ends_with_it(tmp_path):
    script = Script(tmp_path, WITH_CHILD + "    sys.exit(0)\n", RUN)
    with managed(script.argv, script.log, script.ready, 30):
        pids = script.pids()
    assert all(gone(pid) for pid in pids)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_server_survives_a_killed_evalgate(tmp_path, number):
    script = Script(tmp_path, WITH_CHILD, RUN)
    code = (
        "import sys, json, time\nfrom pathlib import Path\nfrom evalgate.models.process import managed\n"
        "argv, log, told = json.loads(sys.argv[1])\n"
        "with managed(argv, Path(log), Path(told).exists, 30):\n    print('up', flush=True)\n    time.sleep(60)\n"
    )
    job = json.dumps([script.argv, str(script.log), str(script.told)])
    with subprocess.Popen([sys.executable, "-c", code, job], stdout=subprocess.PIPE) as evalgate:
        assert evalgate.stdout is not None
        assert evalgate.stdout.readline() == b"up\n"
        pids = script.pids()
        evalgate.send_signal(number)
        evalgate.wait(10)
    assert all(gone(pid) for pid in pids)


def test_an_interrupt_from_the_terminal_does_not_reach_the_server(tmp_path):
    script = Script(tmp_path, READY, RUN)
    with managed(script.argv, script.log, script.ready, 30):
        pid = script.pids()[0]
        assert os.getsid(pid) != os.getsid(0)
        assert os.getpgid(pid) != os.getpgid(0)


def test_a_server_knows_nothing_of_its_surroundings_but_what_it_needs(tmp_path, monkeypatch):
    for name in (
        "HTTPS_PROXY",
        "JUDGE_API_KEY",
        "HF_TOKEN",
        "PYTHONPATH",
        "LD_PRELOAD_X",
        "PYTEST_ADDOPTS",
    ):
        monkeypatch.setenv(name, "x")
    script = Script(
        tmp_path, "import json\nprint(json.dumps(dict(os.environ)), flush=True)\n", READY, RUN
    )
    with managed(script.argv, script.log, script.ready, 30):
        seen = json.loads(script.log.read_text(encoding="utf-8"))
    assert "x" not in seen.values()
    assert seen["HF_HUB_OFFLINE"] == "1"
    assert seen["PATH"] == os.environ["PATH"]


def test_the_cleaned_environment_keeps_only_known_names():
    assert set(cleaned_environment({"PATH": "/bin", "LC_ALL": "C", "AWS_SECRET": "x", "http_proxy": "y"})) == {
        "PATH", "LC_ALL", "DISABLE_TELEMETRY", "DO_NOT_TRACK", "GRADIO_ANALYTICS_ENABLED", "HF_DATASETS_OFFLINE",
        "HF_HUB_DISABLE_TELEMETRY", "HF_HUB_OFFLINE", "MLFLOW_DISABLE_TELEMETRY", "OTEL_SDK_DISABLED", "RAY_USAGE_STATS_ENABLED",
        "TRANSFORMERS_OFFLINE", "USE_HUB_KERNELS", "VLLM_DO_NOT_TRACK", "VLLM_HOST_IP", "VLLM_NO_USAGE_STATS", "WANDB_MODE",
    }  # fmt: skip


def test_a_log_is_readable_by_its_owner_only_and_begins_anew(tmp_path):
    script = Script(tmp_path, "print('hello', flush=True)\n", READY, RUN)
    script.log.parent.mkdir()
    script.log.write_text("yesterday's\n", encoding="utf-8")
    script.log.chmod(0o644)
    with managed(script.argv, script.log, script.ready, 30):
        pass
    assert script.log.read_text(encoding="utf-8") == "hello\n"
    assert script.log.stat().st_mode & 0o777 == 0o600


def test_a_log_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "logs").write_text("a file", encoding="utf-8")
    script = Script(tmp_path, READY, RUN)
    with (
        pytest.raises(InfrastructureError) as caught,
        managed(script.argv, script.log, script.ready, 30),
    ):
        pytest.fail("it cannot start")
    assert caught.value.code == "EG335"


def test_a_readiness_that_raises_stops_the_server(tmp_path):
    script = Script(tmp_path, READY, RUN)

    def ready() -> bool:
        if script.told.exists():
            raise ValueError
        return False

    with pytest.raises(ValueError), managed(script.argv, script.log, ready, 30):
        pytest.fail("it never was ready")
    assert gone(script.pids()[0])
