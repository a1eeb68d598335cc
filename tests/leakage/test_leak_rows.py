"""What is found in rows: planted leaks by kind, lineage, short items, numbers, and what a corpus repeats."""

import json
import random

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plants import KINDS, ROOT, filler, planted, prompted

from evalgate.corpus.example import Example, MadeBy
from evalgate.corpus.leak.check import Leakage
from evalgate.corpus.leak.gold import Gold, GoldText, load_all
from evalgate.corpus.leak.near import LENGTH, sketches
from evalgate.corpus.leak.near import alike as sketch_likeness
from evalgate.corpus.leak.words import hashed, sequences
from evalgate.stats import cp_lower

GOLD = load_all(ROOT, None)
SETS = sorted(GOLD.sets)
CHECKED = 60


def report(rows, gold=GOLD, **options):
    leakage = Leakage(gold, **options)
    for row in rows:
        leakage.add(row)
    return leakage.report(lambda: rows)


def found(rows, gold=GOLD):
    return {(hit.kind, hit.row, hit.gold) for hit in report(rows, gold).hits}


def row(text="", name="r", **fields):
    messages = ({"role": "user", "content": text}, {"role": "assistant", "content": "Noted."})
    return Example(id=name, task="t", messages=messages, **fields)


def item(question, name="g1", *, unit="u1", **fields):
    return GoldText(gold_set="g", id=name, unit=unit, question=(question,), **fields)


def gold_of(*items, **fields):
    return Gold(items=items, sets={"g": "sha256:0"}, **fields)


@pytest.fixture(scope="module")
def plants():
    """(kind, row, item) of planted rows, some of which state their unit, and what was found in all of them at once."""
    rng = random.Random("planted rows")
    made = []
    for kind in KINDS:
        for stated in (False, True):
            for each in rng.sample(GOLD.items, CHECKED if not stated else CHECKED // 4):
                one = planted(each, kind, rng, lineage=stated)
                name = f"{kind} {stated} {one.id}"
                made.append((kind, stated, msgspec.structs.replace(one, id=name), each))
    hits = report([one for _, _, one, _ in made]).hits
    return made, {(hit.kind, hit.row, hit.gold) for hit in hits}


@pytest.mark.parametrize("kind", list(KINDS)[:5])
def test_every_planted_leak_of_these_kinds_is_found(kind, plants):
    made, hits = plants
    rows = [(one, each) for k, stated, one, each in made if k == kind and not stated]
    missed = [one.id for one, each in rows if ("leak", one.id, each.id) not in hits]
    assert not missed
    assert cp_lower(len(rows), len(rows)) > 0.95


@pytest.mark.parametrize("kind", list(KINDS)[6:])
def test_what_other_words_hide_the_stated_origin_shows(kind, plants):
    made, hits = plants
    rows = {
        stated: {(one.id, each.id) for k, s, one, each in made if k == kind and s is stated}
        for stated in (False, True)
    }
    assert rows[True] <= {(r, g) for _, r, g in hits}
    assert not rows[False] <= {(r, g) for _, r, g in hits}  # docs/leakage.md says how many


def test_a_gold_item_of_each_set_is_found_in_its_own_prompt_re_wrapped():
    rows, expected = [], set()
    for name in SETS:
        lines = (ROOT / "goldsets" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        for line in (lines[0], lines[-1]):
            gold = json.loads(line)
            given = {
                key: KINDS["re-wrapped"](value, random.Random(1))
                for key, value in gold["input"].items()
            }
            rows.append(prompted(name, given, "Noted.", name=f"row {gold['id']}"))
            expected.add(("leak", f"row {gold['id']}", gold["id"]))
    assert len(expected) == 2 * len(SETS) == 10
    assert expected <= found(rows)


def test_a_row_that_has_only_the_prompt_in_common_with_gold_is_clean():
    rng = random.Random(2)
    rows = []
    for name in SETS:
        line = (ROOT / "goldsets" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()[0]
        given = {key: filler(rng, 60) for key in json.loads(line)["input"]}
        rows += [
            prompted(name, given, filler(rng, 20), name=f"{name}-1"),
            prompted(name, dict.fromkeys(given, "See the file."), "Noted.", name=f"{name}-2"),
        ]
    done = report(rows)
    assert done.clean
    assert (done.rows, done.unchecked) == (10, ())


def test_evidence_quotes_nothing_unless_asked_and_never_a_sealed_item():
    said = "the cobalt ferry leaves before the ninth bell on every second market day"
    plain, sealed = item(said), item(said, name="s1", unit="u2", sealed=True)
    gold = gold_of(plain, sealed)
    hits = report([row(f"Well: {said}")], gold).hits
    assert [hit.gold for hit in hits] == ["g1", "s1"]
    assert hits[0].evidence == "g: verbatim, 100% of the question, 13 words in a row from word 2 on"
    assert "cobalt" not in str(hits) + repr(report([row(said)], gold))
    shown = report([row(said.upper())], gold, show_text=True).hits
    assert f'"{said}"' in shown[0].evidence
    assert "normalised" in shown[0].evidence
    assert "cobalt" not in shown[1].evidence


# -- short items


@pytest.mark.parametrize(
    ("text", "leaks"),
    [
        ("Is acupuncture covered?", True),
        ("Question: is ACUPUNCTURE covered", True),
        ("Hello.\n> Is acupuncture covered\nThanks", True),
        ("Tell me whether it is so. Is acupuncture covered here or not?", False),
        ("Is acupuncture\ncovered?", False),  # the price of the rule: docs/leakage.md
    ],
)
def test_a_short_item_is_found_as_a_sentence_or_line_of_its_own(text, leaks):
    assert (("leak", "r", "g1") in found([row(text)], gold_of(item("Is acupuncture covered?")))) is leaks  # fmt: skip


def test_two_words_are_found_as_a_whole_message_only():
    gold = gold_of(item("Too late."))
    assert found([row("too late")], gold) == {("leak", "r", "g1")}
    assert not found([row("He came. Too late. So what?")], gold)


def test_every_text_of_a_short_item_must_be_there():
    both = GoldText(gold_set="g", id="g1", unit="u", question=("Is it covered?", "It is not"))
    assert not found([row("Is it covered?")], gold_of(both))
    assert found([row("It is not.\nIs it covered?")], gold_of(both)) == {("leak", "r", "g1")}


def test_an_item_without_words_of_its_own_is_named_and_not_silently_skipped():
    fixed = " ".join(f"p{n}" for n in range(20))
    gold = gold_of(
        item(fixed), item("", name="g2"), item("one word", name="g3"), boilerplate=(fixed,)
    )
    assert report([row(fixed)], gold).unchecked == ("g/g1", "g/g2")


# -- numbers and lineage


def test_two_long_numbers_that_only_one_unit_has_tell_the_case_in_any_language():
    gold = gold_of(
        item("Member MBR-30514-02 wrote about claim C-700218 of 2026 and paid 10000 dollars."),
        item("Claim C-811329, call 555-01000.", name="g2", unit="u2"),
    )
    assert (
        found([row("Afiliada 30514, expediente C700218?")], gold) == set()
    )  # "c700218" is another word
    assert found([row("Afiliada 30514-02, expediente C-700218")], gold) == {("lineage", "r", "g1")}
    assert not found([row("Afiliada 30514-02, expediente 811329, 10000")], gold)


def test_a_number_of_two_units_or_of_a_prompt_is_no_mark():
    one, two = item("see 30514 and 700218"), item("see 700218", name="g2", unit="u2")
    assert not found([row("lo de 30514 y 700218")], gold_of(one, two))
    fixed = gold_of(one, boilerplate=("like 700218",))
    assert not found([row("lo de 30514 y 700218")], fixed)


def test_a_unit_or_document_on_both_sides_is_a_hit_for_each_of_its_items():
    gold = gold_of(
        item("a b c", unit="member-7"),
        item("d e f", name="g2", unit="member-7", documents=("plan-1",)),
    )
    assert found([row(unit="member-7")], gold) == {("lineage", "r", "g1"), ("lineage", "r", "g2")}
    assert found([row(documents=("plan-1",))], gold) == {("lineage", "r", "g2")}
    assert len(found([row(documents=("member-7",))], gold)) == 2
    assert not found([row(unit="member-8", documents=("plan-2",))], gold)


def test_a_row_of_the_generator_of_a_gold_set_is_a_hit_whatever_its_seed():
    gold = gold_of(item("a b c"), generators={"goldsets/generators/triage.py": "sha256:5"})
    for template, hit in (("triage@sha256:9", True), ("x@sha256:5", True), ("x@sha256:9", False)):
        rows = [row(made_by=MadeBy(template=template, seed=1))]
        assert bool(found(rows, gold)) is hit, template


def test_a_parent_that_is_a_gold_item_is_a_hit_unless_a_row_bears_that_id():
    gold = gold_of(item("a b c"))
    assert found([row(parents=("g1",))], gold) == {("lineage", "r", "g1")}
    assert not found([row(parents=("g1",)), row("quite another", name="g1")], gold)


def test_descendants_of_a_leak_are_hits_in_any_order_and_siblings_are_not():
    said = " ".join(f"w{n}" for n in range(20))
    rows = [
        row("grandchild", name="c", parents=("b", "z")),
        row("child", name="b", parents=("a",)),
        row("sibling", name="d", parents=("z",)),
        row(said, name="a"),
        row("other", name="z"),
    ]
    expected = {("leak", "a", "g1"), ("lineage", "b", "g1"), ("lineage", "c", "g1")}
    assert found(rows, gold_of(item(said))) == expected
    assert found(rows[::-1], gold_of(item(said))) == expected


def test_contaminated_items_are_named_with_the_largest_share():
    said = [f"w{n}" for n in range(27)]
    rows = [row(" ".join(said[:14]), name="a"), row(" ".join(said[:17]), name="b")]
    assert report(rows, gold_of(item(" ".join(said)))).contaminated == {"g": {"g1": 0.5}}


# -- what a corpus repeats


def test_rows_of_equal_words_are_duplicates_of_the_first():
    rows = [row("One two three!"), row("one\nTWO three", name="s"), row("one two four", name="x")]
    done = report([*rows, row("ONE two, three", name="t")], gold_of(item("a b c")))
    assert [(hit.row, hit.kind, hit.gold) for hit in done.hits] == [
        ("s", "duplicate", None),
        ("t", "duplicate", None),
    ]
    assert (done.repeated, done.near) == (2, 0)
    assert "'r'" in done.hits[0].evidence


@settings(deadline=None)
@given(st.lists(st.lists(st.sampled_from(["a", "b", "c d"]), max_size=4), max_size=30))
def test_exactly_the_rows_of_equal_words_repeat(texts):
    rows = [row(" ".join(words), name=str(n)) for n, words in enumerate(texts)]
    done = report(rows, gold_of(item("q")))
    said = [" ".join(" ".join(words).split()) for words in texts]
    later = [str(n) for n, text in enumerate(said) if text in said[:n]]
    assert [hit.row for hit in done.hits if hit.kind == "duplicate"] == later


def alike(rng, likeness, name, words=400):
    """Two rows whose five-word sequences are so much alike, as exactly as whole words allow."""
    text = filler(rng, words).split()
    count = len(text) + 1 - 4  # and "Noted"
    change = round((1 - likeness) / (1 + likeness) * count / 5)
    other = list(text)
    for n in range(change):
        other[2 + n * (words - 8) // max(1, change)] += "x"
    exact = (count - 5 * change) / (count + 5 * change)
    return row(" ".join(text), name=f"{name}a"), row(" ".join(other), name=f"{name}b"), exact


def estimates(texts):
    """How alike the sketches of texts 0 and 1, 2 and 3, and so on are."""
    whole = hashed(texts)
    keys = sequences(whole.words, LENGTH)
    place = np.arange(len(keys))
    inside = whole.text_of(place) == whole.text_of(place + LENGTH - 1)
    found, _ = sketches(keys[inside], whole.text_of(place)[inside], len(texts))
    return sketch_likeness(found[::2], found[1::2])


@pytest.mark.parametrize("likeness", [0.5, 0.7, 0.85, 0.95])
def test_near_duplicates_are_found_by_how_alike_they_are(likeness):
    rng = random.Random(3)
    pairs = [alike(rng, likeness, n) for n in range(40)]
    rows = [each for pair in pairs for each in pair[:2]]
    estimate = float(np.mean(estimates([one.text for one in rows])))
    assert abs(estimate - pairs[0][2]) < 0.02
    rng.shuffle(rows)
    done = report(rows, gold_of(item("q")))
    assert done.near in {0.5: [0], 0.7: range(3), 0.85: range(34, 41), 0.95: [40]}[likeness]
    assert len(done.hits) in {0.5: [0], 0.7: [0], 0.85: range(8), 0.95: range(36, 41)}[likeness]


def test_the_prompt_that_all_rows_have_does_not_make_them_alike():
    rng = random.Random(4)
    texts = [{"text": filler(rng, 40)} for _ in range(50)]
    rows = [prompted("denial_reasons", each, "EXPERIMENTAL", name=str(n)) for n, each in enumerate(texts)]  # fmt: skip
    assert report(rows).near == 0
    whole = estimates([one.text for one in rows])
    assert min(whole) > 0.6  # with the prompt they would be


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(12)))
def test_the_order_of_rows_changes_no_leak(order):
    gold = gold_of(*GOLD.items[:: len(GOLD.items) // 11])
    rows = [planted(each, "half of it", random.Random(n)) for n, each in enumerate(gold.items)]
    assert found([rows[n] for n in order], gold) == found(rows, gold)
    assert len(found(rows, gold)) >= 12
