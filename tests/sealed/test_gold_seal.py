"""Sealing a gold set: told everything that is wrong beforehand, whole or not at all, and nothing of it left in the clear."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tomllib

import pytest
from sealed_project import SECRET, SealedProject, sealed_items

from evalgate import digest
from evalgate.authored import Problems
from evalgate.authored.sealed import load_sealed, load_sealed_card
from evalgate.crypto.seal import SealKey
from evalgate.errors import FileProblems, IntegrityError, UsageError
from evalgate.suite import load_project
from evalgate.suite.sealing import check_sealed_sets, seal_gold

KEY = SealKey(b"s" * 32)


@pytest.fixture
def project(tmp_path):
    return SealedProject(tmp_path)


def seal(project, key=KEY, opener=KEY, alpha=0.05 / 3):
    return seal_gold(
        load_project(project.root),
        "triage",
        project.vault / "triage.jsonl",
        key,
        opener=opener,
        alpha=alpha,
    )


def codes(call) -> list[str]:
    with pytest.raises(FileProblems) as caught:
        call()
    assert SECRET not in str(caught.value)
    return sorted({p.code for p in caught.value.problems})


def test_a_sealed_set_opens_as_the_set_that_it_was(project):
    found = seal(project)
    plain = (project.vault / "triage.jsonl").read_bytes()
    problems = Problems()
    gold, card = load_sealed(found.path, project.root, KEY, problems)
    assert not problems
    assert gold.digest == digest.of_bytes(plain) == card.sealed.plain
    assert [item.id for _, item in gold.items()] == [i["id"] for i in sealed_items()]
    assert gold.item(7).id == "s-5007"
    assert (gold.units, gold.units_with_tag("spanish")) == (160, card.sealed.tags["spanish"])
    assert gold.fingerprint() != 0


def test_the_card_tells_counts_and_digests_and_no_text(project):
    seal(project)
    text = (project.root / "goldsets/triage.sealed.toml").read_text()
    told = tomllib.loads(text)["sealed"]
    assert set(told) == {"key", "plain", "cipher", "items", "units", "largest_unit", "tags"}
    assert (told["items"], told["units"], told["largest_unit"]) == (160, 160, 1)
    for path in project.root.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert SECRET.encode() not in data, path
            assert b"sealed-member" not in data, path
            assert b"s-5007" not in data, path
    assert (project.vault / "triage.jsonl").exists()


def test_everything_that_is_wrong_is_told_at_once(project):
    items = sealed_items(60)
    items[3]["unit"] = "member-7"  # the dev set has it
    items[4]["input"] = {"text": "  REQUEST <0009>   of member 9 "}  # the dev set's, shouted
    items[5]["expected"] = "MAYBE"
    items[6]["input"] = {"other": "x"}
    project.plain(items)
    project.edit("gate.toml", "{ min = 0.80 }", "{ min = 0.95 }")
    card = project.vault / "triage.toml"
    card.write_text(card.read_text().replace('"sealed"', '"dev"'))
    assert codes(lambda: seal(project)) == ["EG130", "EG207", "EG208", "EG758", "EG759", "EG760"]
    assert not (project.root / "goldsets/triage.sealed").exists()
    assert not list((project.root / "goldsets").glob(".*"))


def test_a_set_that_only_its_whole_alpha_could_decide_is_too_small(project):
    project.plain(sealed_items(18))  # 0.8 ** 18 is below 0.05, and above 0.05 / 3
    project.edit("gate.toml", '"slice_accuracy[spanish]" = { min = 0.60 }\n', "")
    project.edit(
        "suites/test_triage.py", 'parametrize("tag", ["spanish"])', 'parametrize("tag", [])'
    )
    project.edit("gate.toml", "failed_rate = { max = 0.10 }", "failed_rate = { max = 0.30 }")
    project.edit(
        "gate.toml",
        "accuracy_vs_baseline = { min = -0.05 }",
        "accuracy_vs_baseline = { min = -0.5 }",
    )
    assert codes(lambda: seal(project)) == ["EG130"]
    assert seal(project, alpha=0.05).contents.units == 18


def test_a_suite_that_is_not_there_has_no_sealed_set(project):
    with pytest.raises(UsageError, match="triage") as caught:
        seal_gold(
            load_project(project.root),
            "triaje",
            project.vault / "triage.jsonl",
            KEY,
            opener=KEY,
            alpha=0.05,
        )
    assert caught.value.code == "EG761"


def test_the_next_version_shares_nothing_with_the_one_before(project):
    seal(project)
    project.plain([*sealed_items(3, first=5100), *sealed_items(150, first=7000)], version="2")
    with pytest.raises(FileProblems) as caught:
        seal(project)
    assert {p.code for p in caught.value.problems} == {"EG759", "EG760"}
    told = str(caught.value)
    assert not [item["id"] for item in sealed_items(3, first=5100) if item["id"] in told]
    project.plain(sealed_items(160, first=7000), version="2")
    assert seal(project).replaced == "1"


def test_the_same_set_may_be_sealed_again(project):
    first = seal(project).contents
    again = seal(project).contents
    assert again.plain == first.plain
    assert again.cipher != first.cipher


def test_without_the_key_of_the_version_before_nothing_can_be_compared(project):
    seal(project)
    other = SealKey.generate()
    assert codes(lambda: seal(project, key=other, opener=None)) == ["EG750"]
    with pytest.raises(IntegrityError) as caught:
        seal(project, key=other, opener=other)
    assert caught.value.code == "EG755"


def test_a_card_or_a_file_that_was_edited_is_noticed_without_the_key(project):
    path = seal(project).path
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(IntegrityError) as caught:
        load_sealed_card(path, project.root, Problems())
    assert caught.value.code == "EG762"
    path.write_bytes(whole)
    project.edit("goldsets/triage.sealed.toml", "units = 160", "units = 999")
    load_sealed_card(path, project.root, Problems())
    with pytest.raises(IntegrityError) as caught:  # with the key the counts are counted again
        load_sealed(path, project.root, KEY, Problems())
    assert caught.value.code == "EG762"


def test_gold_check_tells_of_cards_and_with_the_key_of_items(project):
    seal(project)
    loaded = load_project(project.root)
    (line,) = check_sealed_sets(loaded, None, alpha=0.01)
    assert "160 items, 160 units" in line
    assert "not opened" in line
    assert KEY.id in line
    (line,) = check_sealed_sets(loaded, KEY, alpha=0.01)
    assert "opened and checked" in line
    dev = project.root / "goldsets/triage.jsonl"
    item = {**sealed_items(1)[0], "id": "leaked"}
    dev.write_text(dev.read_text() + json.dumps(item) + "\n")
    assert codes(lambda: check_sealed_sets(load_project(project.root), KEY, alpha=0.01)) == [
        "EG759",
        "EG760",
    ]
    assert check_sealed_sets(load_project(project.root), None, alpha=0.01)


def test_plain_text_beside_its_sealed_file_is_a_problem(project):
    seal(project)
    project.write("goldsets/triage.sealed.jsonl", (project.vault / "triage.jsonl").read_text())
    found = codes(lambda: check_sealed_sets(load_project(project.root), None, alpha=0.01))
    assert found == ["EG758"]


DIES = """
import os, signal, sys
from pathlib import Path
from evalgate.authored.card import Contents
from evalgate.authored.sealed import write_sealed

at, path = int(sys.argv[1]), Path(sys.argv[2])
steps = 0

def counted(real):
    def step(*args, **kwargs):
        global steps
        steps += 1
        if steps > at:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)
    return step

os.fsync, Path.replace = counted(os.fsync), counted(Path.replace)
contents = Contents(key="k", plain="p", cipher="c", items=1, units=1, largest_unit=1, tags={})
write_sealed(path, b"new cipher text", 'title = "new"\\n', contents)
"""


@pytest.mark.parametrize("at", range(5))
def test_killed_between_any_two_steps_no_file_is_half(tmp_path, at):
    path, card = tmp_path / "triage.sealed", tmp_path / "triage.sealed.toml"
    path.write_bytes(b"old cipher text")
    card.write_text('title = "old"\n')
    done = subprocess.run(
        [sys.executable, "-c", DIES, str(at), str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == (-signal.SIGKILL if at < 4 else 0), done.stderr
    assert path.read_bytes() in (b"old cipher text", b"new cipher text")
    assert tomllib.loads(card.read_text())["title"] in ("old", "new")
    if at == 4:
        assert path.read_bytes() == b"new cipher text"
        assert tomllib.loads(card.read_text())["sealed"]["items"] == 1
        assert {p.name for p in tmp_path.iterdir()} == {"triage.sealed", "triage.sealed.toml"}


def test_a_full_disk_leaves_what_was_there(tmp_path):
    path, card = tmp_path / "triage.sealed", tmp_path / "triage.sealed.toml"
    path.write_bytes(b"old")
    card.write_text('title = "old"\n')
    limited = "import resource, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nresource.setrlimit(resource.RLIMIT_FSIZE, (8, 8))\n"
    done = subprocess.run(
        [sys.executable, "-c", limited + DIES, "99", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "File too large" in done.stderr
    assert path.read_bytes() == b"old"
    assert card.read_text() == 'title = "old"\n'
    assert {p.name for p in tmp_path.iterdir()} == {"triage.sealed", "triage.sealed.toml"}
