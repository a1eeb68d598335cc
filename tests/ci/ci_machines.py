"""Small stand-ins for the two CI systems: they read the shipped files and run their scripts as the real ones would.

Only what the files use: jobs with `needs`, conditions, environment, steps of bash; artifacts are copied from job to job.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from harness import Project
from models import stand_in

from evalgate.store.signer import make_key

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / "ci/github/release-gate.yml"
GITLAB = ROOT / "ci/gitlab/release-gate.yml"
INSTALL = "pip install"
PEOPLE = {"release_manager": "one", "clinical_lead": "two"}
"""Who holds which role of sign_off in these tests."""


@dataclass
class Pipeline:
    """What happened. `ran` holds the jobs that were started, `log` what they printed, `summary` the job summaries."""

    artifacts: Path
    ran: list[str] = field(default_factory=list)
    passed: dict[str, bool] = field(default_factory=dict)
    log: str = ""
    summary: str = ""

    @property
    def anchors(self) -> Path:
        """Where the last anchor of the ledger was uploaded to."""
        return self.artifacts.with_name("anchors")


def equip(project: Project, *, keys_of: Project | None = None) -> None:
    """What the page tells a project to copy and to make. The lock file is empty: evalgate is on the path already.

    Keys lie beside the checkout, as the secrets of a CI system do; `keys_of`: a checkout whose keys this one has, too.
    """
    shutil.copytree(ROOT / "ci", project.root / "ci", dirs_exist_ok=True)
    project.write("ci/requirements.txt", "")
    project.edit("gate.toml", "first_release = true", f"{SIGNED}first_release = true")
    if keys_of is not None:
        shutil.copy(keys_of.root / "keys.toml", project.root)
        return
    for name, role in (("gate", "gate"), *((role, role) for role in PEOPLE)):
        out = secret(project, name)
        make_key(project.root, name, roles=(role,), holder=PEOPLE.get(role, "the gate"), out=out)


SIGNED = 'require_sealed = false\nsign_off = ["release_manager", "clinical_lead"]\n'


def secret(project: Project, name: str) -> Path:
    """Where a private key lies."""
    return project.root.parent / "secrets" / f"{name}.key"


def secrets_of(project: Project, environment: str) -> dict[str, str]:
    """The secrets of a CI system's environment."""
    role = re.sub(r"\Asign-off[-/]", "", environment)
    name = {"gate": "gate", "production": "gate", "": ""}.get(environment, role)
    return {"EVALGATE_KEY": secret(project, name).read_text()} if name else {}


def served(project: Project) -> None:
    """Puts a model with bytes of its own in the place of the endpoint: served by a stand-in for vLLM, right about every item."""
    stand_in.model(project.root / "models/scripted")
    stand_in.environment(project.root / "venv/bin")
    project.write(
        "evalgate.toml",
        '[servers.vllm]\npython = "venv/bin/python"\n\n'
        '[models.scripted]\nserver = "vllm"\nartifact = "models/scripted"\n\n'
        '[default]\ncandidate = "scripted"\n',
    )


def bash(project: Project, script: str, env: dict[str, str], *, cwd: Path | None = None):
    tools = Path(sys.executable).parent
    given = project.environment(**env)
    given["PATH"] = f"{given.get('PATH_FIRST', '')}{os.pathsep}{tools}{os.pathsep}{given['PATH']}"
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=cwd or project.root,
        env=given,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def evaluate(text: str, names: dict[str, str]) -> str:
    """The value of a GitHub expression made of names, 'literals', ==, !=, && and ||."""
    code = re.sub(r"(?<!['\w.])([a-z_]+(?:\.\w+)+)(?!['\w.])", r"names.get('\1', '')", text, flags=re.IGNORECASE)  # fmt: skip
    code = code.replace("&&", " and ").replace("||", " or ").replace("always()", "True")
    return eval(code, {"names": names})


def filled(value: Any, names: dict[str, str]) -> str:
    return re.sub(
        r"\$\{\{(.*?)\}\}", lambda m: str(evaluate(m[1].strip(), names) or ""), str(value)
    )


def github(
    project: Project,
    *,
    event: str = "push",
    ref: str = "refs/heads/main",
    variables: dict[str, str] | None = None,
    install: bool = False,
    skip: tuple[str, ...] = (),
) -> Pipeline:
    """Runs the workflow for one event on a runner whose workspace is the project. Jobs to `skip` count as passed."""
    workflow = yaml.safe_load(GITHUB.read_text())
    state = Pipeline(artifacts=project.root.parent / "artifacts")
    names = {"github.event_name": event, "github.ref": ref, "github.run_id": "1"}
    names |= {f"vars.{key}": value for key, value in (variables or {}).items()}
    for name, job in workflow["jobs"].items():
        if name in skip:
            state.passed[name] = True
            continue
        needs = job.get("needs", [])
        needs = [needs] if isinstance(needs, str) else needs
        ready = all(state.passed.get(need, False) for need in needs)
        if not ready or not evaluate(job.get("if", "True"), names):
            continue
        state.ran.append(name)
        (key, values) = next(iter(job.get("strategy", {}).get("matrix", {}).items()), ("", [""]))
        each = [names | {f"matrix.{key}": value} for value in values]
        done = [_github_job(project, job, n, state, install=install) for n in each]
        state.passed[name] = all(done)
        names[f"needs.{name}.result"] = "success" if state.passed[name] else "failure"
        for key, value in job.get("outputs", {}).items():
            names[f"needs.{name}.outputs.{key}"] = filled(value, each[-1])
    return state


def _github_job(
    project: Project, job: dict, names: dict[str, str], state: Pipeline, *, install: bool
) -> bool:
    files = {k: project.root.parent / k.lower() for k in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_PATH")}  # fmt: skip
    held = secrets_of(project, filled(job.get("environment", ""), names))
    temporary = project.root.parent / "runner_temp"
    temporary.mkdir(exist_ok=True)
    fine = True
    for step in job["steps"]:
        condition = step.get("if", "True")
        if not (fine or "always()" in condition) or not evaluate(condition, names):
            continue
        if action := step.get("uses", "").partition("@")[0]:
            _action(project, action, step.get("with", {}), state)
            continue
        if INSTALL in step["run"] and not install:
            continue
        for path in files.values():
            path.write_text("")
        known = names | {f"secrets.{k}": v for k, v in held.items()}
        given = job.get("env", {}) | step.get("env", {})
        env = {k: filled(v, known) for k, v in given.items()}
        env |= {k: str(p) for k, p in files.items()}
        env |= {"PATH_FIRST": names.get("path", ""), "RUNNER_TEMP": str(temporary)}
        done = bash(project, step["run"], {k: v for k, v in env.items() if v})
        state.log += done.stdout + done.stderr
        state.summary += files["GITHUB_STEP_SUMMARY"].read_text()
        for line in files["GITHUB_OUTPUT"].read_text().splitlines():
            key, _, value = line.partition("=")
            names[f"steps.{step['id']}.outputs.{key}"] = value
        names["path"] = files["GITHUB_PATH"].read_text().strip() or names.get("path", "")
        fine = fine and done.returncode == 0
    assert not list(temporary.iterdir()), "a key outlived the step that signs"
    return fine


def _action(project: Project, action: str, given: dict, state: Pipeline) -> None:
    if action == "actions/upload-artifact":
        place = state.artifacts if given["name"] == "gate-results" else state.anchors
        shutil.rmtree(place, ignore_errors=True)
        found = project.root / given["path"]
        if found.is_dir():
            shutil.copytree(found, place)
        elif found.exists() or given["if-no-files-found"] == "error":
            place.mkdir()
            shutil.copy(found, place)
    else:
        assert action in ("actions/checkout", "actions/setup-python", "actions/cache"), action


def gitlab(
    project: Project,
    *,
    variables: dict[str, str] | None = None,
    install: bool = False,
    skip: tuple[str, ...] = (),
) -> Pipeline:
    """Runs the pipeline of a push to the protected default branch; jobs that wait for a hand are given one."""
    config = yaml.safe_load(GITLAB.read_text())
    state = Pipeline(artifacts=project.root.parent / "artifacts")
    variables = dict(variables or {})
    names = [n for n in config if not n.startswith(".") and n not in ("stages", "variables")]
    jobs = {n: _whole(config, config[n]) for n in names}
    for name, job in sorted(jobs.items(), key=lambda j: config["stages"].index(j[1]["stage"])):
        if job["stage"] in skip:
            continue
        lines = [*job.get("before_script", []), *job["script"]]
        script = "\n".join(line for line in lines if install or not _of_install(line))
        where = job.get("environment", "")
        held = secrets_of(project, where if isinstance(where, str) else where["name"])
        if held:  # a variable of type file: CI writes it beside the checkout, readable by others
            given = project.root.parent / "EVALGATE_KEY"
            given.write_text(held["EVALGATE_KEY"])
            given.chmod(0o644)
            held = {"EVALGATE_KEY": str(given)}
        done = bash(project, script, variables | job.get("variables", {}) | held)
        state.ran.append(name)
        state.log += done.stdout + done.stderr
        state.passed[name] = done.returncode == 0
        kept = job.get("artifacts", {})
        if "reports" in kept:
            shutil.rmtree(state.artifacts, ignore_errors=True)
            shutil.copytree(project.root / kept["paths"][0], state.artifacts)
            state.summary += (state.artifacts / "summary.md").read_text()
            for line in (project.root / kept["reports"]["dotenv"]).read_text().splitlines():
                key, _, value = line.partition("=")
                variables[key] = value
        if not state.passed[name]:
            break
    return state


def _whole(config: dict, job: dict) -> dict:
    """A job with what it extends."""
    return _whole(config, config[job["extends"]]) | job if "extends" in job else job


def _of_install(line: str) -> bool:
    return INSTALL in line or "venv" in line
