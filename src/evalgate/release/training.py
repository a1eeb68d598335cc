"""`gate train`: a recipe that passed the gate becomes a candidate. It is trained, recorded, registered, and promoted nowhere."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
import tomlkit

from evalgate import digest
from evalgate.authored import Problems, load_settings
from evalgate.authored.recipe import Recipe, load_recipe
from evalgate.corpus.example import Example, encode
from evalgate.corpus.files import rows
from evalgate.corpus.mixture import places
from evalgate.errors import EvalgateError, Exit, InfrastructureError, UsageError
from evalgate.files import write_whole
from evalgate.gate import perimeter
from evalgate.models.artifact import template_digest
from evalgate.models.merge import check_merge
from evalgate.models.process import QUIET, cleaned_environment
from evalgate.records import ModelSpec, Record
from evalgate.release.trained import FILE, Training
from evalgate.release.training_admission import DATA, Admitted
from evalgate.suite import Project
from evalgate.training import ADAPTER, JOB, MERGED, Job, read_log

FOLDER: Final = ".evalgate/training"
"""Where jobs are worked on: outside git, for their owner only."""
HELD_OUT: Final = 50
"""One unit in so many, by a hash of its name, is measured by and never trained; most of its rows of one task are too many."""
HELD_OUT_ROWS: Final = 200
_STEP_S: Final = 0.2

Progress = Callable[[int, int, Mapping[str, Any]], None]
"""(step, of how many, what the trainer logged)."""


class Trained(Record, kw_only=True):
    """A candidate: its name and place, seconds of training, and the last losses by name."""

    name: str
    path: str
    digest: str
    seconds: float
    losses: dict[str, float]


def recipe_of(root: Path, path: Path) -> Recipe:
    """The recipe at `path`. Raises FileProblems; UsageError (EG929: its output is taken)."""
    problems = Problems()
    recipe = load_recipe(path, root, problems)
    problems.raise_if_any()
    assert recipe is not None
    if not (root / recipe.trainer).is_file():
        raise UsageError(
            f"found no file {recipe.trainer}, expected the trainer. Correct the path.",
            where=f"{recipe.path}: [recipe] trainer",
            code="EG929",
        )
    if (root / "models" / recipe.output).exists():
        raise UsageError(
            f"found models/{recipe.output} already, expected a new name: a candidate is never trained over. Name another output.",
            where=f"{recipe.path}: [recipe] output",
            code="EG929",
        )
    return recipe


def train(
    project: Project,
    recipe: Recipe,
    admitted: Admitted,
    *,
    restart: bool = False,
    progress: Progress = lambda *_: None,
) -> Trained:
    """Trains what was admitted and registers the candidate in evalgate.toml; a job that was interrupted is resumed.

    `restart`: an unfinished job of that output is thrown away. Raises UsageError (EG910: an unfinished job of another recipe or
    other data; what the trainer refuses, by its own code), InfrastructureError (EG911: another training of that output is at
    work; EG912: the trainer died; memory or disk), IntegrityError (EG983: the merge changed nothing), KeyboardInterrupt.
    """
    root = project.root
    place = root / FOLDER / recipe.output
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    began = time.monotonic()
    with _alone(place) as lock:
        if restart:
            shutil.rmtree(place, ignore_errors=True)
        spec = project.settings.model(recipe.base)
        job = _prepare(root, place, recipe, admitted, spec)
        network, log = _run(project, place, recipe, progress, lock=lock)
        if job.merge:
            check_merge(Path(job.base), place / MERGED, where=recipe.path)
        # in this order: a crash between the two leaves a name without files, which the next start fills, never files without a name
        _register(root, recipe, spec)
        path = _assemble(root, place, job, recipe, admitted, network)
    return Trained(
        name=recipe.output,
        path=path.relative_to(root).as_posix(),
        digest=digest.of_tree(path),
        seconds=time.monotonic() - began,
        losses=_losses(log),
    )


@contextmanager
def _alone(place: Path) -> Iterator[int]:
    """Holds the lock of an output's job, a file descriptor. Raises InfrastructureError (EG911)."""
    fd = os.open(
        place.with_name(f"{place.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
    )
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InfrastructureError(
                "found another training of this output at work, expected to be alone. Wait for it, or name another output.",
                where=f"{FOLDER}/{place.name}",
                code="EG911",
            ) from None
        yield fd
    finally:
        os.close(fd)


def _prepare(root: Path, place: Path, recipe: Recipe, admitted: Admitted, spec: ModelSpec) -> Job:
    """The job, its files written. Raises UsageError (EG910)."""
    place.mkdir(exist_ok=True, mode=0o700)
    base = root / (spec.artifact or "")
    files = _materialise(root, place, recipe, admitted)
    job = Job(
        recipe=recipe.path,
        trainer=digest.of_file(root / recipe.trainer),
        base=str(base),
        base_digest=digest.of_tree(base),
        rows=str(place / "rows.jsonl"),
        order=str(place / "order"),
        held_out=str(place / "held_out.jsonl"),
        seed=recipe.seed,
        merge=spec.server != "vllm",  # which alone serves an adapter beside its base
        config=recipe.config,
        **files,
    )
    path = place / JOB
    if path.exists():
        begun = msgspec.json.decode(path.read_bytes(), type=Job)
        if begun.digest != job.digest:
            fields = [f for f in Job.__struct_fields__ if getattr(begun, f) != getattr(job, f)]
            raise UsageError(
                f"found an unfinished training of this output with another {', '.join(fields)}, expected the same, or none: what was "
                "begun on other data cannot be gone on with. Put it back, name another output, or throw the work away: --restart",
                where=f"{FOLDER}/{place.name}",
                code="EG910",
            )
    write_whole(path, msgspec.json.encode(job))
    return job


def _materialise(root: Path, place: Path, recipe: Recipe, admitted: Admitted) -> dict[str, str]:
    """Writes rows, order and held-out rows; the digests of the three files, by the job's names for them."""
    directories = list(admitted.corpora.values())
    wanted: dict[tuple[int, int], int] = {}
    order = array("q")
    for one in places(root / DATA, recipe.mixture):
        order.append(wanted.setdefault((one.corpus, one.row), len(wanted)))
    numbers = [-1] * len(wanted)
    kept: Counter[str] = Counter()
    written = 0
    tasks: set[str] = set()
    with (
        _private(place / "rows.jsonl") as trained,
        _private(place / "held_out.jsonl") as measured,
    ):
        for corpus, directory in enumerate(directories):
            for at, row in enumerate(rows(directory, strict=True)):
                if held_out(row):
                    kept[row.task] += 1
                    if kept[row.task] <= HELD_OUT_ROWS:
                        measured.write(encode(row) + b"\n")
                elif (number := wanted.get((corpus, at))) is not None:
                    numbers[number] = written
                    tasks.add(row.task)
                    written += 1
                    trained.write(encode(row) + b"\n")
    shown = array("q", (numbers[n] for n in order if numbers[n] >= 0))
    if starved := sorted(admitted.mixture.tasks.keys() - tasks):
        raise UsageError(
            f"found no row of {', '.join(starved)} that is not held out, expected some of every task. Mix in more of it.",
            where=f"data/mixtures/{recipe.mixture}",
            code="EG914",
        )
    if sys.byteorder == "big":
        shown.byteswap()
    write_whole(place / "order", shown.tobytes())
    names = {"rows": "rows.jsonl", "order": "order", "held_out": "held_out.jsonl"}
    return {f"{key}_digest": digest.of_file(place / name) for key, name in names.items()}


def held_out(row: Example) -> bool:
    """Whether a row measures training instead of being trained: by its unit, so that no unit does both."""
    unit = row.unit or row.id
    return (
        int.from_bytes(hashlib.sha256(f"held out\n{unit}".encode()).digest()[:8], "big") % HELD_OUT
        == 0
    )


def _private(path: Path) -> Any:
    return os.fdopen(
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb"
    )


def _run(
    project: Project, place: Path, recipe: Recipe, progress: Progress, *, lock: int
) -> tuple[str, list[Mapping[str, Any]]]:
    """Runs the trainer; its network ("netns", or why there was no namespace) and what it logged. Raises as `train`.

    It holds the job's `lock`, too: if this process is killed, nobody trains beside a trainer that lives on.
    """
    python = project.settings.trainer_python or sys.executable
    argv = [python, "-P", "-s", str(project.root / recipe.trainer), str(place)]
    environment = cleaned_environment(os.environ) | QUIET
    before = len(read_log(place))
    want = perimeter.Perimeter(guarantee="netns" if sys.platform == "linux" else "guard")
    with (place / "trainer.log").open("ab") as output:

        def spawn(_: perimeter.Perimeter, enter: Callable[[], None]) -> subprocess.Popen[bytes]:
            return subprocess.Popen(  # noqa: S603 (the recipe's trainer)
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=project.root,
                env=environment,
                preexec_fn=enter,  # noqa: PLW1509 (the namespace is entered by who lives in it)
                start_new_session=True,
                pass_fds=(lock,),
            )

        started = output.tell()
        process, lived_in = perimeter.start(want, spawn)
        try:
            _watch(place, process, before, progress)
        except BaseException:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
            raise
    if process.returncode:
        raise _died(place, process.returncode, started)
    if read_log(place)[-1:] == [] or read_log(place)[-1]["event"] != "trained":
        raise _died(place, 0, started)
    network = (
        "netns"
        if lived_in.guarantee == "netns"
        else f"open: {lived_in.why or 'no namespaces here'}"
    )
    return network, read_log(place)[before:]


def _watch(place: Path, process: subprocess.Popen[bytes], before: int, progress: Progress) -> None:
    told = before
    while True:
        ended = process.poll() is not None
        log = read_log(place)
        for line in log[told:]:
            if line["event"] == "step":
                progress(line["step"], line["of"], line)
        told = len(log)
        if ended:
            return
        time.sleep(_STEP_S)


def _died(place: Path, code: int, started: int) -> EvalgateError:
    """What the trainer's end means: its own words where it ended by the rules, else that it died."""
    with (place / "trainer.log").open("rb") as f:
        f.seek(started)
        said = f.read().decode(errors="replace").splitlines()
    last = next((line for line in reversed(said) if line.strip()), "it said nothing")
    if code == Exit.USAGE:
        return UsageError(last)
    if code == Exit.INFRASTRUCTURE:
        return InfrastructureError(last)
    how = f"signal {-code}" if code < 0 else f"status {code}"
    return InfrastructureError(
        f"found that the trainer died ({how}), expected it to finish. Read trainer.log there; the next start resumes at the last "
        "checkpoint.",
        where=f"{FOLDER}/{place.name}",
        code="EG912",
    )


def _assemble(  # noqa: PLR0917 (what is put together)
    root: Path, place: Path, job: Job, recipe: Recipe, admitted: Admitted, network: str
) -> Path:
    """Puts what was trained into models/OUTPUT with its record, in one step; the job's directory is removed."""
    made = place / (MERGED if job.merge else ADAPTER)
    record = {
        **msgspec.to_builtins(
            Training(
                schema="evalgate.training/1",
                mixture=admitted.mixture.digest,
                corpora={one.name: one.digest for one in admitted.mixture.corpora},
                base=job.base_digest,
                terms=admitted.terms,
                sources=admitted.sources,
                template=template_digest(made if job.merge else Path(job.base), where=recipe.path),
                files=digest.files_of(made),
            )
        ),
        "job": job.digest,
        "recipe": recipe.digest,
        "trainer": job.trainer,
        "seed": job.seed,
        "merged": job.merge,
        "network": network,
        "adapter": digest.of_tree(place / ADAPTER),
        "config": job.config,
        "log": read_log(place),
    }
    write_whole(made / FILE, msgspec.json.format(digest.canonical(record), indent=1), mode=0o644)
    target = root / "models" / recipe.output
    target.parent.mkdir(exist_ok=True)
    made.rename(target)
    shutil.rmtree(place)
    return target


def _register(root: Path, recipe: Recipe, spec: ModelSpec) -> None:
    """Adds the candidate to evalgate.toml, served as its base is; comments stay."""
    path = root / "evalgate.toml"
    document = tomlkit.parse(path.read_text(encoding="utf-8"))
    table = tomlkit.table()
    table["artifact"] = f"models/{recipe.output}"
    if spec.server == "vllm":
        table["base"] = spec.artifact
    table["server"] = spec.server
    for name in ("template", "licence", "family", "timeout_s"):
        value = getattr(spec, name)
        if value is not None and value != ModelSpec(server=spec.server).__getattribute__(name):
            table[name] = value
    if spec.args:
        table["args"] = list(spec.args)
    table.add(tomlkit.nl())
    document["models"][recipe.output] = table
    write_whole(path, tomlkit.dumps(document).encode(), mode=0o666)


def dequantised(root: Path, source: Path) -> str:
    """Makes a directory of safetensors of a GGUF file, beside it; returns one line that says so.

    Raises InfrastructureError (EG913: the environment of training is not there, or disk, or memory), FileProblems.
    """
    target = source.with_suffix("")
    name = target.relative_to(root).as_posix()
    if target.exists():
        return f"{name} is there already"
    problems = Problems()
    settings = load_settings(root / "evalgate.toml", root, problems)
    problems.raise_if_any()
    python = (settings.trainer_python if settings else None) or sys.executable
    done = subprocess.run(  # noqa: S603 (evalgate's own module)
        [python, "-P", "-m", "evalgate.training.dequantise", str(source), str(target)],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        env=cleaned_environment(os.environ) | QUIET,
    )
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise InfrastructureError(
            f"found that it could not be made ({said[-1][:200] if said else 'it said nothing'}), expected torch, transformers and gguf "
            f"in {python}, and room. Install evalgate-release[train], or name another Python in [training] of evalgate.toml.",
            where=name,
            code="EG913",
        )
    return f"{name} made of it, {digest.of_tree(target)[:19]}"


def _losses(log: list[Mapping[str, Any]]) -> dict[str, float]:
    """The last value of every loss."""
    return {
        name: value
        for line in log
        for name, value in line.items()
        if name == "loss" or (name.startswith("eval_") and name.endswith("_loss"))
    }
