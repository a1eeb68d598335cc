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

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / "ci/github/release-gate.yml"
GITLAB = ROOT / "ci/gitlab/release-gate.yml"
INSTALL = "pip install"


@dataclass
class Pipeline:
    """What happened. `ran` holds the jobs that were started, `log` what they printed, `summary` the job summaries."""

    artifacts: Path
    ran: list[str] = field(default_factory=list)
    passed: dict[str, bool] = field(default_factory=dict)
    log: str = ""
    summary: str = ""


def equip(project: Project) -> None:
    """What the page tells a project to copy. The lock file is empty: evalgate is on the path already."""
    shutil.copytree(ROOT / "ci", project.root / "ci", dirs_exist_ok=True)
    project.write("ci/requirements.txt", "")


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
        needs = job.get("needs")
        ready = needs is None or state.passed.get(needs, False)
        if ready and evaluate(job.get("if", "True"), names):
            state.ran.append(name)
            state.passed[name] = _github_job(project, job, names, state, install=install)
            names[f"needs.{name}.result"] = "success" if state.passed[name] else "failure"
            for key, value in job.get("outputs", {}).items():
                names[f"needs.{name}.outputs.{key}"] = filled(value, names)
    return state


def _github_job(
    project: Project, job: dict, names: dict[str, str], state: Pipeline, *, install: bool
) -> bool:
    files = {k: project.root.parent / k.lower() for k in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_PATH")}  # fmt: skip
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
        env = {k: filled(v, names) for k, v in job.get("env", {}).items()}
        env |= {k: str(p) for k, p in files.items()}
        env["PATH_FIRST"] = names.get("path", "")
        done = bash(project, step["run"], {k: v for k, v in env.items() if v})
        state.log += done.stdout + done.stderr
        state.summary += files["GITHUB_STEP_SUMMARY"].read_text()
        for line in files["GITHUB_OUTPUT"].read_text().splitlines():
            key, _, value = line.partition("=")
            names[f"steps.{step['id']}.outputs.{key}"] = value
        names["path"] = files["GITHUB_PATH"].read_text().strip() or names.get("path", "")
        fine = fine and done.returncode == 0
    return fine


def _action(project: Project, action: str, given: dict, state: Pipeline) -> None:
    if action == "actions/upload-artifact":
        shutil.rmtree(state.artifacts, ignore_errors=True)
        shutil.copytree(project.root / given["path"], state.artifacts)
    elif action == "actions/download-artifact":
        shutil.rmtree(project.root / given["path"])  # another runner, where nothing lies about
        shutil.copytree(state.artifacts, project.root / given["path"])
    else:
        assert action in ("actions/checkout", "actions/setup-python", "actions/cache"), action


def gitlab(
    project: Project,
    *,
    variables: dict[str, str] | None = None,
    install: bool = False,
    skip: tuple[str, ...] = (),
) -> Pipeline:
    """Runs the pipeline of a push to the protected default branch; the job that waits for a hand is given one."""
    config = yaml.safe_load(GITLAB.read_text())
    state = Pipeline(artifacts=project.root.parent / "artifacts")
    variables = dict(variables or {})
    for name in (stage for stage in config["stages"] if stage not in skip):
        job = config[name] | (
            config[job["extends"]] if (job := config[name]).get("extends") else {}
        )
        lines = [*job.get("before_script", []), *job["script"]]
        script = "\n".join(line for line in lines if install or not _of_install(line))
        done = bash(project, script, variables)
        state.ran.append(name)
        state.log += done.stdout + done.stderr
        state.passed[name] = done.returncode == 0
        if kept := job.get("artifacts"):
            shutil.rmtree(state.artifacts, ignore_errors=True)
            shutil.copytree(project.root / kept["paths"][0], state.artifacts)
            state.summary += (state.artifacts / "summary.md").read_text()
            for line in (project.root / kept["reports"]["dotenv"]).read_text().splitlines():
                key, _, value = line.partition("=")
                variables[key] = value
        if not state.passed[name]:
            break
    return state


def _of_install(line: str) -> bool:
    return INSTALL in line or "venv" in line
