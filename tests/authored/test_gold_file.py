"""Gold sets: read as a stream, refused line by line, watched while they are used."""

import hashlib
import json
import os

import pytest
from authored_files import item, lines, only, told, write
from hypothesis import given
from hypothesis import strategies as st

from evalgate import digest, metrics
from evalgate.authored import Problems, load_gold
from evalgate.authored import gold as module
from evalgate.errors import IntegrityError
from evalgate.metrics.tally import hash64
from evalgate.records import GoldItem

NAME = "goldsets/triage.jsonl"


def load(root, text):
    problems = Problems()
    gold = load_gold(write(root, NAME, text), root, problems)
    assert (gold is None) == (len(problems) > 0)
    return gold, problems


def refused(root, text):
    gold, problems = load(root, text)
    assert gold is None
    return problems


def loaded(root, items):
    gold, problems = load(root, lines(items))
    assert gold is not None, told(problems)
    return gold


def test_a_gold_set_knows_its_name_digest_and_numbers(tmp_path):
    items = [
        item(i, unit=f"u{i // 2}", tags=["must_pass"] if i < 3 else [], expected="ABB"[i % 3])
        for i in range(7)
    ]
    gold = loaded(tmp_path, items)
    assert gold.name == "triage"
    assert gold.path == tmp_path / NAME
    assert gold.digest == digest.of_file(gold.path)
    assert (len(gold), gold.n, gold.units, gold.max_items_per_unit) == (7, 7, 4, 2)
    assert gold.tags == ("must_pass",)
    assert (gold.items_with_tag("must_pass"), gold.units_with_tag("must_pass")) == (3, 2)
    assert (gold.items_with_tag("no"), gold.units_with_tag("no"), gold.clustered("no")) == (
        0,
        0,
        False,
    )
    assert gold.clustered()
    assert gold.clustered("must_pass")
    assert gold.classes == {"A": 3, "B": 3}
    assert gold.clustered_names == {"B"}


def test_its_repr_shows_no_item(tmp_path):
    gold = loaded(tmp_path, [item(1, input="a clinical text", id="a")])
    assert repr(gold) == "<GoldSet triage n=1>"


def test_items_come_in_order_and_by_ordinal(tmp_path):
    items = [item(i, input={"text": "x" * i}, tags=["t"]) for i in range(20)]
    gold = loaded(tmp_path, items)
    expected = [GoldItem(**{**i, "tags": ("t",)}) for i in items]
    assert list(gold.items()) == list(enumerate(expected))
    assert [gold.item(i) for i in range(20)] == expected
    for ordinal in (-1, 20):
        with pytest.raises(IndexError, match="<GoldSet triage n=20> has no item"):
            gold.item(ordinal)


def test_line_ends_of_windows_and_blank_lines_at_the_end_are_tolerated(tmp_path):
    text = lines([item(1), item(2)])
    for variant in (text.replace("\n", "\r\n"), text.rstrip("\n"), text + "\n \r\n\n"):
        gold, _ = load(tmp_path, variant)
        assert [i.id for _, i in gold.items()] == ["item-0001", "item-0002"]
        assert gold.item(1).id == "item-0002"
        assert gold.fingerprint() == metrics.fingerprint(["item-0001", "item-0002"])


def test_independent_items_are_not_clustered(tmp_path):
    gold = loaded(tmp_path, [item(i, tags=["t"]) for i in range(5)])
    assert (gold.units, gold.max_items_per_unit) == (5, 1)
    assert not gold.clustered()
    assert not gold.clustered("t")


def test_a_unit_may_be_clustered_and_its_slice_not(tmp_path):
    gold = loaded(tmp_path, [item(1, unit="u", tags=["t"]), item(2, unit="u"), item(3)])
    assert gold.clustered()
    assert not gold.clustered("t")


def test_classes_are_counted_in_units(tmp_path):
    gold = loaded(tmp_path, [item(i, expected="AB"[i % 2], unit=f"u{i % 4}") for i in range(8)])
    assert gold.classes == {"A": 2, "B": 2}


@pytest.mark.parametrize("expected", [None, 1, {"a": 1}, [], "x" * 201])
def test_an_expected_that_is_no_class_means_no_classes(tmp_path, expected):
    assert loaded(tmp_path, [item(1), item(2, expected=expected)]).classes is None


def test_more_than_a_thousand_distinct_answers_are_no_classes(tmp_path):
    assert len(loaded(tmp_path, [item(i, expected=str(i)) for i in range(1000)]).classes) == 1000
    assert loaded(tmp_path, [item(i, expected=str(i)) for i in range(1001)]).classes is None


def test_labels_of_entities_are_counted_in_units(tmp_path):
    dose, drug = {"label": "DOSE", "text": "5 mg"}, {"label": "DRUG", "text": "x"}
    gold = loaded(
        tmp_path,
        [
            item(1, unit="u1", expected=[dose, dose, drug]),
            item(2, unit="u1", expected=[dose]),
            item(3, unit="u2", expected=[dose]),
            item(4, expected=[]),
        ],
    )
    assert gold.labels == {"DOSE": 2, "DRUG": 1}
    assert gold.clustered_names == {"DOSE"}
    assert gold.classes is None


@pytest.mark.parametrize(
    "expected", [[1], ["a"], [{"text": "x"}], [{"label": 1}], [{"label": []}], [[]], [None]]
)
def test_other_lists_have_no_labels(tmp_path, expected):
    assert loaded(tmp_path, [item(1, expected=expected)]).labels == {}


def test_the_fingerprint_is_the_one_of_metrics_and_ignores_order(tmp_path):
    items = [item(i, tags=["t"] if i % 3 else []) for i in range(30)]
    gold = loaded(tmp_path, items)
    assert gold.fingerprint() == metrics.fingerprint(i["id"] for i in items)
    assert gold.fingerprint("t") == metrics.fingerprint(i["id"] for i in items if i["tags"])
    assert gold.fingerprint("no") == 0
    assert loaded(tmp_path, items[::-1]).fingerprint() == gold.fingerprint()


@given(st.text())
def test_the_hash_of_an_id_is_eight_bytes_of_blake2b(text):
    if any("\ud800" <= c <= "\udfff" for c in text):
        return
    data = hashlib.blake2b(text.encode(), digest_size=8).digest()
    assert hash64(text) == int.from_bytes(data, "little") < 2**64


def encoded(number, **changes):
    return json.dumps(item(number, **changes))


FAULTS = {
    "broken JSON": (
        '{"id": "a" "b"}',
        ":12: EG150 found a fault of syntax (expected ',' or '}'), expected one JSON object on the line.",
    ),
    "broken JSON after other alphabets": (
        '{"é": x}',
        ":7: EG150 found a fault of syntax (invalid character)",
    ),
    "half a line": (
        encoded(2)[:30],
        ":31: EG150 found a fault of syntax (the line ends too early)",
    ),
    "two items on a line": (
        encoded(2) + encoded(3),
        f":{len(encoded(2)) + 1}: EG150 found a fault of syntax (trailing characters)",
    ),
    "NaN": (
        '{"id": "x", "input": "x", "unit": "u", "expected": NaN}',
        ":52: EG150 found a fault of syntax (inv",
    ),
    "a number beyond range": (
        '{"id": "x", "input": "x", "unit": "u", "expected": 1e999}',
        ": EG150 found a fault of syntax (number out of range)",
    ),
    "half a surrogate": (
        encoded(2, id="\ud800"),
        ":15: EG150 found a fault of syntax (unexpected end of escaped",
    ),
    "nesting without end": ("[" * 5000, ": EG150 found a fault of syntax (values nested too deep)"),
    "a list": (
        "[]",
        ": EG107 found a list, expected an object with id, input, expected, unit. Correct the line.",
    ),
    "null": ("null", ": EG107 found null, expected an object"),
    "a text": ('"x"', ": EG107 found a text, expected an object"),
    "an unknown key": (
        encoded(2, tag=["x"]),
        ": EG105 found an unknown key 'tag', expected one of id, input, expected, unit, tags. Did you mean `tags`?",
    ),
    "an unknown key like no other": (
        encoded(2, colour=1),
        ": EG105 found an unknown key 'colour', expected",
    ),
    "an unknown key that is a sentence": (
        encoded(2, **{"seen by Ms Quillon": 1}),
        ": EG105 found an unknown key of 18 characters, expected one of id,",
    ),
    "an unknown key without end": (
        encoded(2, **{"k" * 41: 1}),
        ": EG105 found an unknown key of 41 characters, expected one of id,",
    ),
    "an id that is a number": (
        encoded(2, id=7),
        ": EG107 id: found a number, expected a text. Correct it.",
    ),
    "a unit that is null": (encoded(2, unit=None), ": EG107 unit: found null, expected a text."),
    "an input that is a list": (
        encoded(2, input=["x"]),
        ": EG107 input: found a list, expected a text or an object.",
    ),
    "tags as one text": (encoded(2, tags="x"), ": EG107 tags: found a text, expected a list."),
    "a tag that is a number": (
        encoded(2, tags=["x", 1]),
        ": EG107 tags: found a number in the list, expected texts.",
    ),
    "an empty id": (encoded(2, id=""), ": EG152 id: found a blank text, expected a plain name."),
    "a blank unit": (
        encoded(2, unit=" "),
        ": EG152 unit: found a blank text, expected a plain name.",
    ),
    "an id with a line end": (
        encoded(2, id="a\nb"),
        ": EG152 id: found space around it or control characters in it, expected a plain name.",
    ),
    "a unit with space around it": (encoded(2, unit="u "), ": EG152 unit: found space around it"),
    "an empty input": (
        encoded(2, input=""),
        ": EG152 input: found nothing in it, expected what the model is",
    ),
    "an input without keys": (encoded(2, input={}), ": EG152 input: found nothing in it"),
    "a tag twice": (
        encoded(2, tags=["a", "b", "a"]),
        ": EG159 tags: found a blank tag or one tag twice",
    ),
    "a blank tag": (encoded(2, tags=[""]), ": EG159 tags: found a blank tag or one tag twice"),
    "an id given before": (
        encoded(1),
        ": EG153 found the id 'item-0001' a second time (first on line 1), expected each id once.",
    ),
    "a blank line": ("", ": EG156 found a blank line, expected an item on every line. Remove it."),
    "another encoding": (b'{"id": "\xe9"}', ":9: EG102 found the byte 0xe9, expected UTF-8."),
    "another encoding after other alphabets": (
        '{"é": "'.encode() + b'\xff"}',
        ":8: EG102 found the byte 0xff",
    ),
}


@pytest.mark.parametrize(("line", "expected"), FAULTS.values(), ids=FAULTS)
def test_a_faulty_line_is_refused_where_it_stands(tmp_path, line, expected):
    data = line if isinstance(line, bytes) else line.encode("utf-8", "surrogatepass")
    text = encoded(1).encode() + b"\n" + data + b"\n" + encoded(9).encode() + b"\n"
    assert only(refused(tmp_path, text)).startswith(f"{NAME}:2{expected}")


def test_every_missing_key_of_a_line_is_told(tmp_path):
    assert told(refused(tmp_path, "{}\n")) == [
        f"{NAME}:1: EG106 found no key `{key}`, expected one. Add it."
        for key in ("id", "input", "expected", "unit")
    ]


def test_no_message_repeats_the_text_of_an_item(tmp_path):
    secret = "patient Doe"
    bad = [
        {"id": 1, "input": [secret], "expected": secret, "unit": {secret: 1}, "tags": [secret, 1]},
        item(2, input="") | {"expected": secret},
        item(3, tags=[secret, secret]),
    ]
    broken = f'{{"id": "x", "input": "{secret}"'
    assert secret not in "".join(told(refused(tmp_path, lines(bad) + broken)))


@pytest.mark.parametrize("text", ["", "\n", " \r\n\n"])
def test_an_empty_gold_set_is_refused(tmp_path, text):
    assert only(refused(tmp_path, text)).startswith(
        f"{NAME}: EG154 found no items, expected at least one line."
    )


def test_a_byte_order_mark_is_refused(tmp_path):
    problem = only(refused(tmp_path, "\ufeff" + lines([item(1), item(2)])))
    assert (
        problem
        == f"{NAME}:1:1: EG102 found a byte order mark, expected plain UTF-8. Save the file as UTF-8 without BOM."
    )


def test_a_missing_file_and_a_directory_are_problems(tmp_path):
    problems = Problems()
    assert load_gold(tmp_path / NAME, tmp_path, problems) is None
    assert only(problems).startswith(f"{NAME}: EG101 found no such file, expected one here.")
    (tmp_path / NAME).mkdir(parents=True)
    problems = Problems()
    assert load_gold(tmp_path / NAME, tmp_path, problems) is None
    assert only(problems).startswith(f"{NAME}: EG101 found a directory, expected a file.")


def test_an_endless_line_is_refused_without_being_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LONGEST_LINE", 4096)
    long = encoded(2, input="x" * 20_000)
    problems = refused(tmp_path, f"{encoded(1)}\n{long}\n{encoded(3)}\n{encoded(1)}\n")
    assert told(problems) == [
        f"{NAME}:2: EG155 found a line of more than 16 MiB, expected one item a line. Split or shorten it.",
        (
            f"{NAME}:4: EG153 found the id 'item-0001' a second time (first on line 1), expected each id once. "
            "Rename or remove one of the items."
        ),
    ]
    assert only(refused(tmp_path, long)).startswith(f"{NAME}:1: EG155")
    exact = encoded(2, input="")
    exact = encoded(2, input="x" * (4095 - len(exact)))
    assert load(tmp_path, f"{encoded(1)}\n{exact}\n")[0].item(1).id == "item-0002"


def test_repeated_ids_are_told_with_the_right_lines_beside_other_faults(tmp_path):
    rows = [encoded(1), "", "{}", encoded(2), " ", encoded(1), encoded(2), encoded(1)]
    problems = refused(tmp_path, "\n".join(rows) + "\n")
    found = sorted((p.line, p.code) for p in problems)
    assert found == [
        (2, "EG156"),
        *[(3, "EG106")] * 4,
        (5, "EG156"),
        (6, "EG153"),
        (7, "EG153"),
        (8, "EG153"),
    ]
    firsts = {p.line: p.message for p in problems if p.code == "EG153"}
    assert "(first on line 1)" in firsts[6]
    assert "(first on line 4)" in firsts[7]
    assert "(first on line 1)" in firsts[8]


def test_at_most_fifty_problems_are_listed_and_the_others_counted(tmp_path):
    problems = told(refused(tmp_path, "x\n" * 60))
    assert len(problems) == 51
    assert problems[49].startswith(f"{NAME}:50:1: EG150")
    assert problems[50] == (
        f"{NAME}: EG158 found 60 problems, listed the first 50: and 10 more. Correct these and run it again."
    )
    assert len(refused(tmp_path, "x\n" * 50)) == 50


def test_everything_wrong_at_once_is_told_at_once(tmp_path):
    rows = [
        "{",
        encoded(1, id=""),
        encoded(2, colour=1),
        encoded(3),
        encoded(3),
        encoded(4, tags=[1]),
        "[]",
    ]
    problems = refused(tmp_path, "\n".join(rows))
    assert sorted((p.line, p.code) for p in problems) == [
        (1, "EG150"),
        (2, "EG152"),
        (3, "EG105"),
        (5, "EG153"),
        (6, "EG107"),
        (7, "EG107"),
    ]


READERS = {
    "items": lambda gold: list(gold.items()),
    "item": lambda gold: gold.item(0),
    "fingerprint": lambda gold: gold.fingerprint(),
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_an_edited_gold_set_is_an_integrity_error(tmp_path, reader):
    gold = loaded(tmp_path, [item(i) for i in range(3)])
    edited = lines([item(i, expected="B" if i == 1 else "A") for i in range(3)])
    assert len(edited) == gold.path.stat().st_size
    gold.path.write_text(edited)
    os.utime(gold.path, (1, 1))
    with pytest.raises(
        IntegrityError,
        match=r"EG157 found other bytes than were loaded, expected the gold set sha256:",
    ) as e:
        reader(gold)
    assert e.value.exit == 5
    assert "ask" not in str(e.value)


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_a_removed_gold_set_is_an_integrity_error(tmp_path, reader):
    gold = loaded(tmp_path, [item(1)])
    gold.path.unlink()
    with pytest.raises(IntegrityError, match="EG157 found no readable file any more"):
        reader(gold)


def test_a_longer_and_a_shorter_gold_set_are_integrity_errors(tmp_path):
    rows = [item(i) for i in range(3)]
    for changed in (rows[:2], [*rows, item(9)]):
        gold = loaded(tmp_path, rows)
        gold.path.write_text(lines(changed))
        with pytest.raises(IntegrityError):
            list(gold.items())


def test_a_gold_set_that_changes_while_it_is_read_is_an_integrity_error(tmp_path):
    gold = loaded(tmp_path, [item(i) for i in range(3)])
    reading = gold.items()
    next(reading)
    with gold.path.open("a") as file:
        file.write(lines([item(9)]))
    with pytest.raises(IntegrityError, match="EG157"):
        list(reading)


def test_a_checkout_of_the_same_bytes_is_the_same_gold_set(tmp_path):
    gold = loaded(tmp_path, [item(i) for i in range(3)])
    data = gold.path.read_bytes()
    gold.path.unlink()
    gold.path.write_bytes(data)
    os.utime(gold.path, (1, 1))
    assert [i.id for _, i in gold.items()] == ["item-0000", "item-0001", "item-0002"]
    assert gold.item(2).id == "item-0002"


def test_a_gold_set_that_changes_while_it_is_loaded_is_refused(tmp_path, monkeypatch):
    path = write(tmp_path, NAME, lines([item(1), item(2)]))
    whole = module._check_repeats

    def grow(*arguments):
        with path.open("a") as file:
            file.write(lines([item(3)]))
        whole(*arguments)

    monkeypatch.setattr(module, "_check_repeats", grow)
    problems = Problems()
    assert load_gold(path, tmp_path, problems) is None
    assert only(problems).startswith(f"{NAME}: EG157 found a file that changed while it was read")


PLAIN = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=6)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
ITEMS = st.lists(
    st.builds(
        GoldItem,
        id=PLAIN,
        input=st.text(min_size=1, max_size=9)
        | st.dictionaries(st.text(max_size=4), JSON, min_size=1, max_size=3),
        expected=JSON,
        unit=PLAIN,
        tags=st.lists(PLAIN, unique=True, max_size=3).map(tuple),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda i: i.id,
)


@given(ITEMS, st.sampled_from(["\n", "\r\n"]))
def test_what_is_written_is_what_is_read(tmp_path_factory, items, newline):
    text = "".join(
        json.dumps({k: getattr(i, k) for k in GoldItem.__struct_fields__}, ensure_ascii=False)
        + newline
        for i in items
    )
    gold, problems = load(tmp_path_factory.mktemp("one"), text)
    assert not told(problems)
    assert [i for _, i in gold.items()] == items
    assert [gold.item(n) for n in range(len(items))] == items
    assert gold.units == len({i.unit for i in items})
    for tag in gold.tags:
        assert gold.units_with_tag(tag) == len({i.unit for i in items if tag in i.tags})
        assert gold.items_with_tag(tag) == sum(tag in i.tags for i in items)
    assert gold.fingerprint() == metrics.fingerprint(i.id for i in items)


@given(
    st.binary(max_size=300)
    | st.lists(
        st.sampled_from([b"{}", b"\n", b"\r\n", b'{"id":', b'"a"', b"\xff", b",", b"["])
    ).map(b"".join)
)
def test_arbitrary_bytes_are_never_more_than_a_problem(tmp_path_factory, data):
    load(tmp_path_factory.mktemp("one"), data)
