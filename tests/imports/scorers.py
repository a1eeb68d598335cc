"""evalgate's entity scores and those of two independent scorers, brought to the same questions.

nervaluate (strict) and seqeval count labelled spans, pooled over documents (micro). Where the definitions part, the inputs
are built so that both mean the same, and the difference itself is a test of its own.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import seqeval.metrics
from nervaluate import Evaluator

from evalgate import f1, precision, recall
from evalgate.authored.imports import Columns, Options, import_gold
from evalgate.records import Answer, Entity

FAILED = "no answer"
"""The label of the one wrong guess that evalgate counts for an answer without a value."""


def rows(gold: list[list[dict]], guesses: list[list[dict] | None]) -> list[Answer]:
    """One answer per document; None is an answer that could not be parsed."""
    return [
        Answer(
            id=str(n),
            unit=str(n),
            tags=(),
            input="",
            expected=wanted,
            text="",
            parsed=None if guess is None else [Entity(**e) for e in guess],
            status="unparseable" if guess is None else "ok",
            correct=False,
        )
        for n, (wanted, guess) in enumerate(zip(gold, guesses, strict=True))
    ]


def ours(gold, guesses, *, match="span") -> tuple[float, float, float]:
    """Precision, recall and F1 of evalgate, micro."""
    answers = rows(gold, guesses)
    return tuple(
        metric(answers, match=match, average="micro").value for metric in (precision, recall, f1)
    )


def theirs(gold, guesses, *, exact_first=True) -> tuple[float, float, float]:
    """Precision, recall and F1 of nervaluate, strict. Its ends are inclusive.

    It goes through the guesses in order, and a guess that only touches a gold span uses that span up. Exact guesses
    are put first, so that its count is the size of the largest matching, whatever the order was.
    """
    plain = [_spans(document) for document in gold]
    guessed = [
        [{"label": FAILED, "start": 0, "end": 0}] if guess is None else _spans(guess)
        for guess in guesses
    ]
    if exact_first:
        guessed = [_exact_first(w, g) for w, g in zip(plain, guessed, strict=True)]
    tags = sorted({e["label"] for document in plain + guessed for e in document})
    found = Evaluator(plain, guessed, tags=tags, loader="dict").evaluate()["overall"]["strict"]
    return found.precision, found.recall, found.f1


def _spans(document):
    return [{"label": e["label"], "start": e["start"], "end": e["end"] - 1} for e in document]


def _exact_first(wanted, guesses):
    left = Counter(tuple(e.values()) for e in wanted)
    exact, others = [], []
    for guess in guesses:
        key = tuple(guess.values())
        (exact if left[key] > 0 else others).append(guess)
        left[key] -= 1
    return exact + others


def as_places(gold, guesses):
    """Texts as places: the k-th mention of a text in a document is the k-th place of that text, for both sides.

    evalgate's match="exact" compares label and text, since language models cannot count characters. A scorer of spans
    then counts the same pairs, if equal texts (white space collapsed) get equal places, apart from all others.
    """
    vocabulary: dict[str, int] = {}

    def places(document):
        times: Counter[tuple[str, str]] = Counter()
        out = []
        for entity in document:
            text = " ".join(entity["text"].split())
            start = vocabulary.setdefault(text, len(vocabulary)) * 100_000
            start += 10 * times[entity["label"], text]
            times[entity["label"], text] += 1
            out.append({**entity, "start": start, "end": start + 5})
        return out

    return (
        [places(document) for document in gold],
        [None if guess is None else places(guess) for guess in guesses],
    )


def perturbed(document: list[dict], text: str, labels: list[str], rng: random.Random):
    """A prediction with every kind of error: spans left out, moved, relabelled, given twice, made up."""
    guess = []
    for entity in document:
        start, end, label = entity["start"], entity["end"], entity["label"]
        what = rng.random()
        if what < 0.15:
            continue
        if what < 0.30:
            start, end = start + rng.choice((-2, -1, 1)), end + rng.choice((-1, 0, 2))
            start, end = max(0, min(start, end - 1)), min(len(text), max(end, start + 1))
        elif what < 0.40:
            label = rng.choice(labels)
        made = {"label": label, "text": text[start:end], "start": start, "end": end}
        guess += [made] * (2 if what > 0.90 else 1)
    for _ in range(rng.randrange(4)):
        start = rng.randrange(len(text) - 1)
        end = min(len(text), start + rng.randint(1, 20))
        guess.append({"label": rng.choice(labels), "text": text[start:end], "start": start, "end": end})  # fmt: skip
    rng.shuffle(guess)
    return guess


def brat_predictions(source: Path, folder: Path, rng: random.Random, part: slice):
    """(gold entities, perturbed guesses) of a part of the BRAT documents at `source`; every tenth answer is none at all."""
    options = Options(columns=Columns(text={"text": "text"}))
    import_gold("brat", source, folder / "reports.jsonl", options, force=True)
    gold = _items(folder / "reports.jsonl")[part]
    labels = sorted({e["label"] for item in gold for e in item["expected"]})
    guesses = [perturbed(i["expected"], i["input"]["text"], labels, rng) for i in gold]
    guesses[::10] = [None] * len(guesses[::10])
    return [item["expected"] for item in gold], guesses


def iob_scores(source: Path, folder: Path, rng: random.Random):
    """(precision, recall, F1) of evalgate and of seqeval for perturbed tags of an IOB file.

    evalgate sees gold and predictions as `gold import conll` reads them, seqeval sees the tags themselves.
    """
    sentences = [
        [line.split("\t") for line in block.split("\n")]
        for block in source.read_text(encoding="utf-8").strip("\n").split("\n\n")
    ]
    true = [[tag for _, tag in sentence] for sentence in sentences]
    guess = [_perturbed_tags(tags, rng) for tags in true]
    blocks = (
        "\n".join(f"{token}\t{tag}" for (token, _), tag in zip(sentence, tags, strict=True))
        for sentence, tags in zip(sentences, guess, strict=True)
    )
    predicted = folder / "predicted.tsv"
    predicted.write_text("\n\n".join(blocks), encoding="utf-8")
    options = Options(columns=Columns(text={"text": "text"}), unit="sentence")
    import_gold("conll", source, folder / "gold.jsonl", options, force=True)
    report = import_gold("conll", predicted, folder / "guess.jsonl", options, force=True)
    assert report.rows.left == 0
    assert any(fault.kind == "inside_first" for fault in report.faults)
    wanted, guessed = (
        [item["expected"] for item in _items(folder / name)]
        for name in ("gold.jsonl", "guess.jsonl")
    )
    metrics = seqeval.metrics
    independent = (metrics.precision_score, metrics.recall_score, metrics.f1_score)
    return ours(wanted, guessed), tuple(metric(true, guess) for metric in independent)


def _items(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _perturbed_tags(tags, rng):
    """Errors of a tagger: tokens dropped from, added to and moved between entities, also against the scheme."""
    out = []
    for tag in tags:
        what = rng.random()
        if what < 0.03:
            out.append("O")
        elif what < 0.06:
            out.append(rng.choice(("B-", "I-")) + rng.choice(("Chemical", "Disease")))
        elif what < 0.08 and tag != "O":
            out.append("I" + tag[1:])
        else:
            out.append(tag)
    return out
