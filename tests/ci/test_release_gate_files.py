"""The shipped CI files are valid, and say what the page says: pinned, least privilege, nothing that holds text kept."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ci_machines import GITHUB, GITLAB, ROOT

from evalgate.errors import Exit

TOOLS = Path(sys.executable).parent
SCRIPTS = sorted((ROOT / "ci").glob("*.sh"))


def tool(*argv: str | Path) -> None:
    done = subprocess.run([TOOLS / argv[0], *argv[1:]], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_workflow_is_valid_by_the_schema_of_github():
    tool("check-jsonschema", "--builtin-schema", "vendor.github-workflows", GITHUB)


def test_the_pipeline_is_valid_by_the_schema_of_gitlab():
    tool("check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci", GITLAB)  # fmt: skip


def test_an_audit_of_the_workflow_finds_nothing():
    tool("zizmor", "--offline", "--no-config", "--persona", "pedantic", GITHUB)


def test_scripts_are_posix_and_shellcheck_is_silent():
    assert [path.name for path in SCRIPTS] == ["common.sh", "gate.sh", "promote.sh", "sign-off.sh"]
    tool(
        "shellcheck", "--shell=sh", "--enable=all", "--exclude=SC2250,SC2312,SC2310", "--external-sources",
        f"--source-path={ROOT}", *SCRIPTS,
    )  # fmt: skip


def test_scripts_inside_the_files_are_clean_too(tmp_path):
    workflow, pipeline = (yaml.safe_load(p.read_text()) for p in (GITHUB, GITLAB))
    runs = [s["run"] for job in workflow["jobs"].values() for s in job["steps"] if "run" in s]
    runs += ["\n".join(v["script"]) for v in pipeline.values() if "script" in v]
    assert len(runs) >= 14
    for n, run in enumerate(runs):
        assert "${{" not in run  # names from outside reach a script as environment, never as code
        path = tmp_path / f"{n}.sh"
        path.write_text(run)
        tool("shellcheck", "--shell=bash", path)


def test_actions_are_pinned_by_commit_with_their_release_beside_them():
    uses = re.findall(r"uses: (.*)", GITHUB.read_text())
    assert uses
    for line in uses:
        assert re.fullmatch(r"actions/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


def test_every_job_has_a_limit_and_no_more_rights_than_to_read():
    workflow = yaml.safe_load(GITHUB.read_text())
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 720
        assert job["permissions"] == {"contents": "read"}
        for step in job["steps"]:
            if "checkout" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False
    for name, job in yaml.safe_load(GITLAB.read_text()).items():
        if isinstance(job, dict) and "script" in job:
            assert "timeout" in job, name


def test_nothing_from_a_fork_gets_secrets_a_runner_of_ours_or_a_promotion():
    workflow = yaml.safe_load(GITHUB.read_text())
    assert set(workflow[True]) == {
        "pull_request",
        "push",
        "workflow_dispatch",
    }  # YAML 1.1 reads `on` as true
    for name, job in workflow["jobs"].items():
        if "self-hosted" in job["runs-on"]:
            assert "refs/heads/main" in job["if"], name
    assert workflow["jobs"]["promote"]["environment"] == "production"
    pipeline = yaml.safe_load(GITLAB.read_text())
    for name in ("gate", ".sign-off", "promote"):
        ((rule,)) = pipeline[name]["rules"]
        assert 'CI_COMMIT_REF_PROTECTED == "true"' in rule["if"]
        assert '!= "merge_request_event"' in rule["if"]
        assert rule.get("allow_failure", False) is False


def test_keys_reach_the_one_step_that_signs_of_jobs_with_an_environment_of_the_main_branch():
    workflow = yaml.safe_load(GITHUB.read_text())
    assert GITHUB.read_text().count("secrets.") == 3
    signing = {}
    for name, job in workflow["jobs"].items():
        assert "secrets." not in str(job.get("env", {}))
        for step in job["steps"]:
            if "secrets." in str(step):
                assert step["env"] == {"EVALGATE_KEY": "${{ secrets.EVALGATE_KEY }}"}
                assert re.fullmatch(r"sh ci/[a-z-]+\.sh .*", step["run"])
                signing[name] = job["environment"]
    assert signing == {
        "gate": "gate",
        "sign-off": "sign-off-${{ matrix.role }}",
        "promote": "production",
    }
    pipeline = yaml.safe_load(GITLAB.read_text())
    where = {n: j["environment"] for n, j in pipeline.items() if isinstance(j, dict) and "environment" in j}  # fmt: skip
    # `access` and `verify` may be granted to people who may not deploy; `prepare` and the default are not
    assert where["gate"] == {"name": "gate", "action": "prepare"}
    assert where["promote"]["name"] == "production"
    assert set(where) == {
        "gate",
        "sign-off-release_manager",
        "sign-off-clinical_lead",
        "promote",
    }


def test_both_systems_ask_for_the_same_signatures_before_they_promote():
    workflow, pipeline = (yaml.safe_load(p.read_text()) for p in (GITHUB, GITLAB))
    roles = workflow["jobs"]["sign-off"]["strategy"]["matrix"]["role"]
    jobs = {f"sign-off-{role}": role for role in roles}
    assert workflow["jobs"]["promote"]["needs"] == ["gate", "sign-off"]
    assert {need["job"] for need in pipeline["promote"]["needs"]} == {"gate", *jobs}
    for name, role in jobs.items():
        assert pipeline[name]["variables"] == {"ROLE": role}
        assert pipeline[name]["environment"] == f"sign-off/{role}"
    page = (ROOT / "docs/ci.md").read_text()
    assert f"sign_off = {roles}".replace("'", '"') in page


def test_only_results_are_kept_as_artifacts_never_runs_or_logs():
    workflow, pipeline = (yaml.safe_load(p.read_text()) for p in (GITHUB, GITLAB))
    uploads = [s["with"]["path"] for job in workflow["jobs"].values() for s in job["steps"] if "upload-artifact" in s.get("uses", "")]  # fmt: skip
    anchor = "gate-results/ledger.anchor.json"
    assert uploads == ["gate-results/", anchor, anchor]
    assert pipeline["gate"]["artifacts"]["paths"] == ["gate-results/"]
    assert pipeline["gate"]["artifacts"]["when"] == "always"
    assert pipeline["promote"]["artifacts"]["paths"] == [anchor]
    kept = {job for job in pipeline if isinstance(pipeline[job], dict) and "artifacts" in pipeline[job]}  # fmt: skip
    assert kept == {"gate", "promote"}
    cached = re.findall(r"^ *path(?:s)?: (\S*models\S*|\S*reports\S*)", GITHUB.read_text() + GITLAB.read_text(), re.MULTILINE)  # fmt: skip
    assert set(cached) == {"models/*.gguf", '["models/*.gguf"]'}


def test_code_owners_guard_everything_that_decides():
    rules = (ROOT / "ci/CODEOWNERS.example").read_text()
    guarded = re.findall(r"^(/\S+)\s+@\S+", rules, re.MULTILINE)
    for path in ("/gate.toml", "/evalgate.toml", "/goldsets/", "/rubrics/", "/suites/", "/conftest.py", "/keys.toml",
                 "/.evalgate/", "/reports/", "/ci/", "/.github/", "/.gitlab-ci.yml"):  # fmt: skip
        assert path in guarded
        made_by_users = path.startswith("/.") or path in ("/conftest.py", "/keys.toml")
        assert made_by_users or (ROOT / path[1:]).exists()


@pytest.mark.parametrize("code", list(Exit), ids=lambda code: code.name)
def test_the_page_tells_what_every_exit_code_means_to_ci(code):
    page = (ROOT / "docs/ci.md").read_text()
    assert re.search(rf"^\| {int(code)} \| .+ \| .+ \| .+ \|$", page, re.MULTILINE), code
