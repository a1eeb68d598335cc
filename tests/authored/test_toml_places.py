"""Places of keys and values in TOML texts."""

import tomllib

import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from evalgate.authored.toml_places import scan

TEXT = """\
top = 1
a.b . "c.d" = 'x' # comment with = and [
"quoted \\" \\u00e9 key" = [1, { inner = "}" }, [
  2, # ]
], ]

[table."with dots.in it"]
key = \"\"\"
not = "a key"
\"\"\"
'literal \\' = { one = 1, two.three = "\\"", four = {} }
    indented = 2026-11-30 07:00:00

[[list]]
x = '''
y = 1'''
[list.sub]
z = 1
[[list]]
x = \"\"\"a\"\"\"\"
"""


SUB = ("table", "with dots.in it", "literal \\")
FOUND = [
    (("top",), 1, "top", "1"),
    (("a",), 2, "a.b", "a.b"),
    (("a", "b"), 2, 'b . "c', 'b . "c'),
    (("a", "b", "c.d"), 2, '"c.d"', "'x'"),
    (('quoted " é key',), 3, '"quoted', "[1"),
    (('quoted " é key', 1), 3, '"quoted', "{ inner"),
    (('quoted " é key', 1, "inner"), 3, "inner", '"}"'),
    (('quoted " é key', 2, 0), 4, None, "2, #"),
    (("table", "with dots.in it"), 7, '"with', '"with'),
    (("table", "with dots.in it", "key"), 8, "key", '"""'),
    (SUB, 11, "'literal", "{ one"),
    ((*SUB, "one"), 11, "one", "1,"),
    ((*SUB, "two"), 11, "two", "two"),
    ((*SUB, "two", "three"), 11, "three", '"\\"'),
    ((*SUB, "four"), 11, "four", "{}"),
    (("table", "with dots.in it", "indented"), 12, "indented", "2026"),
    (("list", 0), 14, "list", "list"),
    (("list", 0, "x"), 15, "x", "'''"),
    (("list", 0, "sub", "z"), 18, "z", "1"),
    (("list", 1, "x"), 20, "x", '"""a'),
    (("table", "absent"), 7, "table", "table"),
]


@pytest.mark.parametrize(("path", "line", "key", "value"), FOUND, ids=lambda v: None)
def test_every_key_and_value_is_found(path, line, key, value):
    tomllib.loads(TEXT)
    places = scan(TEXT)
    for token, (at_line, column) in ((key, places.key(path)), (value, places.value(path))):
        if token is not None:
            assert at_line == line
            assert TEXT.split("\n")[line - 1][column - 1 :].startswith(token)
    assert places.repeats == []


def test_an_unknown_key_has_no_place():
    assert scan(TEXT).key(("nowhere",)) == (0, 0)


NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=8).filter(
    lambda s: "\r" not in s
)
VALUES = st.recursive(
    st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


def paths(value, prefix=()):
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in items:
        yield (*prefix, key)
        yield from paths(inner, (*prefix, key))


@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_the_scan_finds_exactly_the_keys_that_tomllib_finds(data):
    text = tomlkit.dumps(data)
    places = scan(text)
    expected = {p for p in paths(tomllib.loads(text)) if isinstance(p[-1], str)}
    assert {p for p in places.keys if isinstance(p[-1], str)} == expected
    assert not places.repeats


@given(st.text(st.sampled_from("[]{}=.,'\"\\#\n ab1"), max_size=60))
def test_the_scan_comes_to_an_end_on_any_text(text):
    scan(text)
