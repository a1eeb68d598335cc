"""The drill: from a vendor's name to its rows, what was made of them, what learnt from them, and what is in production."""

from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path

import pytest
from terms.contracts import LAST_YEAR, TODAY, contract, project, run
from terms.trained import base, corpus, listed, row, trained

from evalgate.authored.keyring import GATE
from evalgate.corpus.counting import counter
from evalgate.corpus.mix import Blend
from evalgate.corpus.mixture import mix
from evalgate.errors import IntegrityError, UsageError
from evalgate.release.withdraw import contracts, dependents, withdraw
from evalgate.store.ledger import Ledger
from evalgate.store.signer import keyring_of, make_key, signer

ROOT = Path(__file__).parents[2]


@pytest.fixture
def root(tmp_path):
    """Northfield's two rows; a row made of each, one of them twice removed; a model that learnt from them; its pupil's rows."""
    root = project(tmp_path / "p")
    shutil.copy(ROOT / "terms/project.toml", root / "terms/project.toml")
    (root / "terms/east.toml").write_text(contract("East Data"))
    corpus(
        root,
        "bought",
        [
            row("v1", terms="northfield", source="Northfield Records"),
            row("v2", terms="northfield", source="Northfield Records"),
        ],
    )
    derived = [row("d1", parents=("v1",)), row("d2", parents=("d1",)), row("own", terms="project")]
    made = corpus(root, "made", derived)
    other = corpus(root, "other", [row("e1", terms="east", source="East Data"), row("t1")])
    below = base(root, "below", "MIT")
    first = trained(root, "first", below, corpora={"made": made})
    second = trained(root, "second", first)
    taught = corpus(root, "taught", [row("w1", model=first), row("w2", model=below)])
    trained(root, "pupil", below, corpora={"taught": taught})
    trained(root, "free", below, corpora={"other": other}, terms=["east"])
    assert second
    return root


def blend(root: Path, name: str, *corpora: str, **how) -> None:
    with counter(None, root) as words:
        mix(
            root / "data",
            name,
            [root / "data" / c for c in corpora],
            recipe=Blend(**how),
            counter=words,
        )


def found(root: Path, vendor: str = "northfield"):
    return dependents(root, vendor, TODAY)


def test_rows_and_all_their_descendants_in_every_corpus_are_found(root):
    rows = {c.name: (c.direct, c.descended, c.rows) for c in found(root).corpora}
    assert rows == {"bought": (2, 0, 2), "made": (0, 2, 3), "taught": (0, 1, 2)}


def test_models_are_found_through_rows_through_a_base_and_through_a_teacher(root):
    through = {m.name: m.through for m in found(root).models}
    assert through == {
        "first": "the corpora made",
        "second": "its base",
        "pupil": "the corpora taught",
    }
    assert [m.name for m in found(root, "east").models] == ["free"]


@pytest.mark.parametrize("name", ["northfield", "Northfield Records", "NORTHFIELD RECORDS"])
def test_a_vendor_is_found_by_the_id_of_its_terms_and_by_its_name(root, name):
    assert found(root, name).vendor == "Northfield Records"
    assert len(found(root, name).corpora) == 3


def test_all_contracts_of_a_vendor_are_meant(root):
    (root / "terms/northfield-2.toml").write_text(contract())
    corpus(root, "later", [row("n9", terms="northfield-2", source="Northfield Records")])
    assert {c.id for c in found(root, "Northfield Records").contracts} == {
        "northfield",
        "northfield-2",
    }
    assert "later" in {c.name for c in found(root, "Northfield Records").corpora}


def test_a_vendor_that_nobody_knows_is_told_with_the_nearest_name(root):
    with pytest.raises(UsageError) as caught:
        found(root, "northfeild")
    assert caught.value.code == "EG856"
    assert "Did you mean `northfield`?" in caught.value.message


def test_mixtures_count_every_use_of_such_a_row_and_free_ones_are_not_named(root):
    blend(root, "all", "made", "other", rows=10, seed=3)
    blend(root, "clean", "other")
    (use,) = found(root).mixtures
    assert (use.name, use.of) == ("all", 10)
    counted = 0
    manifest = json.loads((root / "data/mixtures/all.manifest.json").read_text())
    number = [c["name"] for c in manifest["corpora"]].index("made")
    for line in (root / "data/mixtures/all.jsonl").read_text().splitlines():
        place = json.loads(line)
        counted += place["corpus"] == number and place["row"] in (0, 1)
    assert use.rows == counted > 0


def test_a_model_that_learnt_from_a_mixture_without_such_rows_in_it_does_not_depend(root):
    blend(root, "clean", "other")
    digest = json.loads((root / "data/mixtures/clean.manifest.json").read_text())["digest"]
    trained(root, "mixed", "sha256:base", mixture=digest)
    assert "mixed" not in {m.name for m in found(root).models}
    assert {"mixed", "free"} == {m.name for m in found(root, "east").models}


def test_what_learnt_from_rows_that_are_gone_is_found_by_its_record(root):
    for name in ("bought", "made", "taught"):
        shutil.rmtree(root / "data" / name)
    assert found(root).models == ()
    trained(root, "late", "sha256:base", terms=["northfield"])
    trained(root, "later", "sha256:base", sources=["Northfield Records"])
    assert {m.name: m.through for m in found(root).models} == {
        "late": "the terms northfield",
        "later": "the source Northfield Records",
    }


def test_parents_in_a_circle_over_two_corpora_end_the_search_too(root):
    corpus(root, "left", [row("c1", parents=("c2", "v1"))])
    corpus(root, "right", [row("c2", parents=("c1",))])
    names = {c.name for c in found(root).corpora}
    assert {"left", "right"} <= names


def test_a_corpus_or_a_record_that_was_changed_is_no_basis_for_a_list(root):
    part = root / "data/bought/part-00000.jsonl"
    before = part.read_bytes()
    part.write_bytes(before.replace(b"v1", b"v7"))
    with pytest.raises(IntegrityError) as caught:
        found(root)
    assert caught.value.code == "EG826"
    part.write_bytes(before)
    (root / "models/first/training.json").write_text("{}")
    with pytest.raises(IntegrityError) as caught:
        found(root)
    assert caught.value.code == "EG857"


def promoted(root: Path, alias: str, model: str, digest: str) -> None:
    """A promotion in a signed ledger, as `gate promote` writes it."""
    keyring = keyring_of(root)
    key = signer(root, keyring, GATE).private
    body = {"alias": alias, "model": model, "digest": digest, "certificate": f"sha256:{model}", "path": "x", "plan": "p", "before": None, "notes": []}  # fmt: skip
    Ledger(root, keyring).append("promotion", body, key)


def test_releases_are_found_in_the_ledger_with_those_that_are_in_production(root):
    make_key(root, "gate", roles=(GATE,), holder="the gate")
    first, pupil = (next(m for m in found(root).models if m.name == n).digests[0] for n in ("first", "pupil"))  # fmt: skip
    promoted(root, "production", "first", first)
    promoted(root, "production", "below", "sha256:below")
    promoted(root, "trial", "pupil", pupil)
    assert [(r.alias, r.model, r.current) for r in found(root).releases] == [
        ("production", "first", False),
        ("trial", "pupil", True),
    ]
    assert found(root).unknown == ("production -> below",)
    assert found(root, "east").releases == ()


def test_a_withdrawal_is_in_the_file_and_signed_in_the_ledger(root):
    make_key(root, "gate", roles=(GATE,), holder="the gate")
    path = root / "terms/northfield.toml"
    entry = withdraw(root, found(root), TODAY, "not paid")
    assert entry is not None
    assert entry.kind == "withdrawal"
    assert entry.body["terms"].keys() == {"northfield"}
    assert entry.body["models"].keys() == {"first", "second", "pupil"}
    assert f"withdrawn = {TODAY}" in path.read_text()
    assert "# Kept with the contract." in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) & 0o444 == 0o444
    (one,) = found(root).contracts
    assert one.withdrawn
    assert one.refuses == (f"withdrawn on {TODAY}: not paid",)
    assert run(root, "ledger", "verify").returncode == 0


def test_without_a_key_the_file_alone_says_so(root):
    assert withdraw(root, found(root), TODAY, "") is None
    assert "withdrawn" in (root / "terms/northfield.toml").read_text()
    assert not (root / "reports").exists()


def test_an_expired_contract_and_its_duties_are_shown(root):
    (root / "terms/east.toml").write_text(contract("East Data", expires=str(LAST_YEAR)))
    east, northfield, own = contracts(root, TODAY)
    assert east.refuses[0].startswith(f"expired after {LAST_YEAR}")
    assert east.duty == f"delete all of it now: the last day was {LAST_YEAR}"
    assert northfield.refuses == ()
    assert northfield.duty.startswith("delete all of it by")
    assert (own.id, own.refuses, own.duty) == ("project", (), "")


def test_the_command_runs_the_whole_drill(root):
    listed(root, "again", "MIT")
    done = run(root, "data", "withdraw")
    assert done.returncode == 0, done.stderr
    assert "northfield (Northfield Records): may be trained on" in done.stdout
    done = run(root, "data", "withdraw", "Northfield Records")
    assert done.returncode == 0, done.stderr
    assert "rows: 5 in 3 corpora" in done.stdout
    assert "  data/made: 0 of theirs, 2 derived from them, of 3" in done.stdout
    assert "  first: through the corpora made" in done.stdout
    done = run(root, "data", "withdraw", "northfield", "--apply", "--why", "not paid", "--json")
    assert done.returncode == 0, done.stderr
    assert "withdrawn: northfield (not in the ledger: no key of the gate is at hand)" in done.stderr
    told = json.loads(done.stdout)
    assert told["schema"] == "evalgate.withdrawal/1"
    assert told["contracts"][0]["withdrawn"] is True
    checked = run(root, "data", "check", "data/bought", "--json")
    assert checked.returncode == 1
    assert {h["kind"] for h in json.loads(checked.stdout)["hits"]} == {"terms"}
    assert "not paid" in checked.stdout
    assert run(root, "data", "withdraw", "--apply").returncode == 2
