"""Locking a plan: what enters the ledger, what is refused, what training may rely on."""

import json

import pytest
from harness import CARD, Project, gold_items

from evalgate import digest
from evalgate.authored.keyring import GATE
from evalgate.errors import IntegrityError, Refused
from evalgate.gate.plan import lock_of, lock_plan, lockable, locks, require_locked
from evalgate.store.signer import gate_signer, keyring_of, ledger_of
from evalgate.suite import load_project


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path, "http://127.0.0.1:9/v1")


def lock(project: Project, reason: str = ""):
    return lock_plan(load_project(project.root), None, reason)


def state(project: Project):
    return lock_of(load_project(project.root), None)


def decide(project: Project) -> None:
    """An entry as a check leaves it."""
    key = gate_signer(project.root, keyring_of(project.root)).private
    ledger_of(project.root).append("decision", {"decision": "closed", "model": {}}, key)


def test_a_lock_is_signed_by_the_gate_and_holds_digests_counts_and_rows_and_no_text(project):
    done = lock(project)
    (entry,) = ledger_of(project.root).of_kind("plan")
    assert (entry.seq, entry.by) == (done.seq, "development")
    assert GATE in keyring_of(project.root).keys["development"].roles
    task = entry.body["plan"]["tasks"]["triage"]
    assert task["rows"]["accuracy"]["min"] == 0.85
    assert task["gold"]["slices"] == {"must_pass": 5, "spanish": 40}
    assert (task["gold"]["items"], task["gold"]["units"]) == (120, 120)
    assert "suites/test_triage.py" in entry.body["plan"]["files"]
    text = (project.root / "reports" / "ledger.jsonl").read_text()
    assert not [word for item in gold_items() if (word := item["input"]["text"]) in text]
    assert "member-" not in text
    assert "Answer APPROVE" not in text


def test_locking_what_is_locked_already_enters_nothing(project):
    first = lock(project)
    assert lock(project) == first
    assert len(ledger_of(project.root).entries()) == 1


def test_without_any_lock_there_is_nothing_to_compare_with(project):
    assert state(project) is None
    assert locks(project.root) == []


EDITS = {
    "a lower floor": (
        "gate.toml",
        "accuracy = { min = 0.85 }",
        "accuracy = { min = 0.80 }",
        ["gate.toml [triage] accuracy 0.85 -> 0.80"],
    ),
    "a dropped census": (
        "gate.toml",
        "must_pass = { all = true }",
        "",
        ["gate.toml [triage] must_pass all -> dropped"],
    ),
    "a larger alpha": (
        "gate.toml",
        "alpha = 0.05",
        "alpha = 0.06",
        ["gate.toml [gate] alpha 0.05 -> 0.06"],
    ),
    "sealed sets no longer required": (
        "gate.toml",
        "[gate]",
        "[gate]\nrequire_sealed = false",
        ["gate.toml [gate] require_sealed true -> false"],
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_weaker_plan_is_refused_without_a_reason_and_signed_with_one(project, name):
    file, old, new, told = EDITS[name]
    lock(project)
    decide(project)
    project.edit(file, old, new)
    for blank in ("", "  \n"):
        with pytest.raises(Refused, match="EG800") as refused:
            lock(project, blank)
    assert told[0] in str(refused.value)
    assert len(locks(project.root)) == 1
    done = lock(project, "the  pilot\nshowed it")
    assert (done.reason, done.after) == ("the pilot showed it", 1)
    (entry,) = ledger_of(project.root).of_kind("plan")[1:]
    assert entry.body["weakened"] == told
    now = state(project)
    assert now.changed == ()
    assert now.weakened == (
        f"{told[0]} (locked {done.at[:10]}, after 1 decision was seen): the pilot showed it",
    )


def test_a_smaller_gold_set_needs_a_reason_and_a_larger_one_does_not(project):
    lock(project)
    project.gold(gold_items(119))
    with pytest.raises(Refused, match=r"goldsets/triage\.jsonl units 120 -> 119"):
        lock(project)
    project.gold(gold_items(121))
    assert lock(project).reason == ""


def test_strengthening_and_additions_need_no_reason(project):
    lock(project)
    project.edit("gate.toml", "min = 0.85", "min = 0.90")
    project.edit("gate.toml", "[gate]", '[gate]\nsign_off = ["lead"]\nrequire_locked = true')
    project.write("suites/helpers.py", "X = 1\n")
    assert state(project).changed == (
        "gate.toml [gate] sign_off lead added",
        "gate.toml [gate] require_locked false -> true",
        "gate.toml [triage] accuracy 0.85 -> 0.90",
        "suites/helpers.py added",
    )
    lock(project)
    assert state(project).changed == ()
    assert state(project).weakened == ()


def test_comments_and_order_of_gate_toml_and_labels_of_answers_change_nothing(project):
    lock(project)
    text = (project.root / "gate.toml").read_text()
    head, _, rows = text.partition("[triage]\n")
    turned = "\n".join(f"{row}  # so" for row in reversed(rows.splitlines()))
    project.write("gate.toml", f"# new words\n{head}[triage]\n{turned}\n")
    project.write("rubrics/triage.labels.jsonl", "")
    project.write("rubrics/triage.review.json", "{}")
    assert state(project).changed == ()


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("suites/prompts/triage.md", "Answer", "Reply"),
        ("suites/test_triage.py", "max_tokens=8", "max_tokens=9"),
        ("goldsets/triage.jsonl", 'of member 7"', 'of member 7!"'),
    ],
)
def test_a_changed_file_is_named_and_needs_no_reason(project, file, old, new):
    lock(project)
    project.edit(file, old, new)
    assert file in state(project).changed
    lock(project)
    assert state(project).changed == ()


def test_a_conftest_is_part_of_what_is_locked(project):
    lock(project)
    project.write("conftest.py", "")
    assert state(project).changed == ("conftest.py added",)


def test_the_card_of_a_sealed_set_is_locked_without_its_key(project):
    def seal(units: int) -> None:
        project.write("goldsets/triage.sealed", "x")
        contents = {"key": "k", "plain": f"sha256:{units}", "cipher": "sha256:c", "items": units}
        lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in contents.items())
        card = CARD.replace('"dev"', '"sealed"')
        more = f"units = {units}\nlargest_unit = 1\ntags = {{ spanish = {units // 2} }}\n"
        project.write("goldsets/triage.sealed.toml", f"{card}\n[sealed]\n{lines}{more}")

    seal(90)
    lock(project)
    assert state(project).changed == ()
    seal(80)
    with pytest.raises(
        Refused, match=r"goldsets/triage\.sealed units 90 -> 80; .*\[spanish\] 45 -> 40"
    ):
        lock(project)


def test_the_baseline_of_the_file_counts_and_a_promotion_by_itself_changes_nothing(project):
    project.models(scripted="http://127.0.0.1:9/v1", other="http://127.0.0.1:8/v1")
    project.edit("gate.toml", "first_release = true", 'baseline = "scripted"')
    lock(project)
    body = {
        "alias": "production",
        "model": "other",
        "digest": "d",
        "certificate": "c",
        "path": "p",
        "plan": "p",
    }
    key = gate_signer(project.root, keyring_of(project.root)).private
    ledger_of(project.root).append("promotion", body, key)
    assert load_project(project.root).gate.settings.baseline == "other"
    assert state(project).changed == ()
    project.edit("gate.toml", 'baseline = "scripted"', 'baseline = "other"')
    assert state(project).changed == ("gate.toml [gate] baseline scripted -> other",)


def test_a_locked_plan_in_another_form_is_an_integrity_error(project):
    key = gate_signer(project.root, keyring_of(project.root)).private
    ledger_of(project.root).append("plan", {"digest": "sha256:0"}, key)
    with pytest.raises(IntegrityError, match=r"reports/ledger.jsonl:1: EG801 found a locked plan"):
        locks(project.root)


def test_an_edited_lock_is_an_integrity_error(project):
    lock(project)
    path = project.root / "reports" / "ledger.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"min":0.85', b'"min":0.75'))
    with pytest.raises(IntegrityError):
        locks(project.root)


def test_the_order_of_roles_is_no_part_of_the_digest(project):
    project.edit("gate.toml", "[gate]", '[gate]\nsign_off = ["lead", "manager"]')
    one = digest.of_value(lockable(load_project(project.root), None))
    project.edit("gate.toml", '["lead", "manager"]', '["manager", "lead"]')
    assert digest.of_value(lockable(load_project(project.root), None)) == one


# -- training


def test_training_is_refused_for_tasks_that_were_never_locked(project):
    with pytest.raises(Refused, match=r"EG802 .*triage \(never locked\); letters \(no suite"):
        require_locked(load_project(project.root), ["triage", "letters"])


def test_training_is_refused_for_a_task_whose_rows_or_files_changed_since(project):
    lock(project)
    loaded = load_project(project.root)
    require_locked(loaded, ["triage"])
    require_locked(loaded, [])
    project.edit("gate.toml", "min = 0.85", "min = 0.90")
    with pytest.raises(
        Refused, match=r"triage \(changed since: gate.toml \[triage\] accuracy 0.85 -> 0.90\)"
    ):
        require_locked(load_project(project.root), ["triage"])
    lock(project)
    require_locked(load_project(project.root), ["triage"])
    project.edit("suites/prompts/triage.md", "Answer", "Reply")
    with pytest.raises(Refused, match=r"changed since: suites/prompts/triage.md"):
        require_locked(load_project(project.root), ["triage"])


def test_training_is_not_held_up_by_what_belongs_to_another_task(project):
    lock(project)
    project.write("conftest.py", "")
    require_locked(load_project(project.root), ["triage"])
