"""Invented public data: the six sources' files with a few rows each, for tests of the command.

Every text to check holds GOOD where people said "met" and BAD where they said "not_met", so that a scripted judge can be
as right as a test wants it.
"""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

ROWS = 12
TEXT = re.compile(r"# The text to check\n\n`+\n(.*?)\n`+\n\n# The statement", re.DOTALL)


def public_data(root: Path) -> Path:
    """Writes the six folders below `root`, every second row GOOD, and returns `root`."""
    good = [n % 2 == 0 for n in range(ROWS)]
    word = ["GOOD" if g else "BAD" for g in good]
    write_csv(
        root / "k-qa" / "NLI_medical_annotator.csv",
        [
            {"": n, "Question": f"secret question {n // 2}", "answer": f"secret answer {n} {word[n]}",
             "claim": "secret claim", "category_x": "Must_have", "label_0": label, "label_1": label,
             "label_2": "Neutral" if n < 4 else label}
            for n in range(ROWS)
            for label in ["Entailment" if good[n] else "Contradiction"]
        ],
    )  # fmt: skip
    write_csv(
        root / "mts-dialog" / "MTS-Dialog-Automatic-Summaries-ValidationSet.csv",
        [
            {"ID": n, "Dialogue": "secret talk", "Reference Summary": "secret note",
             "Automatic Summary": f"secret summary {n} {word[n]}"}
            for n in range(ROWS)
        ],
    )  # fmt: skip
    write_csv(
        root / "mts-dialog" / "MTS-Dialog-Manual-Scores4CorrelationStudy.csv",
        [
            {"FactualPrecision": 0.5 if g else 1, "FactualRecall": 1 if g else 0, "HallucinationRate": 0}
            for g in good
        ],
    )  # fmt: skip
    write_csv(
        root / "medec-ms" / "MEDEC-MS-ValidationSet-with-GroundTruth-and-ErrorType.csv",
        [
            {"Text ID": f"ms-{n}", "Text": f"secret vignette {n} {word[n]}", "Sentences": f"0 secret {n}",
             "Error Flag": int(good[n]), "Error Type": "diagnosis"}
            for n in range(ROWS)
        ],
    )  # fmt: skip
    claims = [
        {"claim_string": f"secret claim {n} {word[n]}", "support": "Complete" if good[n] else "Partial",
         "evidence": ["[1] https://example.org\n\nsecret passage"]}
        for n in range(ROWS)
    ]  # fmt: skip
    record = {
        "question": "secret",
        "metadata": {"field": "Psychology"},
        "answers": {"x": {"claims": claims}},
    }
    write(root / "expertqa-health" / "expertqa_health_slice.jsonl", json.dumps(record) + "\n")
    pairs = [
        {"input": f"secret task {n}", "label": 1 if good[n] else 2,
         "output_1": f"secret {word[n]}", "output_2": f"secret, and longer {word[n - 1]}"}
        for n in range(ROWS)
    ]  # fmt: skip
    for name in ("Natural", "Adversarial_Manual"):
        write(root / "llmbar" / f"LLMBar_{name}.json", json.dumps(pairs))
    write_csv(
        root / "xstest" / "xstest_v2_completions_mistralinstruct.csv",
        [
            {"id": f"v2-{n}", "type": "any", "prompt": "secret prompt", "completion": f"secret {n} {word[n]}",
             "annotation_1": label, "annotation_2": label, "final_label": label}
            for n in range(ROWS)
            for label in ["2_full_refusal" if good[n] else "1_full_compliance"]
        ],
    )  # fmt: skip
    return root


def write(path: Path, text: str) -> None:
    """Writes `text`, making the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    """Writes rows with a header, as the sources do."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8-sig", newline="") as lines:
        writer = csv.DictWriter(lines, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def people_say(messages: list[dict[str, str]]) -> str:
    """What people said of the text in a judge's question."""
    found = TEXT.search(messages[-1]["content"])
    assert found is not None
    return "met" if "GOOD" in found[1] else "not_met"


def verdict(answer: str) -> str:
    """A judge's reply with this answer; every text holds the quote."""
    return json.dumps({"quote": "secret", "reason": "It says so.", "answer": answer})
