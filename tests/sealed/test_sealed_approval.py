"""Sealed items are shown to no code that nobody has approved."""

from sealed_project import SealedProject


def test_without_an_approval_nothing_is_asked_and_no_attempt_counts(tmp_path):
    project = SealedProject(tmp_path, models=("good",))
    project.seal()
    path = project.root / "suites/test_triage.py"
    path.write_text(path.read_text() + '\nopen("/dev/null").close()\n')
    done = project.as_gate("gate", "check", "--sealed", "good")
    assert done.returncode == 3, done.stderr
    assert "EG934" in done.stderr
    project.lock()
    done = project.as_gate("gate", "check", "--sealed", "good")
    assert done.returncode == 3
    assert "EG935" in done.stderr
    assert not list((project.root / "reports/sealed").glob("*"))
    assert [entry["kind"] for entry in project.ledger()] == []
    assert project.check("good").returncode == 0  # which approves first
