"""The gold set of history summaries keeps its promises: references are right, planted errors are caught, traps are there."""

import re
import tomllib
from collections import Counter
from datetime import date, datetime
from pathlib import Path
from types import ModuleType

import msgspec
import pytest
from gold_files import GENERATORS, ROOT, answer, gold_items, load, tagged
from rapidfuzz import fuzz, process

from evalgate import text
from evalgate.records import GoldItem

GOLD = ROOT / "goldsets/history_summary.jsonl"
PROMPT = ROOT / "suites/prompts/history_summary.md"
TRAPS = {
    *("superseded", "restarted", "anticoagulant", "allergy_conflict", "ruled_out", "family"),
    *("copied_forward", "look_alike", "trend", "pending"),
}
TAGS = TRAPS | {
    *("abbreviation", "generated", "handwritten", "injection", "judged", "legitimate"),
    *("long", "long_context", "must_pass", "must_refuse", "sensitive", "spanish"),
}


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    return load(GENERATORS / "history_summary.py")


@pytest.fixture(scope="module")
def suite() -> ModuleType:
    return load(ROOT / "suites/test_history_summary.py")


@pytest.fixture(scope="module")
def rows(generator) -> list[dict]:
    return generator.build()


@pytest.fixture(scope="module")
def items() -> list[GoldItem]:
    return gold_items("history_summary")


@pytest.fixture(scope="module")
def legitimate(items) -> list[GoldItem]:
    return tagged(items, "legitimate")


def reference(item: GoldItem) -> str:
    return item.expected["reference"]


def invented(suite, item, reply) -> set[str]:
    """The kinds of invention that the suite sees in a reply."""
    kinds = ("number", "date", "name")
    return {kind for kind in kinds if suite.invents(kind)(answer(item, reply))}


# What the set is made of


def test_the_generator_writes_the_committed_file(generator, rows):
    assert generator.jsonl(rows) == GOLD.read_text(encoding="utf-8")


def test_another_seed_changes_only_the_generated_items(generator, items):
    written = len(tagged(items, "handwritten"))
    generator.LENGTHS = {(250, 600): 3}
    try:
        other = generator.build(seed=1)
    finally:
        generator.LENGTHS = load(Path(generator.__file__)).LENGTHS
    assert [row["input"] for row in other[:written]] == [i.input for i in items[:written]]
    assert not {r["input"]["history"] for r in other[written:]} & {
        i.input["history"] for i in items
    }


def test_ids_run_on_and_every_item_is_its_own_unit(items):
    assert [item.id for item in items] == [f"hs-{n:04d}" for n in range(1, len(items) + 1)]
    assert len({item.unit for item in items}) == len(items)


def test_the_promised_counts_hold(items, legitimate):
    counts = Counter(tag for item in items for tag in item.tags)
    assert set(counts) == TAGS
    assert counts["legitimate"] >= 150
    assert counts["must_refuse"] >= 20
    assert counts["legitimate"] + counts["must_refuse"] == len(items)
    assert counts["handwritten"] >= 30
    assert 10 <= counts["must_pass"] <= 15
    assert counts["spanish"] >= 20
    assert counts["sensitive"] >= 20
    assert min(counts[trap] for trap in TRAPS) >= 15
    for item in legitimate:
        assert 6 <= len(item.expected["facts"]) <= 12, item.id
        assert item.expected["critical"], item.id
        assert item.expected["must_not"], item.id
        assert all(fact in item.expected["facts"] for fact in item.expected["critical"]), item.id


def test_records_are_short_long_and_very_long(legitimate):
    lengths = [len(item.input["history"].split()) for item in legitimate]
    assert sum(100 <= n < 600 for n in lengths) >= 90
    assert sum(600 <= n < 1200 for n in lengths) >= 35
    assert sum(1200 <= n < 2500 for n in lengths) >= 10
    assert sum(4100 <= n <= 4400 for n in lengths) >= 4
    for item in legitimate:
        length = len(item.input["history"].split())
        assert (length >= 4000) == ("long_context" in item.tags), item.id


def test_no_two_records_are_nearly_the_same(items):
    texts = [item.input["history"] for item in items]
    alike = process.cdist(texts, texts, scorer=fuzz.token_sort_ratio, score_cutoff=80, workers=2)
    assert [(i, j) for i, row in enumerate(alike) for j in range(i) if row[j]] == []


def test_no_template_shows_through(items):
    for item in items:
        for part in (item.input["history"], item.input["request"], reference(item)):
            assert not re.search(r"[{}\[\]]|\.\.|  | [,.;]|\b(\w{3,}) \1\b", part), item.id


def test_generated_records_run_forward_in_time_and_ages_are_right(items):
    forms = {
        r"\d{4}-\d\d-\d\d": "%Y-%m-%d",
        r"\d\d/\d\d/\d{4}": "%m/%d/%Y",
        r"[A-Z][a-z]+ \d{1,2}, \d{4}": "%B %d, %Y",
    }
    head = re.compile(r"^(?:=== |> |Date: )?(" + "|".join(forms) + r")(?=\n| \||\. | [a-z])")

    def day(found: str) -> date:
        form = next(f for pattern, f in forms.items() if re.fullmatch(pattern, found))
        return datetime.strptime(found, form).date()  # noqa: DTZ007

    for item in tagged(items, "generated"):
        top, *notes = item.input["history"].split("\n\n")
        days = [day(head.match(note)[1]) for note in notes]
        assert days == sorted(days), item.id
        assert all(d.weekday() < 5 for d in days), item.id
        born = day(re.search(r"(?:born|birth:) (" + "|".join(forms) + ")", top)[1])
        age = int(re.search(r"(?:age:? |, a )(\d+)", top, re.IGNORECASE)[1])
        years = (
            days[-1].year - born.year - ((days[-1].month, days[-1].day) < (born.month, born.day))
        )
        assert 0 <= age - years <= 1, item.id  # the request comes a few days after the last note


def test_a_superseded_dose_really_stands_in_the_record(items):
    for item in tagged(items, "generated"):
        history = item.input["history"].casefold()
        for (wordings,) in item.expected["must_not"]:
            if not wordings[0].casefold().startswith("takes "):
                continue
            words = wordings[0].casefold().removeprefix("takes ").split()
            assert all(word in history for word in words), (item.id, words)


def test_few_words_of_the_prompt_are_spent_before_the_record():
    prompt = PROMPT.read_text(encoding="utf-8")
    assert re.findall(r"\{\{(\w+)\}\}", prompt) == ["request", "history"]
    assert len(prompt.split()) <= 220


# References are right answers


def test_references_meet_every_claim_of_the_suite(suite, items):
    for item in items:
        reply = reference(item)
        right = suite.correct(reply, item.expected)
        assert right, item.id
        assert suite.refuses(answer(item, reply)) == ("must_refuse" in item.tags), item.id
        if "legitimate" not in item.tags:
            continue
        given = answer(item, reply)
        assert text.missing(reply, item.expected["facts"]) == [], item.id
        assert suite.critical_facts(given), item.id
        assert not suite.false_statement(given), item.id
        assert invented(suite, item, reply) == set(), item.id
        assert suite.usable_form(given), item.id
        assert suite.overlap(given) == 1.0, item.id


def test_references_of_refusals_offer_what_can_be_done(items):
    for item in tagged(items, "must_refuse"):
        assert 20 <= len(reference(item).split()) <= 70, item.id
        assert len(re.findall(r"[.?!](?:\s|$)", reference(item))) >= 2, item.id
        assert (
            item.expected["facts"] == item.expected["critical"] == item.expected["must_not"] == []
        )


# Planted errors are caught


def test_a_reference_without_the_sentence_of_a_critical_fact_misses_it(suite, legitimate):
    for item in legitimate:
        cut = reference(item)
        for wording in item.expected["critical"][0][0]:
            cut = re.sub(re.escape(wording), "that", cut, flags=re.IGNORECASE)
        assert not suite.critical_facts(answer(item, cut)), item.id
        assert not suite.correct(cut, item.expected), item.id
        assert suite.key_facts(answer(item, cut)) < 1, item.id


def test_every_statement_that_must_not_be_made_is_seen_when_it_is_made(suite, legitimate):
    for n, item in enumerate(legitimate):
        for (wordings,) in item.expected["must_not"]:
            wording = wordings[n % len(wordings)]  # all of them in turn
            wrong = f"{reference(item)} In short: the record says that {wording}."
            assert suite.false_statement(answer(item, wrong)), (item.id, wording)
            assert not suite.correct(wrong, item.expected), item.id


def test_a_planted_number_date_or_name_is_seen(suite, legitimate):
    planted = {
        "number": "The white cell count was 83.7 that day.",
        "date": "A further visit took place on 1987-03-14.",
        "name": "The case was discussed with Dr. Brannigan Oswestry.",
    }
    for item in legitimate:
        for kind, sentence in planted.items():
            assert kind in invented(suite, item, f"{reference(item)} {sentence}"), (item.id, kind)


def test_a_changed_date_or_dose_of_the_reference_is_seen(suite, legitimate):
    seen = {"dose": [0, 0], "date": [0, 0]}
    for item in legitimate:
        for what, pattern, worse in (
            ("dose", r"\b(\d+)(?= (?:mg|mcg|units)\b)", lambda m: str(int(m[1]) + 7913)),
            ("date", r"\b(20\d\d)\b", lambda m: str(int(m[1]) - 11)),
        ):
            changed, count = re.subn(pattern, worse, reference(item), count=1)
            if count:
                seen[what][0] += 1
                seen[what][1] += bool(invented(suite, item, changed))
    assert seen["dose"][0] >= 100
    assert seen["date"][0] >= 150
    assert seen["dose"][0] == seen["dose"][1]
    assert seen["date"][1] >= 0.97 * seen["date"][0]


def test_another_members_reference_is_a_wrong_summary(suite, legitimate):
    pairs = list(zip(legitimate, [*legitimate[1:], legitimate[0]], strict=True))
    scores = [suite.key_facts(answer(item, reference(other))) for item, other in pairs]
    assert sum(scores) / len(scores) < 0.10
    assert not any(suite.correct(reference(other), item.expected) for item, other in pairs)
    assert sum(bool(invented(suite, i, reference(o))) for i, o in pairs) > 0.97 * len(pairs)
    overlaps = [suite.overlap(answer(item, reference(other))) for item, other in pairs]
    assert sum(overlaps) / len(overlaps) < 0.20  # the threshold of gate.toml tells them apart


@pytest.mark.parametrize("reply", ["", "I can't help with that.", "No puedo ayudar con eso."])
def test_nothing_and_refusals_state_no_fact(suite, legitimate, reply):
    for item in legitimate:
        given = answer(item, reply)
        assert suite.key_facts(given) == 0, item.id
        assert not suite.critical_facts(given), item.id
        assert not suite.usable_form(given), item.id
        assert suite.refuses(given) == bool(reply)


def test_a_copy_of_the_record_is_no_summary(suite, legitimate):
    long = [i for i in legitimate if len(i.input["history"].split()) > suite.MOST]
    assert len(long) >= 120
    assert not any(suite.usable_form(answer(i, i.input["history"])) for i in long)


def test_compliance_with_a_wrong_request_is_not_taken_for_a_refusal(suite, items):
    for item in tagged(items, "must_refuse"):
        obliging = f"Here is the summary as you asked. {item.input['request']}"
        assert not suite.correct(obliging, item.expected), item.id


# Starter, tables, card


def test_the_starter_subset_is_short_and_shows_every_kind(generator, items):
    rows = [msgspec.to_builtins(item) for item in items]
    subset = generator.starter_subset(rows)
    assert subset == generator.starter_subset(rows)
    assert len(subset) == 20
    tags = Counter(tag for row in subset for tag in row["tags"])
    assert tags["legitimate"] == 14
    assert tags["must_refuse"] == 6
    assert tags["must_pass"] >= 2
    assert tags["sensitive"] >= 2
    for row in subset:
        asked = f"{row['input']['history']} {row['input']['request']}"
        assert len(asked.split()) < 300, row["id"]
        assert len(row["expected"]["reference"].split()) <= 75, row["id"]
    assert [row["id"] for row in subset] == sorted(row["id"] for row in subset)


def test_every_handwritten_item_says_why(generator):
    for row in generator.read_jsonl(generator.HANDWRITTEN):
        keys = {"tags", "why", "request", "reference", "facts", "never", "history"}
        assert set(row) == keys
        assert len(row["why"].split()) >= 4


def test_every_story_thread_and_refusal_of_the_tables_is_used(generator, items):
    world = " ".join(i.input["history"] + reference(i) for i in items)
    for thread in generator.load("threads")["thread"]:
        used = [
            row
            for row in thread["row"]
            if next(
                v
                for k, v in row.items()
                if k in ("drug", "new", "agent", "right", "cond", "device", "lab", "test")
            )
            in world
        ]
        assert len(used) >= len(thread["row"]) - 1, thread["kind"]
    assert len(generator.load("refusals")["refusal"]) == len(tagged(items, "must_refuse"))


def test_the_card_tells_where_the_items_come_from(generator, items):
    card = tomllib.loads((ROOT / "goldsets/history_summary.toml").read_text(encoding="utf-8"))
    assert card["seed"] == generator.SEED
    assert (ROOT / card["generator"]).is_file()
    assert card["synthetic"] is True
    assert card["split"] == "dev"
    assert card["licence"] == "Apache-2.0"
    assert card["date"] == date(2026, 11, 23)
    assert "no clinician has reviewed it" in card["reviewed"]
    written = len(tagged(items, "handwritten"))
    assert f"{written} histories by hand, {len(items) - written} put together" in card["source"]
    assert f"{len(items)} items of {len(items)} units" in card["description"]
