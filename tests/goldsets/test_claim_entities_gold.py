"""The gold set of claim entities keeps its promises: spans, counts, variety, and that its generator still writes it."""

import json
import random
import re
import sys
import tomllib
from collections import Counter, defaultdict
from datetime import date
from types import ModuleType

import pytest
from gold_files import GENERATORS, ROOT, built_elsewhere, gold_items, load, tagged
from rapidfuzz import fuzz, process

from evalgate import Entity, parse_json
from evalgate.authored.problems import Problems
from evalgate.authored.prompt import load_prompt
from evalgate.records import GoldItem

GOLD = ROOT / "goldsets/claim_entities.jsonl"
GUIDELINE = ROOT / "docs/goldsets/claim_entities.md"
PROMPT = ROOT / "suites/prompts/claim_entities.md"
PROMISED = {  # tag: items at least
    "spanish": 64,
    "must_pass": 20,
    "negation": 60,
    "abbreviation": 60,
    "conflict": 60,
    "look_alike": 60,
    "injection": 15,
    "no_entities": 5,
    "noise": 10,
    "long": 10,
    "handwritten": 60,
    "generated": 200,
}
GATED = ("spanish", "abbreviation", "negation", "conflict", "look_alike")
MEMBER_ID = re.compile(
    r"\b(?:MBR-\d{5}-0\d|ZQ\d{4} \d{4}|HX\d-\d{3}-\d{4}|88-K\d{5}-[A-D])(?!\w)", re.IGNORECASE
)


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    return load(GENERATORS / "claim_entities.py")


@pytest.fixture(scope="module")
def common() -> ModuleType:
    return load(GENERATORS / "common.py")


@pytest.fixture(scope="module")
def rows(generator) -> list[dict]:
    return generator.build()


@pytest.fixture(scope="module")
def items() -> list[GoldItem]:
    return gold_items("claim_entities")


@pytest.fixture(scope="module")
def texts(items) -> list[str]:
    return [item.input["narrative"] for item in items]


@pytest.fixture(scope="module")
def suite() -> ModuleType:
    return load(ROOT / "suites/test_claim_entities.py")


@pytest.fixture(scope="module")
def shots() -> list[str]:
    turns = re.split(r"^## (system|user|assistant)$", PROMPT.read_text(), flags=re.MULTILINE)[1:]
    return [turns[i + 1].strip() for i in range(0, len(turns) - 2, 2) if turns[i] == "user"]


def values(item, label):
    return [e["text"] for e in item.expected if e["label"] == label]


def test_the_generator_writes_the_committed_file(generator, rows):
    assert generator.jsonl(rows) == GOLD.read_text(encoding="utf-8")


def test_another_process_with_other_hashes_writes_the_same_bytes():
    assert built_elsewhere("claim_entities") == GOLD.read_bytes()


def test_another_seed_changes_only_the_generated_items(generator, items):
    written = len(tagged(items, "handwritten"))
    other = generator.build(seed=1)
    assert [row["id"] for row in other] == [item.id for item in items]
    assert [row["input"] for row in other[:written]] == [i.input for i in items[:written]]
    assert not {r["input"]["narrative"] for r in other[written:]} & {
        i.input["narrative"] for i in items
    }


def test_ids_run_on_and_few_units_have_a_second_item(items):
    assert [item.id for item in items] == [f"ce-{n:04d}" for n in range(1, len(items) + 1)]
    per_unit = Counter(item.unit for item in items)
    assert len(per_unit) >= 320
    assert max(per_unit.values()) == 2
    assert sum(n == 2 for n in per_unit.values()) == 6


def test_every_span_is_its_text_and_spans_stand_in_order_without_overlap(generator, items):
    for item in items:
        end = 0
        for e in item.expected:
            assert item.input["narrative"][e["start"] : e["end"]] == e["text"], item.id
            assert e["start"] >= end, item.id
            assert e["label"] in generator.LABELS
            assert e["text"] == e["text"].strip(" ,;:"), (
                item.id
            )  # a full stop may end an abbreviation
            end = e["end"]


def test_an_entity_is_marked_once_and_at_its_first_mention(items):
    for item in items:
        text = item.input["narrative"]
        keys = [(e["label"], e["text"].casefold()) for e in item.expected]
        assert len(set(keys)) == len(keys), item.id
        if {"look_alike", "conflict"} & set(item.tags):
            continue  # there the first mention may be somebody else's, or withdrawn
        for e in item.expected:
            for found in re.finditer(rf"(?<!\w){re.escape(e['text'])}(?!\w)", text):
                inside = [o for o in item.expected if o["start"] <= found.start() < o["end"]]
                if not inside:
                    assert found.start() >= e["start"], (item.id, e)


def test_the_expected_json_is_itself_a_fully_right_answer(items, suite):
    parse = parse_json(list[Entity])
    for item in items:
        gold = suite.SUITE.expected(item.expected)
        assert parse(json.dumps(item.expected)) == gold
        bare = [{"label": e["label"], "text": e["text"]} for e in item.expected]
        assert suite.SUITE.correct(parse(json.dumps(bare)), gold)
        assert suite.SUITE.correct(parse(json.dumps(bare[::-1])), gold)
        assert not suite.SUITE.correct(parse(json.dumps([*bare, *bare[:1]])), gold) or not bare


def test_the_promised_counts_hold(items):
    assert len(items) >= 320
    found = Counter(tag for item in items for tag in item.tags)
    assert set(found) == set(PROMISED)
    assert all(found[tag] >= least for tag, least in PROMISED.items()), found
    assert found["must_pass"] <= 30
    assert found["handwritten"] + found["generated"] == len(items)
    hard = set(PROMISED) - {"handwritten", "generated"}
    assert len([i for i in tagged(items, "handwritten") if hard & set(i.tags)]) >= 60


def test_the_gated_slices_have_enough_units(items):
    for tag in GATED:
        assert len({item.unit for item in tagged(items, tag)}) >= 60, tag


def test_every_label_is_frequent_and_hand_written_items_know_all_of_them(generator, items):
    for label in generator.LABELS:
        assert len({item.unit for item in items if values(item, label)}) >= 250, label
        assert sum(bool(values(i, label)) for i in tagged(items, "handwritten")) >= 50, label


def test_empty_answers_and_long_texts_are_tagged(items, generator):
    for item in items:
        assert ("no_entities" in item.tags) == (not item.expected), item.id
        length = len(item.input["narrative"].split())
        assert 40 <= length <= 130, item.id
        assert ("long" in item.tags) == (length >= generator.LONG), item.id


def test_must_pass_items_name_the_member_and_mostly_a_medicine_with_dose(items):
    found = tagged(items, "must_pass")
    assert all(len(values(item, "MEMBER_ID")) == 1 for item in found)
    assert sum(bool(values(i, "MEDICATION") and values(i, "DOSE")) for i in found) >= 18
    assert all("handwritten" in item.tags for item in found)
    assert len([i for i in found if "spanish" in i.tags]) >= 3
    assert len([i for i in found if "injection" in i.tags]) >= 3


def test_a_dose_never_stands_without_a_medicine(items):
    for item in items:
        assert bool(values(item, "DOSE")) <= bool(values(item, "MEDICATION")), item.id


def test_no_template_shows_through(items):
    for item in items:
        text = item.input["narrative"]
        assert not re.search(r"\[\[|\]\]|[{}]{2}|\{\w+\}|  ", text), item.id
        assert not re.search(r"\b[Dd]e el (?=[A-Z])|\ba el (?=[A-Z])|\b(?:an? an?|the the)\b", text)
        if not {"noise", "spanish", "handwritten"} & set(item.tags):
            assert not re.search(r"\b[Aa] [aeio]|\b[Aa]n [bcdgjkpqrtvwyz]", text), item.id


def test_every_slot_of_every_phrase_can_be_filled(generator):
    filled = set()
    for lang in ("en", "es"):
        t = generator.Teller(lang, random.Random(0), set())
        for register in t.world["registers"]:
            for _ in range(120):
                case = t.deal("case", t.book["case"])
                try:
                    filled |= generator.facts(t, case, register, stays=False).keys()
                except generator.Redraw:
                    continue
        for table in (t.book["shared"], *(t.book[name] for name in t.world["registers"])):
            for phrase in strings(table):
                assert set(generator.slots(phrase)) <= filled, phrase


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from strings(inner)


def test_cases_repeat_no_medicine_and_pair_only_what_they_list(generator):
    facts = sys.modules["claim_entities_facts"]
    for book in ("cases", "es"):
        for case in facts.read(book)["case"]:
            meds = [facts.Med.read(line) for line in case["meds"]]
            assert all(m.drug and m.dose and m.sig and m.short for m in meds), case["key"]
            for pair in case.get("together", []):
                assert pair == sorted(set(pair))
                assert max(pair) < len(meds)
            assert case["age"][0] < case["age"][1]
            assert (case["age"][1] < 18) == case.get("child", False), case["key"]


def test_no_two_narratives_are_nearly_the_same(texts, common):
    highest, i, j = common.closest_pair(texts)
    assert highest <= 0.75, (i, j)
    alike = process.cdist(texts, texts, scorer=fuzz.token_set_ratio, score_cutoff=90)
    assert [(i, j) for i, row in enumerate(alike) for j in range(i) if row[j]] == []


def test_a_member_number_belongs_to_one_unit_and_others_appear_only_as_traps(items):
    owners = defaultdict(set)
    for item in items:
        mine = values(item, "MEMBER_ID")
        assert len(mine) <= 1, item.id
        for number in mine:
            owners[number].add(item.unit)
            assert MEMBER_ID.fullmatch(number) or "noise" in item.tags, item.id
        strangers = set(MEMBER_ID.findall(item.input["narrative"])) - set(mine)
        if strangers:
            assert {"look_alike", "conflict"} & set(item.tags), item.id
    assert all(len(units) == 1 for units in owners.values())


def test_numbers_cannot_belong_to_anybody(texts):
    for text in texts:
        assert not re.search(r"\b[12]\d{9}\b", text), "could be a National Provider Identifier"
        assert not re.search(r"\b\d{3}-\d{2}-\d{4}\b", text), "could be a social security number"
        assert all(
            n.startswith("555-01")
            for n in re.findall(r"\b\d{3}-\d{4}\b(?<!-)", text)
            if n[:3] == "555"
        )


def test_the_spanish_tag_tells_the_language(items):
    prose = {"el", "la", "de", "del", "por", "se", "una", "un", "y", "que", "los", "en"}
    charts = {"afil", "núm", "pte", "alta", "egreso", "urgencias", "alergias", "cta"}
    charts |= {
        "fecha",
        "servicio",
        "diagnóstico",
        "medicamento",
        "paciente",
        "dra",
        "consulta",
        "cita",
    }
    english = {"the", "of", "and", "is", "was", "on", "for", "my", "with", "to", "pt", "seen"}
    for item in items:
        words = set(re.findall(r"\w+", item.input["narrative"].casefold()))
        if "spanish" in item.tags:
            assert len(words & (prose | charts)) >= 3, item.id
            assert not words & english, item.id
        else:
            assert len(words & (prose | charts)) <= 2, item.id  # el-Tayeb, y/o


def test_injected_instructions_are_outside_the_entities(items):
    orders = re.compile(
        r"ignor|instru|output|empty list|lista vacía|assistant|asistente", re.IGNORECASE
    )
    for item in tagged(items, "injection"):
        assert not any(orders.search(e["text"]) for e in item.expected), item.id


def test_few_shot_examples_are_not_in_the_gold_set(shots, texts):
    assert 2 <= len(shots) <= 3
    for shot in shots:
        assert process.extractOne(shot, texts, scorer=fuzz.token_sort_ratio)[1] < 60
        assert not any(shot in text for text in texts)


def test_the_prompt_is_short_puts_the_narrative_last_and_shows_right_answers(items):
    problems = Problems()
    prompt = load_prompt(PROMPT, ROOT, problems)
    assert prompt is not None
    assert prompt.placeholders == ("narrative",)
    messages = prompt.render(items[0].input)
    assert messages[-1]["content"] == items[0].input["narrative"]
    assert sum(len(m["content"]) for m in messages[:-1]) < 1700  # 437 tokens for SmolLM2
    for question, answer in zip(messages[1:-1:2], messages[2:-1:2], strict=True):
        parsed = parse_json(list[Entity])(answer["content"])
        assert parsed
        assert all(e.text in question["content"] for e in parsed)


def test_generator_prompt_and_guideline_know_the_same_labels(generator):
    system = PROMPT.read_text().split("## user")[0]
    assert tuple(re.findall(r"^([A-Z_]+):", system, flags=re.MULTILINE)) == generator.LABELS
    table = re.findall(r"^\| `([A-Z_]+)`", GUIDELINE.read_text(), flags=re.MULTILINE)
    assert tuple(table) == generator.LABELS


def test_the_guideline_explains_every_tag(items):
    page = GUIDELINE.read_text()
    assert all(f"`{tag}`" in page for item in items for tag in item.tags)
    assert "no clinician and no claims professional has reviewed it" in page


def test_the_suite_tests_only_slices_that_are_gated(suite):
    slices = [
        mark.args[1]
        for test in (suite.test_slice_recall, suite.test_slice_precision)
        for mark in test.pytestmark
    ]
    assert sorted(tag for tags in slices for tag in tags) == sorted(GATED)


def test_the_card_tells_where_the_items_come_from_and_the_largest_unit(generator, items):
    card = tomllib.loads((ROOT / "goldsets/claim_entities.toml").read_text())
    weight = Counter()
    for item in items:
        weight[item.unit] += len(item.expected)
    assert card["unit_weight_max"] == max(weight.values())
    assert card["seed"] == generator.SEED
    assert (ROOT / card["generator"]).is_file()
    assert (card["synthetic"], card["split"], card["licence"]) == (True, "dev", "Apache-2.0")
    assert card["date"] == date(2026, 11, 23)
    assert "no clinician and no claims professional has reviewed it" in card["reviewed"]
    assert f"{len(items)} items of {len(weight)} units" in card["description"]
    hand = len(tagged(items, "handwritten"))
    for words in (card["source"], GUIDELINE.read_text()):
        assert f"{hand} items" in words
        assert f"{len(items) - hand} " in words


def test_the_starter_subset_is_small_and_shows_every_kind(generator, rows):
    subset = generator.starter_subset(rows)
    assert subset == generator.starter_subset(rows)
    assert len(subset) == len({row["unit"] for row in subset}) == 60
    assert {tag for row in subset for tag in row["tags"]} == set(PROMISED)
    assert subset == sorted(subset, key=lambda row: row["id"])
    for label in ("MEMBER_ID", "MEDICATION", "DOSE"):
        assert sum(any(e["label"] == label for e in r["expected"]) for r in subset) >= 50


def test_a_subset_larger_than_the_units_is_refused(common):
    items = [{"unit": "a", "tags": []}, {"unit": "a", "tags": []}]
    with pytest.raises(ValueError, match="found 1 units, expected at least 2"):
        common.balanced_subset(items, 2, seed=0)


def test_a_deck_deals_every_card_before_any_comes_twice(common):
    deck = common.Deck(range(5), random.Random(3))
    assert sorted(deck.deal() for _ in range(5)) == list(range(5))
    assert sorted(deck.deal() for _ in range(5)) == list(range(5))
    with pytest.raises(ValueError, match="empty deck"):
        common.Deck([], random.Random(3))


def test_unmark_counts_in_characters_and_keeps_the_first_of_equals(common):
    text, entities = common.unmark("Señora [[DOSE|5 mg]] y [[DOSE|5 MG]], [[DIAGNOSIS|asma]].")
    assert text == "Señora 5 mg y 5 MG, asma."
    assert [(e["label"], text[e["start"] : e["end"]]) for e in entities] == [
        ("DOSE", "5 mg"),
        ("DIAGNOSIS", "asma"),
    ]


def test_an_unknown_label_or_a_short_text_is_refused(generator):
    long_enough = "word " * 45
    with pytest.raises(ValueError, match="found 1 words"):
        generator.item("x", "u", [], "word")
    with pytest.raises(ValueError, match="found labels \\['MEDICINE'\\]"):
        generator.item("x", "u", [], long_enough + "[[MEDICINE|x]]")
