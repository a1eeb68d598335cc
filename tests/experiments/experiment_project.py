"""A project whose trainer learns nothing, and serves: recipes say which items a candidate gets wrong. Real processes and servers."""

from __future__ import annotations

import json
from pathlib import Path

from models import stand_in
from training.training_project import RECIPE, TrainingProject

HERE = Path(__file__).parents[1]
TRAINER = """\
import os, sys
sys.path[:0] = {tests!r}
import stand_in
from evalgate import training

def train(work):
    work.note("begun", pid=os.getpid())
    work.note("data", rows={{"triage": 7}}, trained_tokens={{"triage": 21}}, left_out={{}})
    work.adapter.mkdir(exist_ok=True)
    (work.adapter / "adapter.safetensors").write_bytes(work.job.digest.encode())
    stand_in.model(work.merged, made_by=work.job.digest, wrong=work.job.config["wrong"])
    for step, loss in enumerate((2.0, 1.0, float("nan"), 0.5), 1):
        work.note("step", step=step, of=4, loss=loss)
    for step, loss in ((2, 1.5), (4, 0.75)):
        work.note("step", step=step, of=4, eval_triage_loss=loss)
    work.note("trained", steps=4)

training.run_trainer(train)
"""


class ExperimentProject(TrainingProject):
    """Locked, with data; `recipe` writes one, `train` is `gate train` of it."""

    def __init__(self, root: Path, **behaviour) -> None:
        super().__init__(root)
        self.write("trainers/standin.py", TRAINER.format(tests=[str(HERE), str(HERE / "models")]))
        python = stand_in.environment(self.root / "env", **behaviour)
        with (self.root / "evalgate.toml").open("a") as f:
            f.write(f'\n[servers.transformers]\npython = "{python}"\n')
        self.corpus()
        self.mixture()
        self.lock()

    def recipe(self, name: str, wrong=(), seed: int = 1) -> str:
        text = RECIPE.replace("lora.py", "standin.py").replace("rc1", name)
        text = text.replace("seed = 1", f"seed = {seed}") + f"wrong = {list(wrong)}\n"
        self.write(f"trainers/{name}.toml", text)
        return f"trainers/{name}.toml"

    def train(self, name: str, wrong=(), *args: str, seed: int = 1):
        return self.evalgate("gate", "train", self.recipe(name, wrong, seed), *args)

    def record(self, name: str) -> dict:
        """The one record of a candidate."""
        (path,) = (self.root / "reports/experiments").glob(f"*-{name}.json")
        return json.loads(path.read_text())

    def listed(self, *, code: int = 0) -> dict:
        """`run list --experiments --json`."""
        done = self.evalgate("run", "list", "--experiments", "--json")
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout)
