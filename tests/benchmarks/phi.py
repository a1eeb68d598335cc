"""What the PHI scanner finds, misses and raises wrongly, on its own canaries and on public data that nobody here wrote.

    python tests/benchmarks/phi.py [--data DIR] [--presidio]

DIR (default: $EVALGATE_PUBLIC_DATA) holds the folders of the public data; what is absent is left out and said. Prints tables
for docs/phi.md; writes nothing. No text of the data is printed.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from evalgate.corpus.phi import Scanner
from evalgate.corpus.phi.finding import Finding
from evalgate.corpus.phi.planted import List, plant, types
from evalgate.corpus.phi.proof import prove
from evalgate.stats import cp_lower, cp_upper, worst_atom_lower

SAME = {
    "PERSON": {"NAME"},
    "STREET_ADDRESS": {"ADDRESS", "ZIP"},
    "CREDIT_CARD": {"ACCOUNT"},
    "PHONE_NUMBER": {"PHONE", "FAX"},
    "EMAIL_ADDRESS": {"EMAIL"},
    "ZIP_CODE": {"ZIP", "ADDRESS"},
    "DOMAIN_NAME": {"URL"},
    "US_SSN": {"SSN"},
    "IBAN_CODE": {"ACCOUNT"},
    "US_DRIVER_LICENSE": {"OTHER_ID"},
    "DATE_TIME": {"DATE", "DATE_OF_BIRTH"},
}
"""What the types of presidio-research are here. Its places, organisations, ages, titles and nationalities are not looked for."""


def share(found: list[Finding], start: int, end: int, kinds: set[str] | None = None) -> float:
    """The part of text[start:end] that findings (of `kinds`) cover."""
    covered = {
        i
        for f in found
        if kinds is None or f.type in kinds
        for i in range(max(f.start, start), min(f.end, end))
    }
    return len(covered) / max(1, end - start)


def canaries(scanner: Scanner) -> None:
    print("\n## Held canaries (the proof)\n")
    print(*prove(scanner).lines(), sep="\n")
    print("\n## Findings of any kind on each list, 100 canaries a type, plain\n")
    for which in get_args(List):
        met = [
            share(scanner.scan(c.text), c.start, c.end) >= 0.5
            for type_ in types()
            for c in plant(which, type_, "plain", 100, seed=7)
        ]
        print(f"{which:8} {sum(met)}/{len(met)}")


def by_template(scanner: Scanner, path: Path) -> None:
    rows = json.loads(path.read_text())
    hit: dict[str, dict[int, list[bool]]] = defaultdict(lambda: defaultdict(list))
    right: dict[int, list[bool]] = defaultdict(list)
    wrong_types: Counter[str] = Counter()
    for row in rows:
        found = scanner.scan(row["full_text"])
        for span in row["spans"]:
            kinds = SAME.get(span["entity_type"])
            if kinds:
                met = share(found, span["start_position"], span["end_position"], kinds) >= 0.5
                hit[span["entity_type"]][row["template_id"]].append(met)
        for f in found:
            true = any(
                s["start_position"] < f.end and f.start < s["end_position"] for s in row["spans"]
            )
            right[row["template_id"]].append(true)
            wrong_types[f.type] += not true
    print(f"\n## presidio-synth-pii: {len(rows)} sentences; a template is one unit\n")
    print(
        "type                 spans found       templates  mean of templates (at least)  all found (at least)"
    )
    for type_, templates in sorted(hit.items(), key=lambda kv: -len(kv[1])):
        spans = [m for ms in templates.values() for m in ms]
        print(f"{type_:20} {sum(spans):4}/{len(spans):4}  {_units(templates)}")
    everything: dict[int, list[bool]] = defaultdict(list)
    for templates in hit.values():
        for template, ms in templates.items():
            everything[template] += ms
    spans = [m for ms in everything.values() for m in ms]
    print(f"{'all of these':20} {sum(spans):4}/{len(spans):4}  {_units(everything)}")
    claims = [m for ms in right.values() for m in ms]
    print(f"{'precision':20} {sum(claims):4}/{len(claims):4}  {_units(right)}")
    print("wrong by type:", dict(wrong_types.most_common()))


def _units(units: dict[int, list[bool]]) -> str:
    means = [sum(ms) / len(ms) for ms in units.values()]
    full = sum(mean == 1.0 for mean in means)
    mean = sum(means) / len(means)
    return (
        f"{sum(map(len, units.values())):6} in {len(means):3}  {mean:.3f} ({worst_atom_lower(means):.3f})"
        f"{'':12}{full}/{len(means)} ({cp_lower(full, len(means)):.3f})"
    )


SENTENCES = {
    "name": ("Patient: {x}", "I spoke with {x} today.", "{x} was seen in clinic.", "Dear {x},\n", "The claim of {x} is open.", "Per chart, {x} lives alone."),
    "name as written": ("Patient: {x}", "I spoke with {x} today.", "{x} was seen in clinic.", "Dear {x},\n", "The claim of {x} is open.", "Per chart, {x} lives alone."),
    "ssn": ("SSN {x}", "Her number is {x}.", "social security: {x}"),
    "address": ("Lives at {x}.", "Address: {x}", "The letter went to {x} again."),
    "address, town, state": ("Lives at {x}.", "Address: {x}", "The letter went to {x} again."),
    "birth date": ("DOB {x}", "born {x}", "The chart says {x} as date of birth."),
    "member UUID": ("Member ID {x}", "Coverage {x} ended.", "member {x}, plan year 2019"),
}  # fmt: skip


def synthea(scanner: Scanner, folder: Path) -> None:
    values: dict[str, list[str]] = defaultdict(list)
    for row in csv.DictReader((folder / "patients.csv").open()):
        name = f"{row['FIRST']} {row['LAST']}"
        values["name as written"].append(name)
        values["name"].append(re.sub(r"\d+", "", name))
        values["ssn"].append(row["SSN"])
        values["address"].append(row["ADDRESS"])
        values["address, town, state"].append(
            f"{row['ADDRESS']}, {row['CITY']}, {row['STATE']} {row['ZIP']}".strip()
        )
        values["birth date"].append(row["BIRTHDATE"])
    members = dict.fromkeys(
        row["MEMBERID"]
        for row in csv.DictReader((folder / "payer_transitions.csv").open())
        if row["MEMBERID"]
    )
    values["member UUID"] = list(members)[:200]
    kinds = {
        "name": {"NAME"}, "name as written": {"NAME"}, "ssn": {"SSN"}, "address": {"ADDRESS"}, "address, town, state": {"ADDRESS", "ZIP"},
        "birth date": {"DATE_OF_BIRTH"}, "member UUID": {"MEMBER_ID", "OTHER_ID"},
    }  # fmt: skip
    print("\n## Synthea: one person (one id) is one unit; sentences written for this\n")
    for what, sentences in SENTENCES.items():
        met = [
            [_in(scanner, sentence, value, kinds[what]) for sentence in sentences]
            for value in values[what]
        ]
        full = sum(all(ms) for ms in met)
        parts = sum(map(sum, met))
        means = [sum(ms) / len(ms) for ms in met]
        print(
            f"{what:22} {parts}/{len(met) * len(sentences)} in sentences, mean at least {worst_atom_lower(means):.3f}; "
            f"in every sentence {full}/{len(met)} (at least {cp_lower(full, len(met)):.3f})"
        )


def _in(scanner: Scanner, sentence: str, value: str, kinds: set[str]) -> bool:
    start = sentence.index("{x}")
    return (
        share(scanner.scan(sentence.replace("{x}", value)), start, start + len(value), kinds) >= 0.5
    )


def clinical(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Clinical texts by source. The first two name nobody: whatever is found there is a false alarm."""
    if (reports := sorted((folder / "maccrobat2020").glob("*.txt"))) != []:
        yield "maccrobat2020 (case reports)", [p.read_text() for p in reports]
    if (abstracts := folder / "bc5cdr-ncbi" / "BC5CDR-IOB" / "devel.tsv").is_file():
        blocks = abstracts.read_text().split("\n\n")
        lines = [" ".join(line.split("\t")[0] for line in b.splitlines() if line) for b in blocks]
        yield "bc5cdr (abstracts, tokenised)", lines
    for name, path, columns in (
        ("mts-dialog", "MTS-Dialog-TrainingSet.csv", ("section_text", "dialogue")),
        ("aci-bench", "train.csv", ("note", "dialogue")),
    ):
        if (file := folder / name / path).is_file():
            rows = list(csv.DictReader(file.open(encoding="utf-8-sig")))
            for column in columns:
                yield f"{name} {column} (has names)", [row[column] for row in rows]


def false_alarms(scanner: Scanner, folder: Path) -> None:
    print("\n## Clinical text: findings per 1,000 words\n")
    for source, texts in clinical(folder):
        kinds: Counter[str] = Counter()
        reasons: Counter[str] = Counter()
        words, clean = 0, 0
        for text in texts:
            found = scanner.scan(text)
            kinds.update(f.type for f in found)
            reasons.update(f"{f.type}: {f.reason}" for f in found)
            words += len(text.split())
            clean += not found
        total = sum(kinds.values())
        upper = cp_upper(len(texts) - clean, len(texts))
        print(
            f"{source:34} {words:7} words, {total:5} findings, {1000 * total / words:6.2f} per 1,000; "
            f"texts with any {len(texts) - clean}/{len(texts)} (at most {upper:.3f})\n    {dict(kinds.most_common())}\n"
            f"    {dict(reasons.most_common(6))}"
        )


RAW = re.compile(
    r"\d{3}[-. ]?\d{2,3}[-. ]?\d{4}|[\w.+-]+@[\w-]+\.\w+|\b(?:Mr|Mrs|Ms|Dr)\. [A-Z]\w+|\d{1,2}/\d{1,2}/\d{2,4}"
)


def speed(scanner: Scanner, folder: Path) -> None:
    texts = [text for _, texts in clinical(folder) for text in texts]
    if not texts:
        texts = [c.text for type_ in types() for c in plant("open", type_, "plain", 200)]
    words = sum(len(t.split()) for t in texts)
    ours, raw = float("inf"), float("inf")
    for _ in range(3):  # in turns, so that a busy machine slows both
        start = time.process_time()
        for text in texts:
            scanner.scan(text)
        middle = time.process_time()
        for text in texts:
            RAW.findall(text)
        ours, raw = min(ours, middle - start), min(raw, time.process_time() - middle)
    print(
        f"\n## Speed\n\n{words} words: {words / ours:,.0f} words/s of CPU; one plain regex {words / raw:,.0f}; ratio {ours / raw:.1f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=os.environ.get("EVALGATE_PUBLIC_DATA", "."))
    parser.add_argument(
        "--presidio", action="store_true", help="the built-in detectors and Presidio"
    )
    parser.add_argument("--spacy-model", default="", help="with --presidio: the package of a model")
    args = parser.parse_args()
    folder = Path(args.data)
    scanner = Scanner()
    if args.presidio:
        from evalgate.corpus.phi.presidio import Presidio

        presidio = Presidio(args.spacy_model)
        scanner = Scanner([presidio], identity=[presidio.identity])
    canaries(scanner)
    if (file := folder / "presidio-synth-pii" / "synth_dataset_v2.json").is_file():
        by_template(scanner, file)
    if (folder / "synthea-27").is_dir():
        synthea(scanner, folder / "synthea-27")
    false_alarms(scanner, folder)
    speed(scanner, folder)


if __name__ == "__main__":
    main()
