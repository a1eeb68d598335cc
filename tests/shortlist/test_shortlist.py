"""Which base models are worth training: who is asked, what is shown, what is kept."""

from __future__ import annotations

import json
import stat
from importlib.util import find_spec
from xml.etree import ElementTree as ET

import pytest
from harness import right_but
from scripted import Response, ScriptedServer
from shortlist_project import ShortlistProject, gguf, whole

from evalgate.gate.compare import compare
from evalgate.suite import load_project

needs_wheel = pytest.mark.skipif(
    find_spec("xllamacpp") is None, reason="the embedded extra is not installed"
)
MANY = set(range(30))


@pytest.fixture
def project(tmp_path):
    return ShortlistProject(tmp_path)


def of(told: dict, name: str) -> dict:
    return next(base for base in told["bases"] if base["name"] == name)


def test_models_that_cannot_be_told_apart_share_a_rank_and_the_next_is_third(project):
    with (
        ScriptedServer(right_but({1, 2})) as a,
        ScriptedServer(right_but({3, 4, 5})) as b,
        ScriptedServer(right_but(MANY)) as c,
    ):
        for name, server in (("a", a), ("b", b), ("c", c)):
            project.endpoint(name, server.url)
        told = project.told("a", "b", "c")
        shown = project.shortlist("a", "b", "c")
    assert [base["rank"] for base in told["bases"]] == [1, 1, 3]
    ahead = {(p["suite"], p["first"], p["second"]): p["ahead"] for p in told["pairs"]}
    for suite in ("triage", "urgency"):
        assert [ahead[suite, *pair] for pair in ("ab", "ac", "bc")] == ["", "a", "b"]
        assert [s["rank"] for base in told["bases"] for s in base["scores"] if s["suite"] == suite] == [1, 1, 3]  # fmt: skip
    table = [line.split() for line in shown.stdout.splitlines()]
    assert ["a", "1=", "no", "1=", "1=", "-"] in table
    assert ["c", "3", "no", "3", "3", "-"] in table
    assert "winner's curse" in shown.stdout
    assert a.count == b.count == c.count == 120, "the second start asked nothing"


def test_each_pair_is_that_of_run_diff_at_a_stricter_level(project):
    with ScriptedServer(right_but({1})) as a, ScriptedServer(right_but({2, 3, 4})) as b:
        project.endpoint("a", a.url)
        project.endpoint("b", b.url)
        told = project.told("a", "b", "--suite", "triage")
    (pair,) = told["pairs"]
    found = compare(load_project(project.root), "b", ["a"], ["triage"])
    shift = next(row for row in found.suites[0].claims if row.test == "accuracy").shifts[1]
    assert pair["difference"] == shift.difference == pytest.approx(2 / 60)
    assert pair["alpha"] == 0.025
    assert pair["low"] < shift.low
    assert pair["high"] > shift.high


def test_numbers_of_the_ranking_row_are_those_of_gate_check_and_its_answers_are_reused(project):
    with ScriptedServer(right_but({7, 8})) as server:
        project.endpoint("a", server.url)
        checked = project.evalgate("gate", "check", "a", "--json")
        asked = server.count
        told = project.told("a")
        assert (asked, server.count) == (120, 120)
    decision = json.loads(checked.stdout)
    for suite, score in zip(("triage", "urgency"), of(told, "a")["scores"], strict=True):
        row = next(f for f in decision["findings"] if (f["suite"], f["test"]) == (suite, "accuracy"))  # fmt: skip
        for key in ("estimate", "low", "high", "units", "status", "method"):
            assert score["finding"][key] == row[key]


def test_a_later_gate_check_asks_nothing_that_the_shortlist_asked(project):
    with ScriptedServer(right_but({7, 8})) as server:
        project.endpoint("a", server.url)
        project.told("a")
        assert server.count == 120
        project.evalgate("gate", "check", "a")
        assert server.count == 120


def test_a_model_that_may_not_be_trained_is_asked_nothing_and_says_why(project):
    with ScriptedServer(right_but(set())) as barred, ScriptedServer(right_but({1})) as free:
        project.endpoint("free", free.url)
        project.endpoint("unknown", barred.url, licence="")
        project.endpoint("odd", barred.url, licence="Some Licence 9")
        project.endpoint("gemma", barred.url, licence="Gemma Terms of Use")
        told = project.told("free", "unknown", "odd", "gemma")
        assert (barred.count, barred.probes, barred.connections) == (0, 0, 0)
    assert [base["name"] for base in told["bases"]] == ["free"]
    excluded = {one["name"]: one for one in told["excluded"]}
    assert {one["code"] for one in excluded.values()} == {"EG923"}
    assert "no licence is named" in excluded["unknown"]["reasons"][0]
    assert "no record has this name" in excluded["odd"]["reasons"][0]
    assert any("counsel has to clear" in reason for reason in excluded["gemma"]["reasons"])
    assert not any(one["outage"] for one in excluded.values())


@needs_wheel
def test_files_that_are_not_whole_exclude_a_model_before_a_server_starts(project):
    project.local("good")
    for suite in ("triage", "urgency"):
        project.answered("good", suite)
    lacking = {"bare": "tokenizer.chat_template", "mute": "tokenizer.ggml.tokens"}
    for name, key in lacking.items():
        told = whole(name)
        del told[key]
        project.local(name, gguf(told))
    project.local("cut", gguf(whole("cut"))[:90])
    project.local("gone")
    (project.root / "models/gone.gguf").unlink()
    told = project.told()
    assert [base["name"] for base in told["bases"]] == ["good"]
    assert of(told, "good")["context"] == 8192
    excluded = {one["name"]: (one["code"], one["reasons"][0]) for one in told["excluded"]}
    assert {n: code for n, (code, _) in excluded.items()} == {"bare": "EG961", "mute": "EG961", "cut": "EG961", "gone": "EG301"}  # fmt: skip
    assert "no chat template" in excluded["bare"][1]
    assert "no tokenizer" in excluded["mute"][1]
    assert not (project.root / "reports/logs").exists(), "no server was started"


@needs_wheel
def test_only_weights_that_are_here_are_nominated_and_ties_are_nominated_together(project):
    for name, wrong in (("a", {1}), ("b", {2}), ("c", MANY)):
        project.local(name)
        for suite in ("triage", "urgency"):
            project.answered(name, suite, wrong=wrong)
    told = project.told()
    assert {b["name"]: b["nominated"] for b in told["bases"]} == {"a": True, "b": True, "c": False}
    assert "nominated: tied: a, b" in project.shortlist("--last").stdout
    with ScriptedServer(right_but(set())) as server:
        project.endpoint("far", server.url)
        told = project.told("far", "c")
    assert (of(told, "far")["rank"], of(told, "far")["nominated"]) == (1, False)
    assert any("unverified" in note for note in of(told, "far")["notes"])


@needs_wheel
def test_what_is_better_here_and_worse_there_is_tied_overall(project):
    for name, weak in (("a", "urgency"), ("b", "triage")):
        project.local(name)
        for suite in ("triage", "urgency"):
            project.answered(name, suite, wrong=MANY if suite == weak else ())
    told = project.told()
    assert [base["rank"] for base in told["bases"]] == [1, 1]
    assert {(p["suite"], p["ahead"]) for p in told["pairs"]} == {("triage", "a"), ("urgency", "b")}


@needs_wheel
def test_shares_and_tokens_are_counted_of_the_answers(project):
    items = [json.loads(line) for line in (project.root / "goldsets/triage.jsonl").read_text().splitlines()]  # fmt: skip
    items[9]["tags"] = ["must_refuse"]
    project.gold(items)
    project.local("a")
    no = "I cannot help with this request."
    project.answered("a", i6="Perhaps.", i7=no, i8=no, i9=no)
    told = project.told("a", "--suite", "triage")
    (score,) = of(told, "a")["scores"]
    assert score["valid"]["value"] == pytest.approx(56 / 60)
    assert score["refused"]["value"] == pytest.approx(2 / 59), "one of three was due"
    assert score["truncated"]["value"] == 0
    for share in (score["valid"], score["refused"], score["truncated"]):
        assert share["low"] <= share["value"] <= share["high"]
    assert score["tokens"] == pytest.approx(30.5)
    assert score["tokens_p95"] == 57
    assert score["needs"] == 20 + 59 + 8


def test_a_model_that_dies_is_left_out_this_time_and_the_others_are_compared(project):
    def dying(messages, payload):
        if dies.count > 40:
            return Response(status=500, json={"error": {"message": "out of memory"}})
        return right_but(set())(messages, payload)

    with ScriptedServer(dying) as dies, ScriptedServer(right_but({1})) as lives:
        project.endpoint("dies", dies.url)
        project.endpoint("lives", lives.url)
        told = project.told("dies", "lives")
        assert [base["name"] for base in told["bases"]] == ["lives"]
        (one,) = told["excluded"]
        assert (one["name"], one["outage"]) == ("dies", True)
        assert one["code"].startswith("EG31")
    landed = len([row for row in project.rows() if row]) - 120
    assert 0 < landed < 120
    with ScriptedServer(right_but(set()), port=dies.port) as back:
        told = project.told("dies", "lives")
        assert len(told["bases"]) == 2
        assert back.count == 120 - landed, "what had landed is not asked again"


def test_exit_codes_tell_outages_from_models_that_may_not_be_trained(project):
    project.endpoint("gone", "http://127.0.0.1:9/v1")
    project.endpoint("barred", "http://127.0.0.1:9/v1", licence="")
    both = project.shortlist("gone", "barred")
    assert (both.returncode, "EG964" in both.stderr) == (4, True)
    assert "try again" in both.stdout
    one = project.shortlist("barred")
    assert (one.returncode, "EG964" in one.stderr) == (1, True)
    assert len(project.kept()) == 2, "a no is kept, too"


def test_names_suites_and_options_that_mean_nothing_are_refused(project):
    none = project.shortlist()
    assert (none.returncode, "EG960" in none.stderr) == (2, True)
    project.endpoint("a", "http://127.0.0.1:9/v1")
    assert "EG960" in project.shortlist().stderr, "endpoints are never meant without a name"
    for args, code in ((("b",), "EG145"), (("a", "--suite", "tirage"), "EG425"), (("a", "--last"), "EG960"),
                       (("--last",), "EG960")):  # fmt: skip
        done = project.shortlist(*args)
        assert (done.returncode, code in done.stderr) == (2, True), done.stderr
    assert not project.kept()


def test_the_kept_shortlist_is_private_whole_and_guarded_by_its_checksum(project):
    with ScriptedServer(right_but({1})) as server:
        project.endpoint("a", server.url)
        project.endpoint("barred", server.url, licence="")
        told = project.told("a", "barred", "--html", str(project.root / "page.html"))
    (path,) = project.kept()
    page = path.with_suffix(".html")
    assert json.loads(path.read_text()) == {**told, "sum": json.loads(path.read_text())["sum"]}
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(page.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    copy = (project.root / "page.html").read_text()
    assert copy == page.read_text()
    for svg in copy.split("<svg")[1:]:
        ET.fromstring(f"<svg{svg.split('</svg>')[0]}</svg>")
    assert "<script" not in copy
    assert copy.count("<svg") == 2
    texts = path.read_text() + copy
    assert "request &lt;" not in texts
    assert "of member" not in texts, "a text of an item"
    assert project.shortlist("--last").returncode == 0
    path.write_text(path.read_text().replace('"rank": 1', '"rank": 2', 1))
    done = project.shortlist("--last")
    assert (done.returncode, "EG963" in done.stderr) == (5, True)


def test_a_full_reports_directory_is_an_outage_and_the_answers_stay(project):
    with ScriptedServer(right_but({1})) as server:
        project.endpoint("a", server.url)
        project.write("reports/shortlists", "a file where the directory should be")
        done = project.shortlist("a")
        assert (done.returncode, "EG962" in done.stderr) == (4, True)
        (project.root / "reports/shortlists").unlink()
        assert project.shortlist("a").returncode == 0
        assert server.count == 120


def test_a_suite_without_a_floor_ranks_nobody_and_says_so(project):
    text = (project.root / "gate.toml").read_text()
    head, tail = text.split("[urgency]")
    lines = [line for line in tail.splitlines() if not line.startswith("accuracy")]
    project.write("gate.toml", head + "[urgency]" + "\n".join(lines) + "\n")
    suite = (project.root / "suites/test_urgency.py").read_text()
    cut = suite[: suite.index("def test_accuracy(")] + suite[suite.index("def test_failed_rate") : suite.index("def test_accuracy_vs")]  # fmt: skip
    project.write("suites/test_urgency.py", cut + suite[suite.index("def test_must_pass") :])
    with ScriptedServer(right_but({1})) as a, ScriptedServer(right_but(MANY)) as b:
        project.endpoint("a", a.url)
        project.endpoint("b", b.url)
        told = project.told("a", "b")
        shown = project.shortlist("--last").stdout
    assert {p["suite"] for p in told["pairs"]} == {"triage"}
    assert [base["rank"] for base in told["bases"]] == [1, 2]
    assert "nobody is ranked by it" in shown
