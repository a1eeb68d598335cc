"""The lower half of the page: how items were answered, where everything came from, how to verify it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from html import escape

from evalgate import digest
from evalgate.records import Decision, Evidence, Finding, ModelIdentity, Status, SuiteEvidence
from evalgate.report.egress import egress_text
from evalgate.report.json import json_text
from evalgate.report.lock import lock_text
from evalgate.report.markup import code, facts, name, section, small_table, text
from evalgate.report.numbers import NONE, exact_text
from evalgate.report.words import METHODS, STATUSES, plain, served_by


def answers(evidence: Evidence | None) -> str:
    """How the items of each suite were answered. Everything but "ok" counts as a wrong answer."""
    suites = evidence.suites if evidence else ()
    # narrow screens have no room for columns of zeros
    occurred = [s for s in STATUSES if s == "ok" or any(x.answers.get(s) for x in suites)]
    table = small_table(
        "Items of each suite by what became of them",
        ("suite", "items", "units", *occurred),
        (_counts(s, occurred) for s in suites),
        numbers=2 + len(occurred),
    )
    said = (
        "<p>Only answers that are <b>ok</b> can be right. <b>Unparseable</b>: not in the form that the suite asks for. "
        "<b>Refused</b>: the model declined. <b>Truncated</b>: cut off at the limit of tokens. <b>Timeout</b>: no answer in "
        "time. <b>Missing</b>: never answered. All of these stay in every count as wrong. A column without any item is left out.</p>"
    )
    return section("answers", "Answers", said, table) if table else ""


def _counts(s: SuiteEvidence, statuses: Sequence[Status]) -> list[str]:
    counts = [str(s.answers.get(status, 0)) if s.answers else NONE for status in statuses]
    return [name(s.suite), str(s.items), str(s.units), *counts]


def provenance(decision: Decision, evidence: Evidence | None) -> str:
    """Whose answers, under which plan, from which runs, made by what."""
    model = decision.model
    rows: list[tuple[str, str]] = [
        ("model", text(model.get("name", ""))),
        ("model digest", _or_none(model.get("digest", ""), "none: the model was not examined")),
        *(_served("model", evidence.candidate) if evidence else ()),
        *(_served("baseline", evidence.baseline) if evidence else ()),
        *(_served("judge", evidence.judge) if evidence else ()),
        ("plan digest", _or_none(decision.plan, "none: no plan was made")),
        ("locked plan", text(lock_text(evidence))),
        ("exit code", str(decision.exit)),
        ("attempt", "" if decision.attempt is None else str(decision.attempt)),
        ("certificate", _or_none(decision.certificate, "none: this decision is not signed")),
        ("alpha, one-sided", alphas(decision.findings)),
    ]
    if evidence is not None:
        rows += [
            ("decided", text(evidence.decided)),
            ("asked", f"{evidence.asked} questions now, {evidence.kept} answers kept from before"),
            ("made by", text(f"evalgate {evidence.evalgate}, Python {evidence.python}")),
            ("network", text(egress_text(evidence.egress)) if evidence.egress else ""),
        ]
    methods = dict.fromkeys(f.method for f in decision.findings)
    rows += [(f"method: {m}", METHODS[m].note if m in METHODS else NONE) for m in methods]
    suites = evidence.suites if evidence else ()
    files = evidence.files if evidence else {}
    return section(
        "from", "Provenance", facts(rows), *(_suite(s, files) for s in suites), kind="provenance"
    )


def _or_none(value: str | None, otherwise: str) -> str:
    return code(value) if value else otherwise


def _served(what: str, identity: ModelIdentity | None) -> Iterable[tuple[str, str]]:
    if identity is None:
        return
    if what != "model":  # its name and digest stand in the decision itself
        yield what, text(identity.name)
        yield f"{what} digest", code(identity.digest)
    unverified = "" if identity.verified else ", not verified: nobody examined what answered there"
    yield f"{what} served by", text(served_by(identity.server, identity.version) + unverified)
    yield f"{what} arguments", code(shlex.join(identity.args)) if identity.args else ""


def _suite(s: SuiteEvidence, files: dict[str, str]) -> str:
    sampling = f"temperature {s.sampling.temperature:g}, at most {s.sampling.max_tokens} tokens, seed {s.sampling.seed}"
    if s.sampling.stop:
        sampling += f", {len(s.sampling.stop)} stop strings"
    version = f", version {s.gold_version}" if s.gold_version else ""
    rows = [
        ("gold set", text(f"{s.gold}{version}")),
        ("gold set digest", code(files.get(s.gold, ""))),
        ("prompt digest", code(files.get(s.prompt, ""))),
        ("sampling", text(sampling)),
        ("run", code(s.run)),
        ("run key", code(s.key)),
        ("answers landed", text(" to ".join(s.asked)) if s.asked else ""),
        ("baseline run", code(s.baseline_run) if s.baseline_run else ""),
        ("baseline run key", code(s.baseline_key) if s.baseline_key else ""),
        *((f"verdicts on {criterion}", code(path)) for criterion, path in s.verdicts.items()),
    ]
    return f"<h3>{text(s.suite)}</h3>\n{facts(rows)}"


def alphas(findings: Iterable[Finding]) -> str:
    """Every alpha that `findings` were made with."""
    return ", ".join(dict.fromkeys(exact_text(f.alpha) for f in findings))


def how_to_verify(decision: Decision, evidence: Evidence | None, stem: str) -> str:
    """Commands that recompute what the page says, for a checkout of the project at hand."""
    if evidence is None or not evidence.files or not stem:
        return ""
    kept = f"reports/decisions/{stem}.json"
    known = {kept: digest.of_bytes(json_text(decision).encode()), **evidence.files}
    sums = "\n".join(
        f"{plain(d).removeprefix('sha256:')}  {plain(path)}" for path, d in known.items()
    )
    model = shlex.quote(plain(decision.model.get("name", "")))
    steps = [
        (
            "The decision and the files that decided are the ones you hold:",
            f"sha256sum --check <<'END'\n{sums}\nEND",
        ),
        (
            "The same answers give the same decision. Every kept answer is verified, nothing is asked while the runs are there:",
            f"evalgate gate check {model}",
        ),
        (
            "The model, asked again. Where the server is not deterministic, single answers differ, and numbers with them:",
            f"evalgate gate check {model} --fresh",
        ),
    ]
    if decision.certificate:
        certificate = shlex.quote(plain(decision.certificate))
        steps.insert(
            0,
            (
                "The certificate was signed by the gate's key, the ledger knows it, and the model's files are the certified ones:",
                f"evalgate verify {certificate}",
            ),
        )
    listed = "\n".join(
        f'<li><p>{text(what)}</p><pre tabindex="0"><code>{escape(command)}</code></pre></li>'
        for what, command in steps
    )
    return section(
        "verify",
        "How to verify",
        "<p>In the directory of the project, at the commit that was checked:</p>",
        f"<ol>\n{listed}\n</ol>",
        _shown(signed=bool(decision.certificate)),
    )


def _shown(*, signed: bool) -> str:
    """What the commands show, and what they do not."""
    if signed:
        return (
            "<p>The signature shows which key decided; take that key from a place that you trust, not from where this page came "
            "from. The commands after it show that files and numbers fit together.</p>"
        )
    return (
        "<p>This shows that files and numbers fit together. Who decided, and that nobody computed everything anew with other "
        "files, only a signature could show, and this decision has no certificate: no bytes of a model were identified.</p>"
    )
