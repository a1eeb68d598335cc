"""Candidates that are not what was trained: each is refused before the suite's first question, with nothing left of a run."""

from __future__ import annotations

import json
import os
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import stand_in
from harness import Project
from hypothesis import given
from hypothesis import strategies as st
from training.training_project import RECIPE, TrainingProject

from evalgate import digest
from evalgate.errors import IntegrityError
from evalgate.models import identify, serving
from evalgate.models.artifact import template_digest
from evalgate.models.merge import _as, check_merge
from evalgate.models.training_record import FILE
from evalgate.records import ModelSpec

ITEMS = 120
Spoil = Callable[[Path], object]


def record(model: Path, base: Path, template: Path) -> None:
    """The record of a training, as `gate train` leaves it."""
    told = {
        "schema": "evalgate.training/1",
        "mixture": "sha256:of the mixture",
        "corpora": {},
        "base": digest.of_tree(base),
        "terms": ["project"],
        "template": template_digest(template, where="test"),
        "files": digest.files_of(model),
    }
    (model / FILE).write_text(json.dumps(told))


def project(root: Path, table: str, **behaviour) -> Project:
    made = Project(root, "http://127.0.0.1:9/v1", n=ITEMS)
    stand_in.environment(root / "env", **behaviour)
    server = "transformers" if "transformers" in table else "vllm"
    made.write(
        "evalgate.toml",
        f'[models.rc]\nartifact = "models/rc"\npatience_s = 2\n{table}\n'
        f'[servers.{server}]\npython = "env/python"\n[default]\ncandidate = "rc"\n',
    )
    return made


def adapted(root: Path, *, recorded: bool = True, **behaviour) -> Project:
    """A project whose candidate is an adapter over models/base."""
    base = stand_in.model(root / "models/base")
    rc = stand_in.adapter(root / "models/rc")
    if recorded:
        record(rc, base, base)
    return project(root, 'server = "vllm"\nbase = "models/base"', **behaviour)


def merged(root: Path, server: str = "transformers", **behaviour) -> Project:
    """A project whose candidate is a merge: models/base with other weights."""
    base = stand_in.model(root / "models/base")
    rc = stand_in.model(root / "models/rc")
    weights(rc, b"\1" * 24)
    record(rc, base, rc)
    return project(root, f'server = "{server}"', **behaviour)


def weights(model: Path, *contents: bytes, kind: str = "BF16") -> None:
    """Writes both layers of a model with these bytes, the last for all that are left."""
    told = [contents[min(i, len(contents) - 1)] for i in range(2)]
    shape = [len(told[0]) // {"BF16": 2, "F16": 2, "F32": 4}[kind]]
    shape = [4, 3] if shape == [12] else shape
    stand_in.safetensors(
        model / "model.safetensors",
        {f"model.layers.{i}.q_proj.weight": (kind, shape, data) for i, data in enumerate(told)},
    )


def check(made: Project) -> tuple[int, str, int]:
    """Exit code, all that was said, and how many questions of the suite reached a server."""
    done = made.evalgate("gate", "check", "rc", "--json")
    log = made.root / "reports/logs/rc.log"
    asked = log.read_text().count("a question of the suite") if log.exists() else 0
    return done.returncode, done.stdout + done.stderr, asked


def refused(made: Project, code: int, name: str, *words: str, served: bool = False) -> None:
    """The candidate is refused so, no question was asked, no run is there, and a server was started only if `served`."""
    found, said, asked = check(made)
    assert (found, asked) == (code, 0), said
    for word in (name, *words):
        assert word in said
    assert not list(made.root.glob("reports/runs/*/*"))
    assert (made.root / "reports/logs/rc.log").exists() == served


def append(name: str, text: str) -> Spoil:
    def spoil(root: Path) -> None:
        with (root / name).open("a") as f:
            f.write(text)

    return spoil


def configure(**fields: object) -> Spoil:
    """Writes other settings into the adapter's configuration."""

    def spoil(root: Path) -> None:
        path = root / "models/rc/adapter_config.json"
        path.write_text(json.dumps(json.loads(path.read_bytes()) | fields))

    return spoil


def exchange(**how) -> Spoil:
    """Puts another adapter in the place of the trained one; its record stays."""

    def spoil(root: Path) -> None:
        (root / "models/rc").rename(root / "models/old")
        stand_in.adapter(root / "models/rc", **how)
        if (root / "models/old" / FILE).exists():
            (root / "models/old" / FILE).rename(root / "models/rc" / FILE)

    return spoil


def rebase(name: str = "other", **config) -> Spoil:
    """Names another base in evalgate.toml."""

    def spoil(root: Path) -> None:
        stand_in.model(root / "models" / name, **config)
        text = (root / "evalgate.toml").read_text()
        (root / "evalgate.toml").write_text(text.replace("models/base", f"models/{name}"))

    return spoil


def reshaped(root: Path) -> None:
    """Another base, of another shape."""
    rebase()(root)
    weights(root / "models/other", bytes(40))


def test_what_was_trained_is_asked_every_question(tmp_path):
    for made in (adapted(tmp_path / "a"), merged(tmp_path / "m")):
        (made.root / "models/rc/README.md").write_text("A card that was written later.")
        code, said, asked = check(made)
        assert (code, asked) == (0, ITEMS), said


@pytest.mark.parametrize(
    ("spoil", "code", "words"),
    [
        (rebase(vocab_size=7), "EG980", ("models/other", "trained over")),
        (reshaped, "EG980", ("models/other",)),
        (append("models/base/tokenizer_config.json", " "), "EG980", ("models/base",)),
        (append("models/base/model.safetensors", "x"), "EG980", ("models/base",)),
        (append("models/base/chat_template.jinja", " "), "EG344", ("chat template sha256:",)),
        (exchange(value=b"\2"), "EG981", ("adapter_model.safetensors has other bytes",)),
        (append("models/rc/training.json", "}"), "EG857", ("rc/training.json",)),
    ],
    ids=["another base", "another base of another shape", "another tokenizer in the base", "other weights in the base",
         "another template in the base", "another adapter", "an unreadable record"],
)  # fmt: skip
def test_an_adapter_that_is_not_as_it_was_trained_never_meets_a_server(tmp_path, spoil, code, words):  # fmt: skip
    made = adapted(tmp_path)
    spoil(tmp_path)
    refused(made, 5, code, *words)


@pytest.mark.parametrize(
    ("spoil", "code", "words"),
    [
        (exchange(columns=7), "EG347", ("1 of 1 adapted layers", "model.layers.0.q_proj")),
        (configure(r=64), "EG982", ("rank 64 in adapter_config.json and 2 in 1 of 1 layers",)),
        (configure(target_modules=["gate_proj", "0.k_proj"]), "EG982", ("model.layers.0.q_proj",)),
        (configure(auto_mapping={"base_model_class": "GPT2LMHeadModel"}), "EG357", ()),
        (reshaped, "EG347", ("Name the base that it was trained on",)),
    ],
    ids=["other shapes", "another rank", "other layers", "another architecture", "another base's shapes"],
)  # fmt: skip
def test_an_adapter_without_a_record_that_contradicts_itself_or_its_base_is_refused(
    tmp_path, spoil, code, words
):
    made = adapted(tmp_path, recorded=False)
    spoil(tmp_path)
    refused(made, 2, code, *words)


def test_ranks_and_layers_that_a_configuration_names_by_pattern_are_taken(tmp_path):
    stand_in.model(tmp_path / "models/base")
    stand_in.adapter(tmp_path / "models/rc")
    configure(r=64, rank_pattern={"q_proj": 2}, target_modules=["layers.0.q_proj"])(tmp_path)
    spec = ModelSpec(server="vllm", artifact="models/rc", base="models/base", python="env/python")
    stand_in.environment(tmp_path / "env")
    assert identify("rc", spec, tmp_path).digest.startswith("sha256:")


@pytest.mark.parametrize(
    ("server", "spoil", "code", "words"),
    [
        ("vllm", append("models/rc/chat_template.jinja", " "), "EG344", ("template sha256:",)),
        ("transformers", append("models/rc/chat_template.jinja", " "), "EG344", ()),
        ("transformers", append("models/rc/tokenizer_config.json", " "), "EG981", ("r_config.json has",)),
        ("vllm", append("models/rc/tokenizer.model", "pieces"), "EG981", ("tokenizer.model was added",)),
        ("vllm", lambda root: weights(root / "models/rc", bytes(24)), "EG981", ("model.safetensors has",)),
    ],
    ids=["another template", "another template, transformers", "another tokenizer", "a second tokenizer", "the base's weights"],
)  # fmt: skip
def test_a_merge_that_is_not_as_it_was_trained_never_meets_a_server(
    tmp_path, server, spoil, code, words
):
    made = merged(tmp_path, server)
    spoil(tmp_path)
    refused(made, 5, code, *words)


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        ({"deaf": True}, "EG348"),
        ({"deaf": True, "cold": 4e-4}, "EG348"),
        ({"ids": 1}, "EG349"),
    ],
    ids=["adapter not loaded", "adapter not loaded, first answers off", "another template served"],
)
def test_a_server_that_does_not_serve_the_candidate_is_asked_nothing_of_a_suite(
    tmp_path, behaviour, code
):
    refused(adapted(tmp_path, **behaviour), 5, code, served=True)


def test_a_merge_by_a_server_with_another_template_is_asked_nothing_of_a_suite(tmp_path):
    made = merged(tmp_path, "vllm", ids=1)
    refused(made, 5, "EG349", served=True)


@pytest.mark.embedded
def test_a_converted_candidate_is_held_against_the_template_that_it_was_trained_with(tmp_path):
    weights_file = Path(__file__).parents[2] / "models/smollm2-135m-instruct.gguf"
    if not weights_file.is_file():
        pytest.skip("the packaged weights are not there: run 'evalgate models import smollm2'")
    rc = tmp_path / "models/rc.gguf"
    rc.parent.mkdir()
    rc.write_bytes(weights_file.read_bytes())
    told = {"schema": "evalgate.training/1", "mixture": "m", "corpora": {}, "base": "b", "terms": ["project"]}  # fmt: skip
    spec = ModelSpec(server="llamacpp", artifact="models/rc.gguf", args=("--threads", "1"))
    beside = tmp_path / f"models/rc.gguf.{FILE}"
    beside.write_text(json.dumps(told | {"template": f"sha256:{'0' * 64}"}))
    identity = identify("rc", spec, tmp_path)
    with (
        pytest.raises(IntegrityError) as caught,
        serving("rc", spec, tmp_path, identity, tmp_path / "logs"),
    ):
        pytest.fail("it must not be served")
    assert caught.value.code == "EG344"


def plain(value: float, kind: str) -> bytes:
    """Twelve times a number, in a number format of safetensors."""
    if kind == "F32":
        return struct.pack("<f", value) * 12
    if kind == "F16":
        return struct.pack("<e", value) * 12
    return (struct.unpack("<I", struct.pack("<f", value))[0] >> 16).to_bytes(2, "little") * 12


@pytest.mark.parametrize("kind", ["F32", "F16", "BF16"])
def test_a_merge_that_changed_no_weight_is_told_whatever_the_bases_format(tmp_path, kind):
    base, rc = stand_in.model(tmp_path / "base"), stand_in.model(tmp_path / "rc")
    weights(base, plain(1.0078125, kind), kind=kind)
    weights(rc, plain(1.0078125, "BF16"))
    with pytest.raises(IntegrityError, match="EG983 found all 2 weights of the merge equal"):
        check_merge(base, rc, where="rc")
    weights(rc, plain(1.0078125, "BF16"), plain(1.015625, "BF16"))
    check_merge(base, rc, where="rc")


def test_weights_that_the_base_has_not_count_as_a_change(tmp_path):
    base, rc = stand_in.model(tmp_path / "base"), stand_in.model(tmp_path / "rc")
    weights(base, bytes(40))
    check_merge(base, rc, where="rc")


@given(st.lists(st.floats(-(2.0**127), 2.0**127, width=32), min_size=1))
def test_a_number_is_rounded_to_the_nearest_of_sixteen_bits(values):
    numbers = np.array(values, "<f4")
    rounded = _as(numbers, "F32", "BF16")
    for number, bits in zip(numbers, rounded, strict=True):
        around = [_wide(bits) for bits in range(max(int(bits) - 1, 0), int(bits) + 2)]
        off = [abs(float(n) - float(number)) for n in around if np.isfinite(n)]
        assert abs(float(_wide(int(bits))) - float(number)) == min(off)
    assert np.array_equal(_as(_as(rounded, "BF16", "F32"), "F32", "BF16"), rounded)


def _wide(bits: int) -> np.float32:
    return np.array([bits << 16], "<u4").view("<f4")[0]


TRAINER = """\
import shutil
from pathlib import Path
from evalgate import training

def train(work):
    for folder in (work.adapter, work.merged):
        shutil.copytree(work.job.base, folder)
    if {changed}:
        data = bytearray((work.merged / "model.safetensors").read_bytes())
        data[-1] ^= 1
        (work.merged / "model.safetensors").write_bytes(data)
    work.note("trained", steps=1)

training.run_trainer(train)
"""


def trained(made: TrainingProject, *, changed: bool) -> subprocess.CompletedProcess[str]:
    made.write("trainers/standin.py", TRAINER.format(changed=changed))
    made.write("trainers/rc1.toml", RECIPE.replace("lora.py", "standin.py"))
    return made.evalgate("gate", "train", "trainers/rc1.toml", "--no-check", "--restart")


def test_a_merge_that_did_not_take_is_not_registered(tmp_path):
    made = TrainingProject(tmp_path)
    (tmp_path / "models/base/config.json").unlink()
    (tmp_path / "models/base").rmdir()
    base = stand_in.model(tmp_path / "models/base")
    made.corpus()
    made.mixture()
    made.lock()
    done = trained(made, changed=False)
    assert (done.returncode, "EG983" in done.stderr) == (5, True), done.stdout + done.stderr
    assert not (tmp_path / "models/rc1").exists()
    assert "rc1" not in (tmp_path / "evalgate.toml").read_text()
    done = trained(made, changed=True)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads((tmp_path / "models/rc1" / FILE).read_bytes())
    assert told["template"] == template_digest(base, where="test")
    now = digest.files_of(tmp_path / "models/rc1")
    assert told["files"] == {name: d for name, d in now.items() if name != FILE}


@pytest.fixture
def real(tmp_path) -> TrainingProject:
    """A project that trains and serves a Llama of some thousand weights."""
    python = os.environ.get("EVALGATE_TRAIN_PYTHON", "")
    if not python:
        pytest.skip("EVALGATE_TRAIN_PYTHON names no Python with torch, peft and trl")
    made = TrainingProject(tmp_path)
    maker = Path(__file__).parents[1] / "training/tiny_base.py"
    argv = [python, maker, tmp_path / "models/base", "--steps", "1", "--width", "32"]
    subprocess.run(argv, check=True, capture_output=True)
    with (tmp_path / "evalgate.toml").open("a") as f:
        f.write(f'\n[training]\npython = "{python}"\n[servers.transformers]\npython = "{python}"\n')
    made.corpus()
    made.mixture()
    made.lock()
    return made


def learnt(made: TrainingProject, name: str, rate: float) -> subprocess.CompletedProcess[str]:
    """Trains a merge with this learning rate."""
    told = f"batch = 2\nmax_length = 400\nthreads = 1\nlearning_rate = {rate}\n"
    made.write(f"trainers/{name}.toml", RECIPE.replace('"rc1"', f'"{name}"') + told)
    return made.evalgate("gate", "train", f"trainers/{name}.toml", "--no-check", timeout=600)


@pytest.mark.slow
def test_a_real_merge_is_served_as_it_was_trained_and_in_no_other_way(real):
    made = real
    done = learnt(made, "still", 1e-12)
    assert (done.returncode, "EG983" in done.stderr) == (5, True), done.stdout + done.stderr
    done = learnt(made, "rc", 1e-2)
    assert done.returncode == 0, done.stdout + done.stderr
    done = made.evalgate("gate", "check", "rc", "--json", timeout=600)
    assert json.loads(done.stdout)["decision"] in {"closed", "undecided"}, done.stderr
    assert len(made.rows()) == ITEMS  # the right candidate is asked everything
    for number, (name, code) in enumerate(
        (("chat_template.jinja", "EG344"), ("tokenizer.json", "EG981"), ("config.json", "EG981"))
    ):
        path = made.root / "models/rc" / name
        kept = path.read_bytes()
        path.write_bytes(kept + b" ")
        done = made.evalgate("gate", "check", "rc", "--json")
        assert done.returncode == 5, (number, done.stdout + done.stderr)
        assert code in done.stdout + done.stderr
        assert len(made.rows()) == ITEMS
        path.write_bytes(kept)
