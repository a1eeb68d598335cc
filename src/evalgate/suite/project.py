"""A project: gate.toml, evalgate.toml and, for every table of gate.toml, its suite module with gold set and prompt."""

from __future__ import annotations

import importlib.util
import inspect
import re
import sys
import traceback
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from evalgate import digest
from evalgate.authored import (
    Card,
    GateFile,
    GoldSet,
    Problems,
    Prompt,
    Settings,
    check_feasible,
    load_card,
    load_gate,
    load_gold,
    load_prompt,
    load_settings,
    nearest,
    relative,
)
from evalgate.authored.card import SEALED
from evalgate.authored.gate_toml import is_difference
from evalgate.errors import UsageError
from evalgate.records import ModelSpec, Record
from evalgate.store.released import released
from evalgate.suite.answers import check_expected
from evalgate.suite.suite import Suite

if TYPE_CHECKING:
    from evalgate.authored.labels import Label
    from evalgate.authored.rubric import Rubric
    from evalgate.crypto.seal import SealKey
    from evalgate.judge.review import ReviewPlan

_SHOWN = 20  # problems of one kind in one file


class Opening(NamedTuple):
    """What opens sealed sets in place of the dev sets: the seal key, and the alpha that is left for each set by its digest."""

    key: SealKey
    alphas: Mapping[str, float]


class LoadedSuite(Record, kw_only=True):
    """A suite with everything it names, loaded and checked.

    `functions`: its tests by name, without `test_`. `marks`: names of pytest's marks on each of them and on the module.
    `rubric`: rubrics/NAME.toml, if there is one, with its labels and the plan of who reviews what. `labelled`: of answers to a
    sealed set, the file of their labels below the project and the digest of its bytes, "" if there is none.
    """

    path: Path
    suite: Any  # Suite (msgspec cannot name a plain class)
    gold: Any  # GoldSet
    card: Card | None
    prompt: Prompt
    functions: dict[str, Any]
    marks: dict[str, tuple[str, ...]]
    rubric: Rubric | None = None
    labels: tuple[Label, ...] = ()
    review: ReviewPlan | None = None
    labelled: tuple[str, str] | None = None

    @property
    def tests(self) -> tuple[str, ...]:
        """Names of its test functions, without `test_`."""
        return tuple(self.functions)

    @property
    def gold_file(self) -> str:
        """The gold set's file, below the project."""
        name: str = self.suite.gold
        return name if self.gold.path.suffix != SEALED else f"{name.removesuffix('.jsonl')}{SEALED}"

    @property
    def digest_on_disk(self) -> str:
        """Of the gold set's file: that of its text, or of the sealed file."""
        sealed = self.card.sealed if self.card else None
        known: str = sealed.cipher if sealed else self.gold.digest
        return known


class Project:
    """A checked project. `suites` follows the order of gate.toml; with `sealed` their gold sets are the sealed ones."""

    def __init__(
        self,
        root: Path,
        gate: GateFile,
        settings: Settings,
        suites: Mapping[str, LoadedSuite],
        sealed: Opening | None = None,
    ) -> None:
        self.sealed = sealed
        self.root = root
        self.gate = gate
        self.settings = settings
        self.suites = dict(suites)

    def __repr__(self) -> str:
        return f"<Project {self.root.name} suites={len(self.suites)}>"

    @property
    def reports(self) -> Path:
        """Where runs and reports are kept; those of sealed sets apart from all others."""
        return self.root / "reports" / "sealed" if self.sealed else self.root / "reports"

    @property
    def seal(self) -> SealKey | None:
        """The key under which runs are kept, None for plain ones."""
        return self.sealed.key if self.sealed else None

    def alpha(self, suite: str) -> float:
        """One-sided alpha of every finding of a suite: the file's own, or what an attempt may spend on its sealed set."""
        if self.sealed is None:
            return self.gate.settings.alpha
        return self.sealed.alphas[self.suites[suite].gold.digest]

    def model(self, name: str | None) -> tuple[str, ModelSpec]:
        """The model of evalgate.toml named `name`, a .gguf file by its path, or the default candidate.

        A path stays its own name, so that no file can pass for a model of evalgate.toml. Raises UsageError.
        """
        chosen = name or self.settings.default_candidate
        known = sorted(self.settings.models)
        if chosen is None:
            raise UsageError(
                "found no candidate, expected one. Name a model, or set [default] candidate.",
                where="evalgate.toml",
                code="EG201",
            )
        if chosen not in self.settings.models:
            if chosen.endswith(".gguf") and (self.root / chosen).is_file():
                return chosen, ModelSpec(server="llamacpp", artifact=chosen)
            raise UsageError(
                f"found no [models.{chosen}], expected one of: {', '.join(known) or 'none defined'}."
                f"{nearest(chosen, known)} Name one of these or add its table.",
                where="evalgate.toml",
                code="EG202",
            )
        return chosen, self.settings.models[chosen]


def load_header(root: Path) -> Project:
    """Only gate.toml and evalgate.toml, no suites. If they have problems, raises FileProblems with those of all files."""
    problems = Problems()
    gate = _load_gate(root, problems)
    settings = load_settings(root / "evalgate.toml", root, problems)
    if problems or gate is None or settings is None:
        return load_project(root)
    return Project(root, gate, settings, {})


def load_again(project: Project) -> Project:
    """`project` as its files stand now. Suites, gold sets and prompts are loaded again only if a byte of them changed.

    Bytes of suite modules are the plan's business. Raises FileProblems like `load_project`.
    """
    header = load_header(project.root)
    files = [(s.gold.path, s.digest_on_disk) for s in project.suites.values()]
    files += [(project.root / s.suite.prompt, s.prompt.digest) for s in project.suites.values()]
    try:
        if all(digest.of_file(path) == known for path, known in files):
            return Project(
                project.root, header.gate, header.settings, project.suites, project.sealed
            )
    except OSError:
        pass  # a file is gone: loading says which
    return load_project(project.root, only=set(project.suites), sealed=project.sealed)


def load_project(
    root: Path, *, only: Collection[str] | None = None, sealed: Opening | None = None
) -> Project:
    """Loads and checks everything that decides, under `root`. `only` limits which suites are loaded (partial runs).

    `sealed`: each suite asks the sealed set beside its dev set. Raises FileProblems with all problems of all files; of
    sealed sets IntegrityError, too (`load_sealed`).
    """
    problems = Problems()
    gate = _load_gate(root, problems)
    settings = load_settings(root / "evalgate.toml", root, problems)
    suites: dict[str, LoadedSuite] = {}
    present = [p.stem.removeprefix("test_") for p in sorted((root / "suites").glob("test_*.py"))]
    for name in (
        gate.suites if gate else present
    ):  # a faulty gate.toml hides no problem of the other files
        if only is None or name in only:
            loaded = _load_suite(root, name, problems, sealed)
            if loaded:
                suites[name] = loaded
    _refuse_links(root, problems)
    if gate:
        _check_judged(gate, suites, problems, sealed)
        golds = {n: s.gold for n, s in suites.items()}
        left = sealed.alphas if sealed else {}
        alphas = {n: left[g.digest] for n, g in golds.items() if g.digest in left}
        check_feasible(gate, golds, problems, alphas=alphas)
        if gate.settings.baseline and settings and gate.settings.baseline not in settings.models:
            problems.add(
                "gate.toml",
                "EG203",
                f"found baseline = {gate.settings.baseline!r}, expected a model of evalgate.toml."
                f"{nearest(gate.settings.baseline, settings.models)} Name one of them.",
            )
    problems.raise_if_any()
    assert gate is not None
    assert settings is not None
    return Project(root, gate, settings, suites, sealed)


def _load_gate(root: Path, problems: Problems) -> GateFile | None:
    """gate.toml, with the model that was promoted last as its baseline, whatever the file names."""
    before = released(root)
    gate = load_gate(root / "gate.toml", root, problems, promoted=before is not None)
    if gate is None or before is None:
        return gate
    settings = msgspec.structs.replace(gate.settings, baseline=before.model)
    return msgspec.structs.replace(gate, settings=settings)


def _check_judged(
    gate: GateFile,
    suites: Mapping[str, LoadedSuite],
    problems: Problems,
    sealed: Opening | None,
) -> None:
    """A row with a judge needs a rubric, and is about the candidate alone."""
    for (name, key), line in gate.lines.items():
        if not gate.suites[name][key].judge:
            continue
        if sealed and gate.suites[name][key].judge == "screen":
            message = (
                f'found judge = "screen" for [{name}] {key}, expected none in a sealed check: such a row never passes, and would '
                'spend an attempt for nothing. Take it out, or write judge = "calibrated".'
            )
            problems.add("gate.toml", "EG764", message, line=line)
        if name in suites and suites[name].rubric is None:
            message = f"found a judge for [{name}] {key} and no rubric, expected rubrics/{name}.toml. Write it: docs/rubrics.md."
            problems.add("gate.toml", "EG690", message, line=line)
        if is_difference(key):
            message = (
                f"found a judge for the comparison [{name}] {key}, expected none: this version judges the candidate's "
                "answers only. Remove judge, and compare by a metric of code."
            )
            problems.add("gate.toml", "EG691", message, line=line)


def _refuse_links(root: Path, problems: Problems) -> None:
    """What a link leads to is not in the plan's digest, so it could change a claim unseen."""
    for folder in ("suites", "rubrics"):
        for path in sorted((root / folder).rglob("*")):
            if path.is_symlink():
                problems.add(
                    relative(path, root),
                    "EG211",
                    "found a link, expected a file or directory. Copy what it leads to.",
                )


def _load_suite(
    root: Path, name: str, problems: Problems, sealed: Opening | None
) -> LoadedSuite | None:
    path = root / "suites" / f"test_{name}.py"
    if not path.is_file():
        return None  # a missing suite is no faulty file but a way around the gate: its rows have no test
    module = _execute(path, root, name, problems)
    if module is None:
        return None
    suite = module.get("SUITE")
    if not isinstance(suite, Suite) or suite.name != name:
        found = f"SUITE named {suite.name!r}" if isinstance(suite, Suite) else "no SUITE"
        problems.add(
            relative(path, root),
            "EG205",
            f"found {found}, expected SUITE = Suite({name!r}, ...). Add or rename it.",
        )
        return None
    gold = load_gold(root / suite.gold, root, problems)
    card = load_card(root / suite.gold, root, problems)
    prompt = load_prompt(root / suite.prompt, root, problems)
    if card is not None and card.split == "sealed":
        problems.add(
            suite.gold,
            "EG212",
            'found a sealed gold set in a suite, expected split = "dev". Seal it beside the dev set: evalgate gold seal.',
        )
    if sealed and gold is not None:
        gold, card = _opened(root, suite, gold, sealed.key, problems)
    if gold is None or prompt is None:
        return None
    check_items(suite, gold, prompt, relative(gold.path, root) if sealed else suite.gold, problems)
    functions = {
        key.removeprefix("test_"): value
        for key, value in module.items()
        if key.startswith("test_") and inspect.isfunction(value)
    }
    whole = _mark_names(module.get("pytestmark"))
    marks = {
        key: _mark_names(getattr(function, "pytestmark", None)) + whole
        for key, function in functions.items()
    }
    return LoadedSuite(
        path=path,
        suite=suite,
        gold=gold,
        card=card,
        prompt=prompt,
        functions=functions,
        marks=marks,
        **_load_rubric(root, name, gold, problems, sealed=sealed is not None),
    )


def _opened(
    root: Path, suite: Suite, dev: GoldSet, key: SealKey, problems: Problems
) -> tuple[GoldSet | None, Card | None]:
    """The sealed set beside the dev set of a suite, proven to be apart from it."""
    from evalgate.authored.sealed import check_apart, load_sealed, sealed_path

    path = sealed_path(root / suite.gold)
    name = relative(path, root)
    if not path.exists():
        message = "found no sealed set, expected one for every suite of a sealed check. Make one: evalgate gold seal."
        problems.add(name, "EG763", message)
        return None, None
    opened = load_sealed(path, root, key, problems)
    if opened is None:
        return None, None
    check_apart(opened[0], dev, name, problems)
    return opened


def _load_rubric(
    root: Path, name: str, gold: GoldSet, problems: Problems, *, sealed: bool
) -> dict[str, Any]:
    """The rubric of a suite, its labels and its review plan; nothing where there is no rubric.

    Of a sealed set the rubric alone: the rest belongs to one model's answers, and comes with the model (`sealed_labels`). Nor
    are the two compared: who may edit the rubric could find out, text by text, what the set holds. `gold seal` compares.
    """
    path = root / "rubrics" / f"{name}.toml"
    if not path.is_file():
        return {}
    from evalgate.authored.label_file import labels_path, load_labels
    from evalgate.authored.rubric_file import load_rubric
    from evalgate.judge.review import load_plan, plan_path

    if sealed:
        return {"rubric": load_rubric(path, root, problems)}
    rubric = load_rubric(path, root, problems, gold=gold)
    review = load_plan(plan_path(path), root, problems)
    if rubric is None:
        return {}
    labels = load_labels(labels_path(path), root, problems, rubric=rubric, gold=gold)
    every = (*labels.usable, *labels.stale) if labels else ()
    return {"rubric": rubric, "labels": every, "review": review}


def _mark_names(marks: Any) -> tuple[str, ...]:
    """Of a `pytestmark`: one mark, or a list of them."""
    every = marks if isinstance(marks, (list, tuple)) else [marks]
    return tuple(str(mark.name) for mark in every if hasattr(mark, "name"))


def _execute(path: Path, root: Path, name: str, problems: Problems) -> dict[str, Any] | None:
    """The namespace of a suite module, executed apart from pytest's own import of it."""
    qualified = f"evalgate_suites.{name}"
    spec = importlib.util.spec_from_file_location(qualified, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[qualified] = module
    sys.path.insert(
        0, str(path.parent)
    )  # helpers beside the suites, as pytest's own import mode has it
    try:
        spec.loader.exec_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as e:  # whatever a suite raises here, an exit too, is that file's problem
        said = _harmless_words(e)
        problems.add(
            relative(path, root),
            "EG206",
            f"found {type(e).__name__}{f': {said}' if said else ''}, expected a module that can be imported. Mend it.",
            line=_line_within(path, e),
        )
        return None
    finally:
        sys.path.remove(str(path.parent))
    return vars(module)


def _line_within(path: Path, error: BaseException) -> int:
    """The last line of the module that the exception passed, 0 if it passed none."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno or 0
    frames = traceback.extract_tb(error.__traceback__)
    return next((f.lineno or 0 for f in reversed(frames) if f.filename == str(path)), 0)


# Names of modules, functions and arguments: words of the program, never of what it read.
_HARMLESS = re.compile(
    r"No module named '[\w.]+'|cannot import name '\w+' from '[\w.]+'|name '\w+' is not defined"
    r"|[\w.]+\(\) (?:got an unexpected keyword argument|missing \d+ required [a-z -]+:) '\w+'"
)


def _harmless_words(error: BaseException) -> str:
    """What an exception says, as far as it cannot quote an item that the module read; "" if nothing of it."""
    if isinstance(error, SyntaxError) and (error.filename or "").endswith(".py"):
        return error.msg
    frames = traceback.extract_tb(error.__traceback__)
    if frames and frames[-1].filename == inspect.getfile(Suite):
        return str(error)  # about the declaration that the author wrote
    if isinstance(error, (ImportError, NameError, TypeError)):
        known = _HARMLESS.match(str(error))
        return known[0] if known else ""
    return ""


def check_items(suite: Suite, gold: GoldSet, prompt: Prompt, name: str, problems: Problems) -> None:
    """Every item must fill the prompt, and its expected value must be readable by the suite's parser."""
    needed = set(prompt.placeholders)
    convert = getattr(suite.parse, "gold", None)
    shown = 0
    for ordinal, item in gold.items():
        known = {"input"} if isinstance(item.input, str) else item.input.keys()
        faults = []
        if absent := sorted(needed - known):
            faults.append(
                (
                    "EG207",
                    f"found no input {absent[0]!r}, expected it: {suite.prompt} asks for it. Add it.",
                )
            )
        if convert is not None and (why := check_expected(suite, item)):
            faults.append(
                ("EG208", f"found an expected value that the suite cannot parse: {why}. Mend it.")
            )
        for code, message in faults:
            shown += 1
            if shown <= _SHOWN:
                problems.add(name, code, message, line=ordinal + 1)
    if shown > _SHOWN:
        problems.add(
            name,
            "EG209",
            f"found {shown - _SHOWN} more items like these, expected none. Mend them.",
        )
