"""Synthetic examples: seed grids x templates, each row from a random generator of its own.

A row depends on the seed, its task and its place, on nothing else: not on how many rows are made, nor on how many processes
make them. Only a row that repeats an earlier one of its task is drawn again.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import msgspec

from evalgate import digest
from evalgate.authored.problems import Problems, nearest
from evalgate.authored.prompt import Prompt, load_prompt
from evalgate.corpus.example import Example, MadeBy
from evalgate.corpus.making.made import Made
from evalgate.errors import InfrastructureError, UsageError
from evalgate.records import Record

TASKS = ("appeal_letters", "claim_entities", "denial_reasons", "history_summary", "policy_qa")
TERMS = "project"
"""The terms of everything that templates alone make: terms/project.toml."""
ROOM = "evalgate.corpus.making"
DRAWS_MOST = 30
"""Draws of one row before its grid counts as used up."""
_FEW = 2000  # rows that are made sooner than a process starts
_WORD = re.compile(r"[^\W_]+")

made_from = msgspec.json.Decoder(Made).decode


class Maker(Record, kw_only=True):
    """Who makes the rows of one task.

    `module` is imported by name and exports `make(rng, index)`; `template` is the digest of it and of its phrases; `prompt`
    is the suite's, so that the training text is the text that is served.
    """

    task: str
    module: str
    template: str
    prompt: Prompt

    def example(self, made: Made, seed: int, index: int, draw: int) -> Example:
        """The row `index` of the corpus of `seed`. Raises UsageError (EG892) if the prompt asks for what is not made."""
        return Example(
            id=f"{self.task}.s{seed}.{index:07d}",
            task=self.task,
            messages=conversation(self.prompt, made.input, made.answer),
            unit=made.unit,
            made_by=MadeBy(
                template=f"{made.template}@{self.template}",
                seed=number_of(seed, self.task, index, draw),
                seeds=made.seeds,
            ),
            terms=TERMS,
            documents=made.documents,
            input=made.input,
            expected=made.expected,
            invented=made.invented,
        )


def conversation(prompt: Prompt, given: object, answer: str) -> tuple[dict[str, str], ...]:
    """The suite's prompt about `given`, and its answer. Raises UsageError (EG892) if `given` lacks what the prompt asks for."""
    try:
        asked = prompt.render(given)  # type: ignore[arg-type]
    except ValueError as e:
        raise UsageError(
            f"found a prompt that asks for what the made rows do not hold ({e}), expected their keys. Correct the prompt.",
            where=prompt.path,
            code="EG892",
        ) from None
    return (*asked, {"role": "assistant", "content": answer})


def makers(root: Path, tasks: Sequence[str]) -> list[Maker]:
    """The makers of `tasks`, with the prompts of the project at `root`.

    Raises UsageError (EG890) for a task that nobody makes, FileProblems for prompts.
    """
    for task in tasks:
        if task not in TASKS:
            raise UsageError(
                f"found the task {task!r}, expected one of {', '.join(TASKS)}.{nearest(task, TASKS)} Name one of them.",
                where="data synthesize",
                code="EG890",
            )
    problems = Problems()
    found = []
    for task in tasks:
        prompt = load_prompt(root / "suites" / "prompts" / f"{task}.md", root, problems)
        if prompt is not None:
            found.append(
                Maker(task=task, module=f"{ROOM}.{task}", template=template_of(task), prompt=prompt)
            )
    problems.raise_if_any()
    return found


def template_of(task: str) -> str:
    """The digest of everything in `making/` but what other tasks own, which are files called after them."""
    others = tuple(t for t in TASKS if t != task)
    room = Path(__file__).with_name("making")
    files = {
        path.relative_to(room).as_posix(): digest.of_file(path)
        for path in sorted(room.rglob("*"))
        if path.suffix in {".py", ".toml", ".md"} and not path.name.startswith(others)
    }
    return digest.of_value(files)


_version_of = functools.cache(template_of)


def number_of(seed: int, task: str, index: int, draw: int) -> int:
    """What the generator of one draw of one row is seeded with: 48 bits."""
    name = f"{seed}/{task}/{index}/{draw}".encode()
    return int.from_bytes(hashlib.blake2b(name, digest_size=6).digest())


def make(module: str, task: str, seed: int, index: int, draw: int) -> Made:
    """One draw of one row."""
    made: Made = importlib.import_module(module).make(
        random.Random(number_of(seed, task, index, draw)), index
    )
    return made


def remade(example: Example) -> Made | None:
    """The scene that a row says it is of, made again; None where these makers make no such thing.

    The row's own word is not taken for it: its task, template with version, seed, number and unit must be what is made.
    """
    by, number = example.made_by, example.id.rpartition(".")[2]
    if by is None or example.task not in TASKS or not re.fullmatch(r"\d{1,12}", number, re.ASCII):
        return None
    name, _, version = by.template.rpartition("@")
    if version != _version_of(example.task):
        return None
    module = importlib.import_module(f"{ROOM}.{example.task}")
    made: Made = module.make(random.Random(by.seed), int(number))
    return made if (made.template, made.unit) == (name, example.unit) else None


def shared_out(rows: int, tasks: Sequence[str], weights: Mapping[str, float]) -> dict[str, int]:
    """`rows` over `tasks` by weight (1 where none is given), by largest remainders; every task gets a row.

    Raises UsageError (EG891): a weight for no task or of zero or less, fewer rows than tasks.
    """
    unknown = [t for t in weights if t not in tasks]
    if unknown or any(not 0 < w < float("inf") for w in weights.values()) or rows < len(tasks):
        raise UsageError(
            f"found {rows} rows for {len(tasks)} tasks with the shares "
            f"{', '.join(f'{t}={w:g}' for t, w in weights.items()) or 'none'}, expected at least a row for each task and "
            "shares above 0 of tasks that are made. Correct --rows, --task or --share.",
            where="data synthesize",
            code="EG891",
        )
    total = sum(weights.get(t, 1.0) for t in tasks)
    exact = {t: 1 + (rows - len(tasks)) * weights.get(t, 1.0) / total for t in tasks}
    counts = {t: int(x) for t, x in exact.items()}
    by_rest = sorted(tasks, key=lambda t: (counts[t] - exact[t], t))
    for task in by_rest[: rows - sum(counts.values())]:
        counts[task] += 1
    return counts


def sameness(given: str | dict[str, Any]) -> bytes:
    """16 bytes, equal for inputs that differ in case, white space and punctuation only."""
    text = given if isinstance(given, str) else " ".join(map(str, given.values()))
    return hashlib.blake2b(
        " ".join(_WORD.findall(text.casefold())).encode(), digest_size=16
    ).digest()


def rows_of(
    maker: Maker, count: int, *, seed: int, processes: int, redrawn: Counter[str]
) -> Iterator[Example]:
    """`count` rows of one task, in order, no two alike. `redrawn` counts by task how many draws repeated an earlier row.

    Raises UsageError (EG892; EG893: the grid holds no more), InfrastructureError (EG894: a worker ended).
    """
    seen: set[bytes] = set()
    drawn = _first_draws(maker, count, seed, processes)
    with contextlib.closing(drawn):
        for index, made in enumerate(drawn):
            draw, key = 0, sameness(made.input)
            while key in seen:
                draw += 1
                redrawn[maker.task] += 1
                if draw > DRAWS_MOST:
                    raise UsageError(
                        f"found {len(seen)} different rows of {maker.task}, expected {count}: {DRAWS_MOST} draws in a row gave "
                        "nothing new. Ask for fewer rows.",
                        where="data synthesize",
                        code="EG893",
                    )
                made = make(maker.module, maker.task, seed, index, draw)  # noqa: PLW2901
                key = sameness(made.input)
            seen.add(key)
            yield maker.example(made, seed, index, draw)


def _first_draws(maker: Maker, count: int, seed: int, processes: int) -> Generator[Made]:
    """The first draw of each row, in order; row i comes from worker i modulo `processes`."""
    if processes < 2 or count < _FEW:
        for index in range(count):
            yield make(maker.module, maker.task, seed, index, 0)
        return
    with contextlib.ExitStack() as stack:
        pipes = [
            stack.enter_context(_worker(maker, seed, first, processes, count))
            for first in range(processes)
        ]
        for index in range(count):
            line = pipes[index % processes].readline()
            if not line.endswith(b"\n"):
                raise InfrastructureError(
                    f"found that a worker process ended at row {index} of {maker.task}, expected every row. Start again, with "
                    "--processes 1 to see why.",
                    where="data synthesize",
                    code="EG894",
                )
            yield made_from(line)


@contextlib.contextmanager
def _worker(maker: Maker, seed: int, first: int, step: int, count: int) -> Iterator[IO[bytes]]:
    """A process that writes rows first, first + step, .. as lines; a full pipe makes it wait, a closed one ends it."""
    argv = [maker.module, maker.task, *map(str, (seed, first, step, count))]
    process = subprocess.Popen(  # noqa: S603 (names and numbers of this program)
        [sys.executable, "-P", "-m", "evalgate.corpus.synthesis_worker", *argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        process.kill()
        process.stdout.close()
        process.wait()
