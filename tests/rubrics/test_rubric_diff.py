"""What a change costs: which labels are stale, what is only scored anew, and the version that says so."""

import pytest
from rubric_files import RUBRIC
from test_rubric_edit import rubric

from evalgate.authored.rubric_diff import at_least, differences, next_version, told

OLD = rubric(RUBRIC)


def compare(old, new):
    assert old in RUBRIC
    changes = differences(OLD, rubric(RUBRIC.replace(old, new, 1)))
    return changes, next_version(OLD.version, changes), "\n".join(told(changes))


@pytest.mark.parametrize(
    ("old", "new", "version", "line"),
    [
        ("The letter states the reason", "It states the reason", "2.0.0", "states-reason: ask changed; its labels are stale"),
        ("Names none, or another.", "Names none.", "2.0.0", "states-reason: not_met changed; its labels are stale"),
        ('why = "No reason."', 'why = "None."', "2.0.0", "states-reason: examples changed; its labels are stale"),
        ("Not at all.", "No.", "2.0.0", "plain-language: anchors changed; its labels are stale"),
        ("critical = true\n", "", "2.0.0", "invented-fact: critical changed; scores change, labels stay"),
        ('show = ["case"]', 'show = ["case", "request"]', "2.0.0", "[rubric]: show changed; what is judged is another case"),
        ("points = -10", "points = -12", "1.3.0", "invented-fact: points changed; scores change, labels stay"),
        ("pass_mark = 0.80", "pass_mark = 0.85", "1.3.0", "[rubric]: pass_mark changed; scores change, labels stay"),
        ('axis = "completeness"', 'axis = "content"', "1.2.1", "states-reason: axis changed; scores and labels stay"),
        ('title = "Letters"', 'title = "Our letters"', "1.2.1", "[rubric]: title changed; scores and labels stay"),
    ],
)  # fmt: skip
def test_each_kind_of_change_has_its_cost_and_version(old, new, version, line):
    changes, proposed, text = compare(old, new)
    assert proposed == version
    assert line in text
    stale = {change.criterion for change in changes if change.stale}
    changed = {
        c.id
        for c in OLD.criteria
        if rubric(RUBRIC.replace(old, new, 1)).criterion(c.id).digest != c.digest
    }
    assert stale == changed  # what the labels' own digests say


def test_criteria_that_come_and_go_are_told():
    changes, version, text = compare('id = "invented-fact"', 'id = "made-up-fact"')
    assert version == "2.0.0"
    assert "invented-fact: gone" in text
    assert "made-up-fact: new, without labels" in text
    assert {change.criterion for change in changes if change.stale} == {
        "invented-fact",
        "made-up-fact",
    }


def test_another_order_or_layout_is_not_another_content():
    first, second = RUBRIC.split("# What no letter may do.\n")
    head, block = first.split("# What every letter needs.\n")
    changes = differences(OLD, rubric(head + second + "\n" + block))
    assert [change.field for change in changes] == ["order"]
    assert next_version("1.2.0", changes) == "1.2.1"
    assert differences(OLD, rubric(RUBRIC.replace("# agreed in spring", ""))) == ()
    assert next_version("1.2.0", ()) == "1.2.0"


def test_old_and_new_words_are_shown():
    text = compare("points = -10", "points = -12.5")[2]
    assert "  - points: -10\n  + points: -12.5" in text


def test_versions_compare_as_numbers():
    assert at_least("1.10.0", "1.9.3")
    assert not at_least("1.9.3", "1.10.0")
    assert at_least("2.0.0", "2.0.0")
