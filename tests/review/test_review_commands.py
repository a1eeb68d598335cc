"""`evalgate review ...` as its users meet it: a real terminal, a pipe, files, and a kill in the middle."""

from __future__ import annotations

import json
import re
import signal

import pytest
from review_project import CRITERIA, Letters, Terminal, output

QUOTE = "no trial of therapy"


@pytest.fixture
def letters(tmp_path):
    return Letters(tmp_path)


def planned(letters, *args: str, items: int | None = None) -> None:
    """Draws the plan, of `items` if it is told how many."""
    letters.review_items(items)
    done = letters.review("plan", *args)
    assert done.returncode == 0, done.stderr


def answers(n: int, *, plain: str = "4") -> str:
    """What a rater types to answer all criteria of `n` outputs."""
    return f"m\n{QUOTE}\nn\n{plain}\n" * n


def test_the_plan_is_drawn_told_and_the_same_again(letters):
    letters.review_items(12)
    done = letters.review("plan")
    assert done.returncode == 0, done.stderr
    assert "12 of 30 items drawn, 3 of them for two raters" in done.stdout
    assert f"{12 * CRITERIA} judgements" in done.stdout
    before = letters.plan
    assert len(before["items"]) == len(set(before["items"])) == 12
    assert "scripted" not in json.dumps(before)
    assert "the plan that is there" in letters.review("plan").stdout
    assert letters.plan == before


def test_a_plan_with_labels_is_not_replaced_unawares(letters):
    planned(letters, items=10)
    letters.review("label", "--rater", "A", "--simulated", typed=answers(1))
    letters.review_items(11)
    refused = letters.review("plan")
    assert refused.returncode == 2
    assert "EG645" in refused.stderr
    assert len(letters.plan["items"]) == 10
    planned(letters, "--again", items=11)
    assert len(letters.plan["items"]) == 11
    assert len(letters.labels) == CRITERIA


def test_a_slice_is_planned_and_an_unknown_tag_refused(letters):
    planned(letters, "--tag", "spanish")
    assert {int(name[2:]) % 4 for name in letters.plan["items"]} == {0}
    refused = letters.review("plan", "--tag", "spansih")
    assert refused.returncode == 2
    assert "Did you mean `spanish`" in refused.stderr


def test_labels_from_a_pipe_are_saved_blind_and_the_next_start_goes_on(letters):
    planned(letters, items=8)
    done = letters.review(
        "label", "--rater", "A", typed="yes\n" + answers(2) + "m\nnot there\n\nx\n"
    )
    assert done.returncode == 0, done.stderr
    assert "stand neither in the output nor in a source" in done.stdout
    assert [x["item"] for x in letters.labels[::CRITERIA]] == letters.plan["items"][:2]
    assert len(letters.labels) == 2 * CRITERIA
    first = letters.labels[0]
    assert (first["rater"], first["answer"], first["quote"]) == ("A", "met", QUOTE)
    assert (first["blind"], first["simulated"], first["repeat"]) == (True, False, False)
    again = letters.review("label", "--rater", "A", typed=answers(1))
    assert "qualified" not in again.stdout
    assert len(letters.labels) == 3 * CRITERIA
    assert "scripted" not in done.stdout + again.stdout
    assert (
        'Example of not_met: "The request did not meet the criteria." (No reason.)' in done.stdout
    )
    for output_ in (done.stdout, again.stdout):
        assert "verdict" not in output_


def test_a_whole_review_with_its_hidden_repeats(letters):
    planned(letters, items=12)
    done = letters.review("label", "--rater", "A", "--simulated", typed=answers(14))
    assert "Nothing is open. Thank you." in done.stdout
    repeats = [x for x in letters.labels if x["repeat"]]
    assert len(letters.labels) == 14 * CRITERIA
    assert len(repeats) == 2 * CRITERIA
    assert "repeat" not in done.stdout
    second = letters.review("label", "--rater", "B", "--simulated", typed=answers(14))
    assert second.returncode == 0
    assert {x["item"] for x in letters.labels if x["rater"] == "B"} == set(letters.plan["double"])


def test_who_is_no_clinician_gives_simulated_labels_and_stays_it(letters):
    planned(letters, items=4)
    letters.review("label", "--rater", "A", typed="perhaps\nno\n" + answers(1))
    assert all(x["simulated"] for x in letters.labels)
    letters.review("label", "--rater", "B", typed="yes\n" + answers(1))
    refused = letters.review("label", "--rater", "B", "--simulated")
    assert refused.returncode == 2
    assert "EG647" in refused.stderr
    assert letters.review("label", "--rater", "C").returncode == 130
    assert letters.review("label", "--rater", "Jo Doe").returncode == 2


def test_going_back_takes_the_place_of_the_answer(letters):
    planned(letters, items=3)
    letters.review(
        "label", "--rater", "A", "--simulated", typed=f"m\n{QUOTE}\nn\nb\nr\na remark\na\n5\nx\n"
    )
    assert [x["answer"] for x in letters.labels] == ["met", "not_applicable", "5"]
    assert letters.labels[1]["comment"] == "a remark"


def test_a_remark_outlives_a_second_answer(letters):
    planned(letters, items=3)
    done = letters.review(
        "label", "--rater", "A", "--simulated", typed=f"m\n{QUOTE}\nr\na remark\nn\nb\na\nx\n"
    )
    assert "You said: not met 'a remark'" in done.stdout
    assert (letters.labels[1]["answer"], letters.labels[1]["comment"]) == (
        "not_applicable",
        "a remark",
    )


def test_an_interrupted_rater_is_told_how_to_go_on(letters):
    planned(letters, items=3)
    terminal = Terminal(letters, "review", "label", "--rater", "A", "--simulated")
    terminal.until("? x]")
    terminal.type("c")
    terminal.until("? x]")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.until("questions still open; the same command goes on.").endswith("\n8 ")
    assert terminal.wait() == 130
    assert len(letters.labels) == 1


def test_a_skipped_question_comes_again(letters):
    planned(letters, items=2)
    done = letters.review("label", "--rater", "A", "--simulated", typed="s\nn\n4\n" + answers(1))
    assert "1 question still open" in done.stdout
    letters.review("label", "--rater", "A", "--simulated", typed="c\n")
    assert len(letters.labels) == 2 * CRITERIA


def test_under_a_terminal_a_key_is_enough(letters):
    planned(letters, items=3)
    terminal = Terminal(letters, "review", "label", "--rater", "A")
    terminal.until("(yes/no)")
    terminal.type("yes\n")
    terminal.until("? x]")
    terminal.type("m")
    terminal.until("without one):")
    terminal.type(QUOTE + "\n")
    terminal.until("? x]")
    terminal.type("\x1b[A")  # an arrow ends in the letter of an answer
    terminal.until("Keys are")
    terminal.type("n5")  # typed ahead
    terminal.until("Text 2 of 3")
    terminal.until("? x]")
    terminal.type("x")
    terminal.until("still open")
    assert terminal.wait() == 0
    assert [x["answer"] for x in letters.labels] == ["met", "not_met", "5"]


def test_a_long_text_comes_a_screenful_at_a_time(letters):
    letters.answer(output=lambda i: "\n".join(f"line {n} of {i}" for n in range(60)))
    planned(letters, items=2)
    terminal = Terminal(letters, "review", "label", "--rater", "A", "--simulated", rows=24)
    assert "line 59" not in terminal.until("-- more")
    terminal.type(" ")
    assert "line 59" not in terminal.until("-- more")
    terminal.type("e")
    assert "line 59" in terminal.until("? x]")
    terminal.type("x")
    assert terminal.wait() == 0


def test_an_output_cannot_rewrite_the_screen(letters):
    letters.answer(output=lambda i: f"\x1b[2J\x1b]0;met\x07{output(i)}\u202e")
    planned(letters, items=2)
    done = letters.review("label", "--rater", "A", "--simulated", typed="x\n")
    assert "letter" in done.stdout
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", done.stdout)


def test_a_kill_between_answers_loses_nothing_that_was_answered(letters):
    planned(letters, items=3)
    for kept in range(1, 4):
        terminal = Terminal(letters, "review", "label", "--rater", "A", "--simulated")
        terminal.until("? x]")
        terminal.type("c")
        terminal.until("? x]")  # the next question is shown only when the answer is on disk
        terminal.kill()
        assert len(letters.labels) == kept
    done = letters.review("label", "--rater", "A", "--simulated", typed="c\n" * 20)
    assert "Nothing is open" in done.stdout
    assert len(letters.labels) == 3 * CRITERIA


def test_answers_that_never_were_any_are_not_read(tmp_path):
    letters = Letters(tmp_path, failed=frozenset(range(20)))
    planned(letters)
    done = letters.review("label", "--rater", "A", "--simulated", typed="x\n")
    assert f"{11 * CRITERIA} questions open" in done.stdout  # ten answers, one of them twice
    unread = "not read: 20 of the 30 planned outputs, cut off"
    assert unread in done.stdout
    assert unread in letters.review("export", "--format", "csv", "--out", "out.csv").stdout


def test_a_settled_dispute(letters):
    planned(letters, "--double", "1", items=5)
    letters.review("label", "--rater", "A", "--simulated", typed=answers(1, plain="4"))
    letters.review("label", "--rater", "B", "--simulated", typed=answers(1, plain="1"))
    assert letters.review("agreement").stdout.count("B agreed with A") == 4
    own = letters.review("label", "--rater", "B", "--simulated", "--adjudicate", typed="2\n")
    assert "0 questions on which raters differ, and 1 that you answered yourself" in own.stdout
    done = letters.review("label", "--rater", "C", "--simulated", "--adjudicate", typed="2\n")
    assert "1 question on which raters differ" in done.stdout
    assert "A rater said: 4" in done.stdout
    assert "[1 2 3 4 5 c  q r t s ? x]" in done.stdout  # there is nothing to go back to
    assert "Nothing is open. Thank you." in done.stdout
    last = letters.labels[-1]
    assert (last["criterion"], last["answer"], last["adjudicates"], last["blind"]) == (
        "plain",
        "2",
        True,
        False,
    )
    left = letters.review("label", "--rater", "C", "--simulated", "--adjudicate")
    assert "0 questions" in left.stdout


def test_another_models_outputs_and_an_edited_plan_are_refused(letters):
    planned(letters, items=5)
    path = letters.root / "rubrics/letters.review.json"
    good = path.read_text()
    path.write_text(good.replace('"n": 5', '"n": 6'))
    refused = letters.review("label", "--rater", "A", "--simulated")
    assert refused.returncode == 2
    assert "EG642" in refused.stderr
    assert "the review plan draws 6 items, gate.toml says 5" in refused.stderr
    path.write_text(good)
    letters.edit("evalgate.toml", 'name = "scripted"', 'name = "other"')
    letters.answer()
    refused = letters.review("label", "--rater", "A", "--simulated")
    assert "another model" in refused.stderr
    path.unlink()
    assert "EG644" in letters.review("label", "--rater", "A", "--simulated").stderr


@pytest.mark.parametrize("format_", ["xlsx", "labelstudio"])
def test_out_and_in_again(letters, format_):
    planned(letters, items=4)
    letters.review("label", "--rater", "A", typed="yes\n" + answers(2))
    before = letters.labels
    name = {"labelstudio": "out.json"}.get(format_, f"out.{format_}")
    done = letters.review("export", "--format", format_, "--out", name, "--rater", "A")
    assert done.returncode == 0, done.stderr
    assert f"{2 * CRITERIA} open questions" in done.stdout
    assert (letters.root / name).stat().st_mode & 0o777 == 0o600
    (letters.root / "rubrics/letters.labels.jsonl").unlink()
    arguments = ("import", name, "--format", format_, "--rater", "A")
    done = letters.review(*arguments, "--clinician")
    assert done.returncode == 0, done.stderr
    assert sorted(map(str, letters.labels)) == sorted(map(str, before))
    again = letters.review(*arguments, "--clinician")
    assert f"0 labels added, {2 * CRITERIA} were there" in again.stdout
    assert len(letters.labels) == 2 * CRITERIA
    assert letters.review("export", "--format", format_, "--out", name).returncode == 2


def test_nothing_is_imported_if_a_row_is_wrong(letters):
    planned(letters, items=4)
    letters.review("export", "--format", "jsonl", "--out", "out.jsonl")
    path = letters.root / "out.jsonl"
    rows = [json.loads(line) | {"answer": "4"} for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    done = letters.review("import", "out.jsonl", "--format", "jsonl", "--rater", "A", "--clinician")
    assert done.returncode == 2
    wrong = [n for n, r in enumerate(rows, 1) if r["criterion"] != "plain"]
    assert [int(line.split(":")[1]) for line in done.stderr.splitlines()] == wrong
    assert letters.labels == []


def test_a_clinicians_pseudonym_takes_no_labels_that_nobody_vouches_for(letters):
    planned(letters, items=4)
    letters.review("label", "--rater", "A", typed="yes\n" + answers(1))
    letters.review("export", "--format", "jsonl", "--out", "out.jsonl", "--rater", "A")
    path = letters.root / "out.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    filled = [r | {"answer": "4"} if r["criterion"] == "plain" else r for r in rows]
    path.write_text("".join(json.dumps(r) + "\n" for r in filled))
    done = letters.review("import", "out.jsonl", "--format", "jsonl", "--rater", "A")
    assert done.returncode == 2
    assert "EG647" in done.stderr
    assert len(letters.labels) == CRITERIA


def test_agreement_says_so_where_nothing_was_answered_twice(letters):
    planned(letters, items=5)
    letters.review("label", "--rater", "A", "--simulated", typed=answers(1) + "x\n")
    assert "nothing to compare yet: no two raters" in letters.review("agreement").stdout


def test_agreement_says_the_sentence_first_and_speaks_json(letters):
    planned(letters, "--double", "1", items=5)
    letters.review("label", "--rater", "A", "--simulated", typed=answers(5))
    letters.review("label", "--rater", "B", "--simulated", typed=answers(5, plain="3"))
    done = letters.review("agreement")
    assert done.returncode == 0, done.stderr
    assert "B agreed with A on 10 of 15, over all criteria" in done.stdout
    assert "B agreed with A on 0 of 5 (95 % interval 0 to 53 %)" in done.stdout
    found = json.loads(letters.review("agreement", "--json").stdout)
    assert found["schema"] == "evalgate.agreement/1"
    assert found["suites"]["letters"]["simulated"] == 30


def test_wrong_labels_stop_every_command_with_all_their_lines(letters):
    planned(letters, items=5)
    letters.write("rubrics/letters.labels.jsonl", '{"item": 1}\nprose\n')
    for command in (("plan",), ("agreement",), ("label", "--rater", "A", "--simulated")):
        done = letters.review(*command)
        assert done.returncode == 2
        assert done.stderr.count("EG630") == 2


def test_a_project_without_a_rubric_is_told_what_to_write(letters):
    (letters.root / "rubrics/letters.toml").unlink()
    done = letters.review("plan")
    assert done.returncode == 2
    assert "EG643" in done.stderr
