"""Editing a rubric file: what is not touched stays, byte for byte."""

import tomllib

from hypothesis import given, settings
from hypothesis import strategies as st
from rubric_files import NAME, RUBRIC, criteria

from evalgate.authored import Problems
from evalgate.authored.rubric import Example
from evalgate.authored.rubric_edit import with_criteria
from evalgate.authored.rubric_file import rubric_of
from evalgate.authored.toml_file import toml_of


def rubric(text):
    problems = Problems()
    file = toml_of(text.encode(), NAME, problems)
    found = rubric_of(file, file) if file else None
    assert found is not None, [str(p) for p in problems]
    return found


def changed(criterion, **fields):
    return type(criterion)(
        **{n: getattr(criterion, n) for n in criterion.__struct_fields__} | fields
    )


HEAD = RUBRIC.split("# What every")[0]
FIVE = rubric(RUBRIC).criteria


def test_without_a_change_the_text_is_the_same():
    assert with_criteria(RUBRIC, FIVE) == RUBRIC
    assert with_criteria(RUBRIC, tuple(reversed(FIVE))) == RUBRIC


def test_a_changed_criterion_keeps_its_comments_and_the_others_every_byte():
    dearer = changed(FIVE[0], points=9.0, met="Names it in plain words.")
    text = with_criteria(RUBRIC, (dearer, *FIVE[1:]))
    expected = RUBRIC.replace("points = 8 ", "points = 9 ").replace(
        "Names the reason.", "Names it in plain words."
    )
    assert text == expected
    assert "points = 9              # agreed in spring" in text


def test_examples_and_new_keys_are_set_and_keys_of_defaults_taken_out():
    first = changed(
        FIVE[0],
        evidence="none",
        applies_when="A reason is on file.",
        examples=(*FIVE[0].examples, Example(answer="met", text='He said "no", so: = {')),
    )
    text = with_criteria(RUBRIC, (first, *FIVE[1:]))
    assert rubric(text).criteria == (first, *FIVE[1:])
    for comment in (
        "# the oldest",
        "# agreed in spring",
        "# What every letter needs.",
        "# What no letter may do.",
    ):
        assert comment in text
    block = text[text.index("[[criterion]]") : text.index("# What no letter")]
    assert "evidence" not in block
    assert text.endswith(RUBRIC[RUBRIC.index("# What no letter") :])


def test_a_criterion_that_is_gone_leaves_the_comments_above_headings():
    text = with_criteria(RUBRIC, FIVE[1:])
    assert rubric(text).criteria == FIVE[1:]
    assert "# What every letter needs." in text
    assert "# What no letter may do." in text
    assert "the oldest" not in text


def test_a_new_criterion_comes_last():
    new = changed(FIVE[1], id="new-one", points=3.0, critical=False)
    text = with_criteria(RUBRIC, (new, *FIVE))
    assert text.startswith(RUBRIC)
    assert rubric(text).criteria == (*FIVE, new)


def test_a_file_with_the_head_alone_takes_criteria():
    text = with_criteria(HEAD, FIVE)
    assert text.startswith(HEAD.rstrip("\n"))
    assert rubric(text).criteria == FIVE


def test_examples_with_headings_of_their_own_and_a_late_head_are_edited_too():
    block = RUBRIC[RUBRIC.index('[[criterion]]\nid = "invented') :]
    odd = (
        '[[criterion]]\nid = "states-reason"\nask = "It is so."\npoints = 1\n'
        '[[criterion.examples]]  # the first\nanswer = "met"\ntext = "One."\n\n' + HEAD + block
    )
    there = rubric(odd)
    for wanted in (
        changed(there.criteria[0], met="So."),
        changed(there.criteria[0], examples=(Example(answer="not_met", text="Two."),)),
        changed(there.criteria[0], examples=()),
    ):
        text = with_criteria(odd, (wanted, *there.criteria[1:]))
        assert rubric(text).criteria == (wanted, *there.criteria[1:])
        assert text.endswith(HEAD + block)


def test_a_text_of_several_lines_that_ends_like_a_comment_is_no_comment():
    tricky = RUBRIC.replace(
        'not_met = "Every date is in the case."',
        'not_met = """\nEvery date\n\n# is in the case."""',
    )
    there = rubric(tricky)
    assert with_criteria(tricky, there.criteria) == tricky
    text = with_criteria(tricky, [c for c in there.criteria if c.id != "invented-fact"])
    assert "# is in the case" not in text
    assert rubric(text)


@settings(deadline=None, max_examples=40)
@given(criteria, criteria, st.sampled_from([RUBRIC, HEAD]))
def test_whatever_is_written_is_read_back_the_same(first, second, start):
    text = start
    for wanted in (first, second, first):
        text = with_criteria(text, wanted)
        found = {c.id: c for c in rubric(text).criteria}
        assert found == {c.id: c for c in wanted}
        assert tomllib.loads(text)["rubric"] == tomllib.loads(HEAD)["rubric"]
        assert "# as members read it" in text
