"""Review: which outputs people label, in which order, and what they may say. The plan is rubrics/TASK.review.json.

A plan is drawn before anything is scored and names no model by name. Everything in it follows from what gate.toml and the
gold set say, so that the gate can draw it again: an item that was exchanged for another shows, and so does a draw that
somebody liked better.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Literal

import msgspec

from evalgate import digest
from evalgate.authored.label_file import Labels
from evalgate.authored.labels import Label
from evalgate.authored.problems import Problems, read_bytes, relative
from evalgate.authored.rubric import Criterion, Rubric
from evalgate.errors import InfrastructureError
from evalgate.judge.case import Case
from evalgate.judge.draw import Drawable, draw, draw_items, hashed
from evalgate.judge.people import read_twice
from evalgate.records import Record

REPEATED = Fraction(1, 10)
"""Share of a rater's outputs that come a second time, unannounced."""
APART = 5
"""Outputs between the two times, at least."""


class ReviewPlan(Record, kw_only=True):
    """The draw for one suite's labels. `items` stand in the order in which they are shown; two raters read `double`.

    `n`: how many were asked for; where units hold several items there may be a few more or less. `seed` follows from ids,
    units and tags of the items, the model and `tag` (None: every item). `model`, `gold`: digests of the candidate and of the
    gold set. `criteria`: what each criterion's digest was.
    """

    schema: Literal["evalgate.review/1"] = "evalgate.review/1"
    suite: str
    tag: str | None = None
    n: int
    seed: str
    items: tuple[str, ...]
    double: tuple[str, ...]
    model: str
    gold: str
    criteria: dict[str, str]


def plan_path(rubric: Path) -> Path:
    """Where the plan of rubrics/NAME.toml is kept: rubrics/NAME.review.json beside it."""
    return rubric.with_name(f"{rubric.name.removesuffix('.toml')}.review.json")


def make_plan(
    suite: str,
    items: Iterable[Drawable],
    *,
    n: int | None,
    double: Fraction,
    model: str,
    gold: str,
    criteria: Mapping[str, str],
    tag: str | None = None,
) -> ReviewPlan:
    """Draws about `n` of the items (of those that bear `tag`; None, or more than there are: all), and the share `double` of
    them, rounded up, for a second rater.
    """
    slice_ = [item for item in items if tag is None or tag in item.tags]
    n = len(slice_) if n is None else min(n, len(slice_))
    # of nothing that could be changed until the draw pleases: not of criteria, and not of the gold set's bytes
    places = sorted((item.id, item.unit, sorted(item.tags)) for item in slice_)
    seed = digest.of_value([places, model, tag])
    names = draw(slice_, n, seed)
    twice = draw_items(names, math.ceil(double * len(names)), hashed(seed, "double"))
    return ReviewPlan(
        suite=suite,
        tag=tag,
        n=n,
        seed=seed,
        items=tuple(names),
        double=tuple(twice),
        model=model,
        gold=gold,
        criteria=dict(sorted(criteria.items())),
    )


def verify(
    plan: ReviewPlan,
    items: Iterable[Drawable],
    *,
    suite: str,
    gold: str,
    model: str,
    n: int | None,
    slices: Collection[str] | None = None,
) -> str | None:
    """Why the plan may not decide about this suite, gold set and model: one clause; None if it may.

    `n` is `review_items` of gate.toml, `slices` those that the judged rows speak of: who may choose how many are drawn, or
    from what, chooses among draws. Criteria may have been edited since: their labels are stale then, the draw is as random as before.
    """
    if plan.suite != suite:
        return f"the review plan is of another suite ({plan.suite})"
    if plan.gold != gold:
        return "the review plan was drawn from another gold set"
    if plan.model != model:
        return "the review plan was drawn for another model"
    if slices is not None and len(slices) == 1 and plan.tag not in slices:
        drawn_from = "all items" if plan.tag is None else f"items tagged {plan.tag!r}"
        return f"the review plan draws from {drawn_from}, the judged rows speak of {min(slices)!r}"
    again = make_plan(
        suite,
        items,
        n=n,
        double=Fraction(len(plan.double), max(1, len(plan.items))),
        model=model,
        gold=gold,
        criteria=plan.criteria,
        tag=plan.tag,
    )
    if again.n != plan.n:
        wanted = (
            f"gate.toml says {n}" if n is not None else f"without review_items it is all {again.n}"
        )
        there = f", of which there are {again.n}" if n is not None and again.n < n else ""
        return f"the review plan draws {plan.n} items, {wanted}{there}"
    return (
        None
        if again == plan
        else "the review plan was edited: it is not the draw of its own fields"
    )


def load_plan(path: Path, root: Path, problems: Problems) -> ReviewPlan | None:
    """The plan; None where there is none, or after noting why it cannot be read (EG101, EG641)."""
    if not path.exists():
        return None
    name = relative(path, root)
    data = read_bytes(path, name, problems)
    if data is None:
        return None
    try:
        plan = msgspec.json.decode(data, type=ReviewPlan)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        message = f"found no review plan ({error}), expected what 'evalgate review plan' wrote. Restore the file."
        problems.add(name, "EG641", message)
        return None
    if plan.n < 0:
        problems.add(name, "EG641", f"n: found {plan.n}, expected 0 or more. Restore the file.")
        return None
    return plan


def write_plan(path: Path, plan: ReviewPlan) -> None:
    """Writes the plan whole. Raises InfrastructureError (EG639)."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(msgspec.json.format(msgspec.json.encode(plan), indent=1) + b"\n")
        part.replace(path)
    except OSError as error:
        raise InfrastructureError(
            f"found that nothing can be written there ({error.strerror or type(error).__name__}), expected a writable "
            "place. Make room or mend the permissions, then plan again.",
            where=str(path),
            code="EG639",
        ) from error
    finally:
        part.unlink(missing_ok=True)


class Turn(Record, kw_only=True):
    """One output that a rater reads, with every criterion. `repeat`: for the second time."""

    item: str
    repeat: bool = False


def turns_of(rater: str, plan: ReviewPlan, mine: Sequence[str]) -> list[Turn]:
    """What `rater` reads, in order: the outputs `mine` (`assigned`), and some of them again, later and unannounced."""
    turns = [Turn(item=name) for name in mine]
    early = mine[: max(0, len(mine) - APART)]
    again = sorted(early, key=lambda name: hashed(plan.seed, "repeat", rater, name))
    for name in again[: math.ceil(REPEATED * len(mine))]:
        first = turns.index(Turn(item=name)) + 1 + APART
        after = int(hashed(plan.seed, "later", rater, name), 16) % (len(turns) - first + 1)
        turns.insert(first + after, Turn(item=name, repeat=True))
    return turns


def assigned(
    rater: str,
    plan: ReviewPlan,
    rubric: Rubric,
    labels: Labels,
    cases: Mapping[str, Case],
    *,
    simulated: bool,
) -> list[str]:
    """The planned outputs that `rater` has begun or that need one more rater, in the plan's order.

    One rater reads each, two read `double`. `cases` are the outputs that there are: an answer that never was one is not
    read, and where it leaves a gap in `double` others fill it, so that the planned share stays. Neither an unfinished
    output nor a simulated label keeps a clinician from it. Raters at work in copies of the project may read the same one.
    """
    me = rater.casefold()
    there = [name for name in plan.items if name in cases]
    share = Fraction(len(plan.double), max(1, len(plan.items)))
    twice = read_twice(there, plan.double, share)
    given: dict[str, dict[str, set[str]]] = {name: {} for name in there}
    for label in labels.usable:
        case = cases.get(label.item)
        counts = simulated or not label.simulated or label.who == me
        if case is not None and counts and not label.adjudicates and label.output == case.digest:
            given.setdefault(label.item, {}).setdefault(label.who, set()).add(label.criterion)
    whole = {criterion.id for criterion in rubric.read_by_people}

    def open_to(name: str) -> bool:
        done = sum(criteria >= whole for criteria in given[name].values())
        return me in given[name] or done < (2 if name in twice else 1)

    return [name for name in there if open_to(name)]


def disputes(
    labels: Labels, cases: Mapping[str, Case], *, simulated: bool
) -> dict[tuple[str, str], list[Label]]:
    """By (item, criterion), the answers of raters who differ and whom nobody has settled yet; repeats are left out."""
    by_question: dict[tuple[str, str], list[Label]] = {}
    for label in labels.usable:
        case = cases.get(label.item)
        counts = (simulated or not label.simulated) and not label.repeat
        if counts and case is not None and label.output == case.digest:
            by_question.setdefault((label.item, label.criterion), []).append(label)
    return {
        question: found
        for question, found in by_question.items()
        if len({label.answer for label in found}) > 1
        and not any(label.adjudicates for label in found)
    }


def new_label(
    rubric: Rubric,
    criterion: Criterion,
    case: Case,
    *,
    rater: str,
    answer: str,
    quote: str = "",
    comment: str = "",
    repeat: bool = False,
    adjudicates: bool = False,
    simulated: bool,
) -> Label:
    """A label as given now. Who settles a dispute has seen both raters: such a label is not blind."""
    return Label(
        item=case.id,
        criterion=criterion.id,
        rater=rater,
        answer=answer,
        rubric=rubric.digest,
        criterion_digest=criterion.digest,
        output=case.digest,
        quote=quote,
        comment=comment,
        blind=not adjudicates,
        repeat=repeat,
        adjudicates=adjudicates,
        simulated=simulated,
        at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )


def capacity_of(rater: str, labels: Collection[Label]) -> bool | None:
    """Whether the rater's labels are simulated; None where there are none of theirs."""
    return next((label.simulated for label in labels if label.who == rater.casefold()), None)


def answer_lines(criterion: Criterion) -> Sequence[tuple[str, str]]:
    """Every answer that a rater may give, with what it means; not_applicable only where there is a condition."""
    if criterion.kind == "scale":
        lines = [(str(step), anchor) for step, anchor in enumerate(criterion.anchors, start=1)]
    else:
        lines = [
            ("met", criterion.met or "It is true of the output."),
            ("not_met", criterion.not_met or "It is not true of the output."),
        ]
    if criterion.applies_when:
        lines.append(("not_applicable", f"This condition does not hold: {criterion.applies_when}"))
    return (*lines, ("cannot_tell", "What is shown does not settle it."))


def example_lines(criterion: Criterion) -> list[str]:
    """The criterion's examples, as raters read them: the judge is shown them too."""
    return [
        f'Example of {x.answer}: "{x.text}"{f" ({x.why})" if x.why else ""}'
        for x in criterion.examples
    ]
