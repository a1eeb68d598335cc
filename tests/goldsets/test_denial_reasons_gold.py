"""The gold set of denial reasons keeps its promises: counts, labels, variety, and that its generator still writes it."""

import re
import tomllib
from collections import Counter
from datetime import date
from types import ModuleType

import pytest
from gold_files import GENERATORS, ROOT, gold_items, load, tagged
from rapidfuzz import fuzz, process

from evalgate import parse_label
from evalgate.records import GoldItem

GOLD = ROOT / "goldsets/denial_reasons.jsonl"
PROMPT = ROOT / "suites/prompts/denial_reasons.md"
TAGS = {
    "abbreviation",
    "conflict",
    "generated",
    "handwritten",
    "injection",
    "look_alike",
    "multi_reason",
    "must_pass",
    "negation",
    "spanish",
}
HARD = TAGS - {"generated", "handwritten", "must_pass"}


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    return load(GENERATORS / "denial_reasons.py")


@pytest.fixture(scope="module")
def rows(generator) -> list[dict]:
    return generator.build()


@pytest.fixture(scope="module")
def items() -> list[GoldItem]:
    return gold_items("denial_reasons")


@pytest.fixture(scope="module")
def texts(items) -> list[str]:
    return [item.input["text"] for item in items]


@pytest.fixture(scope="module")
def shots() -> list[str]:
    turns = re.split(r"^## (system|user|assistant)$", PROMPT.read_text(), flags=re.MULTILINE)[1:]
    return [turns[i + 1].strip() for i in range(0, len(turns) - 2, 2) if turns[i] == "user"]


def test_the_generator_writes_the_committed_file(generator, rows):
    assert generator.jsonl(rows) == GOLD.read_text(encoding="utf-8")


def test_another_seed_changes_only_the_generated_items(generator, items):
    written = len(tagged(items, "handwritten"))
    other = generator.build(seed=1)
    assert [row["id"] for row in other] == [item.id for item in items]
    assert [row["input"] for row in other[:written]] == [i.input for i in items[:written]]
    assert not {r["input"]["text"] for r in other[written:]} & {i.input["text"] for i in items}


def test_ids_run_on_and_every_item_is_its_own_unit(items):
    assert [item.id for item in items] == [f"dr-{n:04d}" for n in range(1, len(items) + 1)]
    assert len({item.unit for item in items}) == len(items)


def test_the_bare_label_is_what_the_parser_accepts(generator, items):
    parse = parse_label(generator.CLASSES)
    assert all(parse(item.expected) == item.expected for item in items)
    assert set(generator.CLASSES) == {item.expected for item in items}


def test_the_promised_counts_hold(items):
    assert len(items) >= 420
    assert min(Counter(item.expected for item in items).values()) >= 64
    assert len(tagged(items, "injection")) >= 15
    assert len([i for i in tagged(items, "handwritten") if "must_pass" not in i.tags]) >= 70
    for tag, total, each in (("spanish", 64, 10), ("must_pass", 20, 3)):
        found = Counter(item.expected for item in tagged(items, tag))
        assert sum(found.values()) >= total
        assert len(found) == 6
        assert min(found.values()) >= each


def test_every_hard_tag_occurs_in_every_class(items):
    assert {tag for item in items for tag in item.tags} == TAGS
    for tag in HARD:
        assert len({item.expected for item in tagged(items, tag)}) == 6, tag


def test_every_item_has_one_origin_and_must_pass_items_are_plain(items):
    assert all(len({"generated", "handwritten"} & set(item.tags)) == 1 for item in items)
    for item in tagged(items, "must_pass"):
        assert set(item.tags) <= {"must_pass", "handwritten", "spanish"}


def test_texts_are_40_to_120_words_and_fully_filled_in(texts):
    for text in texts:
        assert 40 <= len(text.split()) <= 120
        assert not re.search(r"[{}\ue000-\uf8ff]|  |\bthe the\b|\b[Dd]e el\b|\ba el\b", text)


def test_no_two_texts_are_nearly_the_same(texts):
    alike = process.cdist(texts, texts, scorer=fuzz.token_sort_ratio, score_cutoff=90)
    pairs = [(i, j) for i, row in enumerate(alike) for j in range(i) if row[j]]
    assert pairs == []


def test_claim_and_member_numbers_belong_to_one_item(texts):
    owners = Counter(n for text in texts for n in set(re.findall(r"\b[CM]-\d{5,}\b", text)))
    assert [number for number, count in owners.items() if count > 1] == []


def test_labels_are_named_in_a_text_only_to_mislead(generator, items):
    for item in items:
        named = {label for label in generator.CLASSES if label in item.input["text"]}
        assert bool(named) == ("injection" in item.tags), item.id
        assert item.expected not in named, item.id


def test_the_spanish_tag_tells_the_language(items):
    for item in items:
        spanish = len(
            re.findall(r"\b(?:el|la|que|del|los|se|por|una?)\b", item.input["text"], re.IGNORECASE)
        )
        assert (spanish > 4) == ("spanish" in item.tags), item.id


def test_few_shot_examples_are_not_in_the_gold_set(shots, texts):
    assert 2 <= len(shots) <= 3
    for shot in shots:
        assert process.extractOne(shot, texts, scorer=fuzz.token_sort_ratio)[1] < 60


def test_the_prompt_and_the_suite_know_the_same_classes(generator):
    suite = load(ROOT / "suites/test_denial_reasons.py")
    assert set(suite.CLASSES) == set(generator.CLASSES)
    system = PROMPT.read_text().split("## user")[0]
    assert re.findall(r"^([A-Z_]+):", system, flags=re.MULTILINE) == suite.CLASSES
    guideline = (ROOT / "docs/goldsets/denial_reasons.md").read_text()
    assert re.findall(r"^\| `([A-Z_]+)`", guideline, flags=re.MULTILINE) == suite.CLASSES


def test_every_handwritten_item_says_why(generator):
    for row in generator.read_jsonl(generator.HANDWRITTEN):
        assert set(row) == {"input", "expected", "tags", "why"}
        assert len(row["why"].split()) >= 4


def test_words_alone_do_not_give_the_class_away(items):
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline

    made = tagged(items, "generated")
    model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression(C=3.0))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    texts, labels = [i.input["text"] for i in made], [i.expected for i in made]
    assert cross_val_score(model, texts, labels, cv=folds).mean() < 0.5


def test_the_starter_subset_is_balanced_and_shows_every_kind(generator, rows):
    subset = generator.starter_subset(rows)
    assert subset == generator.starter_subset(rows)
    assert len(subset) == 60
    assert set(Counter(row["expected"] for row in subset).values()) == {10}
    assert {tag for row in subset for tag in row["tags"]} == TAGS
    assert len({r["expected"] for r in subset if "must_pass" in r["tags"]}) == 6
    assert subset == sorted(subset, key=lambda row: row["id"])


def test_a_starter_subset_that_cannot_be_balanced_is_refused(generator, rows):
    with pytest.raises(ValueError, match="multiple of 6"):
        generator.starter_subset(rows, n=61)


def test_the_card_tells_where_the_items_come_from(generator):
    card = tomllib.loads((ROOT / "goldsets/denial_reasons.toml").read_text())
    assert card["seed"] == generator.SEED
    assert (ROOT / card["generator"]).is_file()
    assert card["synthetic"] is True
    assert card["split"] == "dev"
    assert card["licence"] == "Apache-2.0"
    assert card["date"] == date(2026, 11, 23)
    assert "no clinician and no claims professional has reviewed it" in card["reviewed"]
