"""The model card is what a model hub reads, with the decision's own numbers, and nothing in it becomes markup."""

from __future__ import annotations

import json
import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from kept_project import certified, copied

from evalgate.gate.record import find, read
from evalgate.records import Decision, Evidence, Finding, ModelIdentity
from evalgate.report.card import CardFacts, SuiteFacts, render_card
from evalgate.report.signatures import Signatures

FRONT = re.compile(r"---\n(.*?)\n---\n(.*)", re.DOTALL)


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    made = certified(tmp_path_factory.mktemp("carded"))
    done = made.evalgate("gate", "check", "rc")
    assert done.returncode == 0, done.stdout + done.stderr
    return made


def card_of(made, *arguments: str) -> str:
    done = made.evalgate("report", "rc", "--format", "card", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def parts(card: str) -> tuple[dict, str]:
    front, body = FRONT.fullmatch(card).groups()
    return yaml.safe_load(front), body


def test_the_front_matter_has_every_estimate_of_the_decision(checked):
    front, body = parts(card_of(checked))
    assert front["license"] == "apache-2.0"
    assert front["pipeline_tag"] == "text-generation"
    assert front["tags"] == ["evalgate", "evalgate-open", "triage"]
    (index,) = front["model-index"]
    assert index["name"] == "rc"
    (result,) = index["results"]
    decision = read(find(checked.root, "rc")).decision
    estimates = [f for f in decision.findings if f.estimate is not None]
    assert [m["value"] for m in result["metrics"]] == [f.estimate for f in estimates]
    assert [m["type"] for m in result["metrics"]] == [f.test.partition("[")[0] for f in estimates]
    for metric, finding in zip(result["metrics"], estimates, strict=True):
        assert metric["name"].startswith(f"{finding.test}: pass, ")
        if finding.low is not None:
            assert re.search(r"interval 0\.\d{4} to [01]\.\d{4} at alpha 0\.05", metric["name"])
    assert result["dataset"]["type"] == "goldsets/triage.jsonl"
    assert result["dataset"]["revision"].startswith("sha256:")
    for finding in decision.findings:
        assert f"`{finding.test}`" in body
    for heading in ("Intended use", "What was tested", "Results", "Limitations", "How to verify"):
        assert f"\n## {heading}\n" in body
    assert "development grade" in body
    assert "no judge model had a part" in body
    assert re.search(
        r"evalgate verify reports/certificates/\S+ --keys keys.toml --artifact m\n", body
    )


def test_the_hubs_own_validators_take_it(checked, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    hub = pytest.importorskip("huggingface_hub")
    card = hub.ModelCard(card_of(checked))
    results = card.data.eval_results
    assert card.data.model_name == "rc"
    assert len(results) == 4  # the comparison with nothing has no estimate
    assert {r.task_type for r in results} == {"text-generation"}
    assert all(isinstance(r.metric_value, float) for r in results)
    again = hub.ModelCard(f"---\n{card.data.to_yaml()}\n---\n")
    assert again.data.eval_results == results


def test_the_verification_that_the_card_names_holds(checked, tmp_path):
    made = copied(checked, tmp_path)
    _, body = parts(card_of(made, "--out", "README.md") or (tmp_path / "README.md").read_text())
    (line,) = re.findall(r"^evalgate (verify .*)$", body, re.MULTILINE)
    done = made.evalgate(*line.split())
    assert done.returncode == 0, done.stdout
    (known,) = re.findall(r"sha256 of the certificate: ([0-9a-f]{64})", body)
    certificate = line.split()[1]
    assert made.run("sha256sum", certificate).stdout.split()[0] == known


def test_a_gold_set_that_is_another_one_now_lends_the_card_no_words(checked, tmp_path):
    made = copied(checked, tmp_path)
    assert "made up" in card_of(made)
    path = tmp_path / "goldsets/triage.jsonl"
    path.write_text(path.read_text().replace("member 7", "member seven"))
    changed = card_of(made)
    assert "made up" not in changed
    assert "is another one now" in changed


texts = st.text(max_size=30)


@given(texts, texts, texts, texts, texts)
def test_whatever_stands_in_names_and_words_the_card_stays_one_card(
    name, suite, test, licence, said
):
    finding = Finding(
        suite=suite, test=test, status="fail", estimate=0.5, low=0.4, high=0.6, units=9, items=9, unscored=0,
        threshold={"min": 0.9}, method="Clopper-Pearson", alpha=0.05,
    )  # fmt: skip
    decision = Decision(
        decision="closed", exit=1, reasons=(said,), model={"name": name, "digest": "sha256:0"}, plan="", findings=(finding,),
    )  # fmt: skip
    judge = ModelIdentity(name=name, digest="", server="endpoint", version="", verified=False)
    evidence = Evidence(decided="", evalgate="", python="", judge=judge, notes=(said,))
    facts = CardFacts(
        licence=licence,
        base=said,
        suites=(SuiteFacts(suite=suite, gold=said, digest="", items=9, units=9, title=said, frame=said, reviewed=said),),
    )  # fmt: skip
    card = render_card(decision, evidence, facts, Signatures(certificate=said, notes=(said,)))
    front, body = parts(card)
    (index,) = front["model-index"]
    assert index["results"][0]["metrics"][0]["value"] == 0.5
    assert json.dumps(front)
    outside = re.sub(r"(`+).*?\1", "", body)  # code spans show anything as it is
    assert not re.search(r"(?<!\\)<", outside)
    rows = [line for line in body.splitlines() if line.startswith(("| ✗", "| `"))]
    assert rows
