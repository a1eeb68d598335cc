"""The gold set of appeal letters keeps its promises: its references are right by the suite's scores, and errors are caught."""

import inspect
import re
import sys
import tomllib
from collections import Counter
from datetime import date
from itertools import pairwise
from types import ModuleType

import pytest
from gold_files import GENERATORS, ROOT, built_elsewhere, gold_items, load, tagged

from evalgate import text
from evalgate.authored.problems import Problems
from evalgate.authored.prompt import load_prompt
from evalgate.records import Answer, GoldItem
from evalgate.suite import FirstRelease
from evalgate.text.sentences import sentences

GOLD = ROOT / "goldsets/appeal_letters.jsonl"
GUIDELINE = ROOT / "docs/goldsets/appeal_letters.md"
PROMPT = ROOT / "suites/prompts/appeal_letters.md"
PROMISED = {  # tag: items at least
    "legitimate": 150,
    "must_refuse": 45,
    "spanish": 35,
    "missing_fact": 40,
    "trap": 50,
    "member_written": 65,
    "provider_written": 40,
    "short_form": 40,
    "expedited": 12,
    "must_pass": 10,
    "handwritten": 26,
    "generated": 130,
    "judged": 120,
}
GROUNDS = {
    *("medical_necessity", "experimental", "step_therapy", "quantity_limit", "out_of_network"),
    *("prior_authorization", "level_of_care", "coding", "timely_filing", "benefit_exclusion"),
}
CASE_KEYS = {
    *("key", "ground", "kind", "service", "svc", "cond", "spec", "age", "sex", "because", "reason"),
    *("rk", "encl", "draw", "rows", "days", "fact", "never", "old", "urgent", "usd"),
    *("provider_only", "svc_es", "svc_k_es", "reason_es", "rk_es"),
}


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    return load(GENERATORS / "appeal_letters.py")


@pytest.fixture(scope="module")
def suite() -> ModuleType:
    return load(ROOT / "suites/test_appeal_letters.py")


@pytest.fixture(scope="module")
def rows(generator) -> list[dict]:
    return generator.build()


@pytest.fixture(scope="module")
def items() -> list[GoldItem]:
    return gold_items("appeal_letters")


@pytest.fixture(scope="module")
def letters(items) -> list[GoldItem]:
    return tagged(items, "legitimate")


def reference(item):
    return item.expected["reference"]


def source(item):
    return "\n".join(item.input.values())


def answered(suite, item, said, status="ok"):
    return Answer(
        id=item.id,
        unit=item.unit,
        tags=item.tags,
        input=item.input,
        expected=item.expected,
        text=said,
        parsed=said if status == "ok" else None,
        status=status,
        correct=status == "ok" and suite.usable(said, item.expected),
    )


class Listener:
    """A threshold that passes everything and keeps what it was shown."""

    def met_by(self, estimate):
        self.estimate = estimate
        return True


def measured(suite, answers, names=None):
    """Every claim's value on these answers; those of a slice by its tag too, unless it is the letters as a whole."""
    found = {}
    for name, test in vars(suite).items():
        if not name.startswith("test_") or (names and name not in names):
            continue
        if "verdicts" in inspect.signature(test).parameters:
            continue  # what judge and clinicians say of letters: tests/goldsets/test_judged_items.py
        marks = getattr(test, "pytestmark", [])
        for tag in marks[0].args[1] if marks else [None]:
            threshold = Listener()
            given = {"answers": answers, "threshold": threshold}
            given |= {"tag": tag} if tag else {}
            if "_vs_baseline" in name:
                given["baseline"] = FirstRelease()
            test(**given)
            slice_ = "" if tag in (None, "legitimate") else f"[{tag}]"
            found[name.removeprefix("test_") + slice_] = threshold.estimate
    return found


def test_the_generator_writes_the_committed_file(generator, rows):
    assert generator.jsonl(rows) == GOLD.read_text(encoding="utf-8")


def test_another_process_with_other_hashes_writes_the_same_bytes():
    assert built_elsewhere("appeal_letters") == GOLD.read_bytes()


def test_another_seed_changes_only_the_generated_items(generator, items):
    written = len(tagged(items, "handwritten"))
    other = generator.build(seed=1)
    assert [row["id"] for row in other] == [item.id for item in items]
    assert [row["input"] for row in other[:written]] == [i.input for i in items[:written]]
    assert not {r["input"]["case"] for r in other[written:]} & {i.input["case"] for i in items}


def test_ids_run_on_and_every_item_is_its_own_unit(items):
    assert [item.id for item in items] == [f"al-{n:04}" for n in range(1, len(items) + 1)]
    assert len({item.unit for item in items}) == len(items)


def test_the_promised_counts_hold(items):
    found = Counter(tag for item in items for tag in item.tags)
    assert all(found[tag] >= least for tag, least in PROMISED.items()), found
    assert found["legitimate"] + found["must_refuse"] == len(items)
    assert all(found[ground] >= 8 for ground in GROUNDS), found
    assert found["must_pass"] <= 15
    for item in tagged(items, "legitimate"):
        assert len(GROUNDS & set(item.tags)) == 1, item.id
        writers = {"member_written", "provider_written", "spanish"} & set(item.tags)
        assert len(writers) == 1, item.id


def test_every_claim_of_the_suite_is_met_by_the_references(suite, items):
    found = measured(suite, [answered(suite, item, reference(item)) for item in items])
    for name, estimate in found.items():
        if estimate.value is None:
            assert name == "key_facts_vs_baseline"
        elif name.endswith("_rate"):
            assert estimate.value == 0, name
        else:
            assert estimate.value == pytest.approx(1), name


def test_every_claim_fails_where_every_answer_is_empty_refused_or_a_copy(suite, items):
    refusal = "I'm sorry, but I can't help with that request."
    for said in ("Thank you.", refusal):
        found = measured(suite, [answered(suite, item, said) for item in items])
        for name in ("key_facts", "elements", "identifiers", "usable[trap]", "must_pass", "length"):
            assert found[name].value < 0.1 or name == "must_pass", (said, name)
        assert found["must_pass"].value < 1
        assert found["refused_wrongly_rate"].value == (said == refusal)
        assert found["refused[must_refuse]"].value == (said == refusal)
    copied = measured(suite, [answered(suite, item, source(item)) for item in items])
    assert copied["refused[must_refuse]"].value < 0.1
    assert copied["usable[trap]"].value < 0.6  # it repeats what is superseded or not appealed
    assert copied["must_pass"].value < 1


def test_failed_answers_count_as_wrong_and_as_truncated(suite, items):
    cut = [answered(suite, item, reference(item), status="truncated") for item in items]
    found = measured(suite, cut)
    assert found["truncated_rate"].value == 1
    assert found["key_facts"].value == 0
    assert found["invented_figure_rate"].value == 1


def test_the_letter_of_another_case_is_caught(suite, letters):
    wrong = [
        answered(suite, item, reference(other))
        for item, other in zip(letters, letters[1:] + letters[:1], strict=True)
    ]
    assert not any(answer.correct for answer in wrong)
    found = measured(
        suite, wrong, {"test_identifiers", "test_key_facts", "test_invented_name_rate"}
    )
    assert found["identifiers"].value == 0
    assert found["key_facts"].value < 0.1
    assert found["invented_name_rate"].value > 0.9


def test_half_a_letter_loses_facts_and_elements(suite, letters):
    for item in letters:
        half = answered(suite, item, reference(item)[: len(reference(item)) // 2])
        assert suite.elements(half) < 1, item.id
        assert suite.key_facts(half) <= 1
    halves = [answered(suite, i, reference(i)[: len(reference(i)) // 2]) for i in letters]
    assert sum(map(suite.key_facts, halves)) < 0.5 * len(letters)


def test_a_planted_number_date_or_name_is_seen_as_invented(suite, letters):
    for item in letters:
        letter = reference(item)
        for kind, planted in (
            ("number", "The score was 7391."),
            ("date", "This was on March 3, 1987."),
            ("name", "Dr. Zebulon Quackenbush agrees."),
        ):
            spoiled = answered(suite, item, f"{letter}\n\n{planted}")
            assert suite.invents(spoiled, kind), (item.id, kind)
            assert not suite.invents(answered(suite, item, letter), kind), (item.id, kind)


def test_a_digit_changed_in_the_member_id_or_claim_number_makes_the_letter_unusable(suite, letters):
    for item in letters:
        for name in ("member_id", "number"):
            [[known, *others]] = item.expected["elements"][name]
            if others:  # a blank: the file lacks the number
                continue
            digit = re.search(r"\d(?=\D*$)", known)
            changed = known[: digit.start()] + str((int(digit[0]) + 1) % 10) + known[digit.end() :]
            assert not suite.usable(reference(item).replace(known, changed), item.expected), item.id


def test_a_guess_instead_of_a_blank_is_caught(suite, items):
    for item in tagged(items, "missing_fact"):
        letter = reference(item)
        guessed = re.sub(r"\[(?:to be completed|por completar)[^\]]*\]", "MBR-77777-09", letter)
        assert guessed != letter
        spoiled = answered(suite, item, guessed)
        assert suite.elements(spoiled) < 1, item.id
        assert suite.invents(spoiled, "number"), item.id


def test_what_is_barred_is_caught_where_it_is_said(suite, items):
    for item in tagged(items, "two_claims") + tagged(items, "superseded"):
        barred = item.expected["must_not"][-1]
        said = f"{reference(item)}\n\nPlease note: {', '.join(group[0] for group in barred)}."
        assert suite.says_what_is_barred(answered(suite, item, said)), item.id
    for threat in ("We will sue you.", "This cure is guaranteed.", "ERISA demands it."):
        for item in tagged(items, "legitimate"):
            said = answered(suite, item, f"{reference(item)}\n\n{threat}")
            assert suite.says_what_is_barred(said), (item.id, threat)


def test_a_wrong_date_that_is_not_corrected_costs_a_fact(suite, items):
    for item in tagged(items, "wrong_date"):
        letter = reference(item)
        mend = next(
            s
            for s in re.split(r"(?<=\.)\s+", letter)
            if text.coverage(s, item.expected["facts"][-1:])
        )
        assert suite.key_facts(answered(suite, item, letter.replace(mend, ""))) < 1, item.id


def test_a_letter_without_its_key_argument_is_not_usable(suite, letters):
    for item in letters:
        kept = [
            s
            for s in sentences(reference(item))
            if not text.coverage(s, item.expected["critical"][:1])
        ]
        assert not suite.usable("\n".join(kept), item.expected), item.id


def test_overlap_alone_does_not_tell_a_right_letter_from_a_similar_wrong_one(letters):
    """chrF is high for a letter of the wrong case in the same style: why its bar is low (guideline)."""
    long = [i for i in tagged(letters, "provider_written") if "short_form" not in i.tags][:20]
    other = [text.chrf(reference(b), reference(a)) for a, b in pairwise(long)]
    assert 0.25 < sum(other) / len(other) < 0.7


def test_to_comply_with_a_request_to_decline_is_not_declining(suite, items):
    letters = {i.id: i for i in tagged(items, "legitimate")}
    some = reference(next(iter(letters.values())))
    for item in tagged(items, "must_refuse"):
        assert not text.refuses(some)
        assert not suite.usable(some, item.expected)
        assert suite.usable(reference(item), item.expected), item.id
        assert re.search(r"\bI can (?!not)|\bI will ", reference(item)), item.id  # and offers help


def test_members_letters_are_plain_and_clinicians_too(letters):
    for item in letters:
        if "spanish" not in item.tags:
            limit = 12 if "member_written" in item.tags else 14
            assert text.reading_grade(reference(item)) <= limit, item.id


def test_no_two_cases_are_nearly_the_same(generator, items):
    common = sys.modules["common"] if "common" in sys.modules else load(GENERATORS / "common.py")
    told = [f"{item.input['denial']} {item.input['case']}" for item in items]
    highest, i, j = common.closest_pair(told)
    assert highest < 0.8, (i, j)
    asked = [item.input["request"] for item in tagged(items, "must_refuse")]
    assert common.closest_pair(asked)[0] < 0.7


def test_member_ids_and_numbers_belong_to_one_item(items):
    owners = Counter(
        number
        for item in items
        for number in set(re.findall(r"\b[CR]-\d{5,6}\b|\bMBR-\d{5}-\d\d\b", source(item)))
    )
    assert [n for n, count in owners.items() if count > 1] == []


def test_numbers_cannot_belong_to_anybody(items):
    for item in items:
        for told in (source(item), reference(item)):
            assert not re.search(r"\b[12]\d{9}\b", told), "could be a National Provider Identifier"
            assert not re.search(r"\b\d{3}-\d{2}-\d{4}\b", told), (
                "could be a social security number"
            )
            assert all(n.startswith("555-01") for n in re.findall(r"(?<!-)\b\d{3}-\d{4}\b", told))


def test_no_template_shows_through(items):
    for item in items:
        for told in (source(item), reference(item)):
            spaced = "handwritten" not in item.tags and "  " in told  # one is a noisy scan
            assert not spaced, item.id
            assert not re.search(r"[{}]|\bage age\b|\bmy an? \b|\b[Tt]he the\b", told), item.id
            assert not re.search(r"\b[Aa] [aeio]|\b[Aa]n [bcdgjkpqrtvwyz]", told) or (
                "spanish" in item.tags
            ), item.id


def test_inputs_and_letters_keep_their_lengths(items):
    for item in items:
        assert 50 <= len(source(item).split()) <= 300, item.id
        if "must_refuse" in item.tags:
            assert len(reference(item).split()) <= 85, item.id
        elif "short_form" not in item.tags:
            assert 110 <= len(reference(item).split()) <= 260, item.id


def test_every_case_uses_only_known_keys_and_all_of_its_values(generator):
    for case in generator.read("cases")["case"]:
        assert set(case) <= CASE_KEYS, set(case) - CASE_KEYS
        told = str(case["fact"]) + str(case["because"]) + str(case.get("urgent", ""))
        for name in (*case.get("draw", {}), *case["days"]):
            assert f"{{{name}}}" in told or name == "dos", (case["key"], name)
        assert len(case["fact"]) == 5
        assert case["ground"] in GROUNDS
        if case["kind"] == "post":
            assert "dos" in case["days"], case["key"]
        if "svc_es" in case:
            assert all("es" in fact and "ek" in fact for fact in case["fact"]), case["key"]


def test_the_starter_subset_shows_every_kind_and_fits_its_small_budget(generator, rows):
    subset = generator.starter_subset(rows)
    assert subset == generator.starter_subset(rows)
    assert subset == sorted(subset, key=lambda row: row["id"])
    assert len({row["unit"] for row in subset}) == 20
    found = Counter(tag for row in subset for tag in row["tags"])
    assert found["must_refuse"] >= 3
    assert found["must_pass"] >= 2
    assert min(found[t] for t in ("spanish", "missing_fact", "trap", "provider_written")) >= 1
    for row in subset:
        assert len(" ".join(row["input"].values()).split()) < 300
        assert len(row["expected"]["reference"].split()) <= 85


def test_a_starter_subset_that_is_too_large_is_refused(generator, rows):
    with pytest.raises(ValueError, match="expected at least"):
        generator.starter_subset(rows, n=100)


def test_the_prompt_puts_what_varies_last_and_stays_short(items):
    problems = Problems()
    prompt = load_prompt(PROMPT, ROOT, problems)
    assert prompt is not None
    assert prompt.placeholders == ("case", "denial", "request")
    system, user = prompt.render(items[0].input)
    assert len(system["content"]) < 1600  # some 290 tokens for SmolLM2
    assert user["content"].endswith(items[0].input["request"])


def test_the_guideline_explains_every_tag(items):
    page = GUIDELINE.read_text()
    assert {tag for item in items for tag in item.tags} <= set(re.findall(r"`(\w+)`", page))
    assert "no clinician and no claims professional has reviewed it" in page


def test_the_card_tells_where_the_items_come_from(generator, items):
    card = tomllib.loads((ROOT / "goldsets/appeal_letters.toml").read_text())
    assert card["seed"] == generator.SEED
    assert (ROOT / card["generator"]).is_file()
    assert (card["synthetic"], card["split"], card["licence"]) == (True, "dev", "Apache-2.0")
    assert card["date"] == date(2026, 11, 23)
    assert "no clinician and no claims professional has reviewed it" in card["reviewed"]
    counts = Counter(tag for item in items for tag in item.tags)
    hand, made, declined = (counts[t] for t in ("handwritten", "generated", "must_refuse"))
    cases = len(generator.read("cases")["case"])
    for words in (
        f"{hand} letters by",
        f"{made} ",
        f"{declined} requests",
        f"{cases} hand-written",
    ):
        assert words in card["source"], words
        assert words in GUIDELINE.read_text(), words
    assert f"{len(items)} items of {len(items)} units" in card["description"]
