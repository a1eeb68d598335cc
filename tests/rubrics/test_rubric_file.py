"""rubrics/TASK.toml: what is loaded, and every way in which it is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rubric_files import NAME, RUBRIC, lines, only, told, write

from evalgate.authored import Problems, explain, load_gold, load_rubric
from evalgate.authored.rubric_file import rubric_of
from evalgate.authored.toml_file import toml_of


def load(root, text, gold=None):
    problems = Problems()
    loaded = None
    if gold is not None:
        loaded = load_gold(write(root, "goldsets/letters.jsonl", lines(gold)), root, problems)
    rubric = load_rubric(write(root, NAME, text), root, problems, gold=loaded)
    assert (rubric is None) == (len(problems) > 0)
    return rubric, problems


def letter(number, **changes):
    made = {"case": f"Case {number}.", "request": "Write."} | changes
    return {
        "id": f"l-{number}",
        "input": made,
        "expected": {"reference": "A letter."},
        "unit": f"u-{number}",
    }


def test_a_rubric_is_loaded_with_the_line_of_each_criterion(tmp_path):
    rubric, problems = load(tmp_path, RUBRIC)
    assert told(problems) == []
    assert (rubric.id, rubric.task, rubric.version, rubric.pass_mark) == (
        "letter",
        "letters",
        "1.2.0",
        0.8,
    )
    assert rubric.lines == {
        "states-reason": 11,
        "invented-fact": 25,
        "wrong-citation": 34,
        "plain-language": 41,
    }
    reason, fact, citation, language = rubric.criteria
    assert (reason.points, reason.fault, fact.fault, fact.critical) == (8.0, False, True, True)
    assert reason.examples[1].why == "No reason."
    assert citation.by_code
    assert citation.check == "citations_resolve"
    assert language.answers == ("1", "2", "3", "4", "5", "cannot_tell")


def test_comments_and_layout_do_not_change_the_digest_and_words_do(tmp_path):
    rubric, _ = load(tmp_path, RUBRIC)
    plain = "\n".join(line.split("#")[0].rstrip() for line in RUBRIC.splitlines())
    moved = plain.replace("points = 8", "points = 8.0").replace("critical = true\nevidence", "evidence").replace(
        'met = "Any', 'critical   =  true\nmet = "Any'
    )  # fmt: skip
    assert load(tmp_path, moved)[0].digest == rubric.digest
    spelled = RUBRIC.replace("reason on file", "re\u0301ason on file")  # an accent of its own
    composed = RUBRIC.replace("reason on file", "r\u00e9ason on file")
    assert load(tmp_path, spelled)[0].digest == load(tmp_path, composed)[0].digest != rubric.digest


def test_points_do_not_change_what_a_label_is_about_and_words_do(tmp_path):
    before = load(tmp_path, RUBRIC)[0].criterion("states-reason").digest
    dearer = load(tmp_path, RUBRIC.replace("points = 8 ", "points = 9 "))[0]
    assert dearer.criterion("states-reason").digest == before
    reworded = load(tmp_path, RUBRIC.replace("Names the reason.", "Gives the reason."))[0]
    assert reworded.criterion("states-reason").digest != before
    assert reworded.criterion("invented-fact").digest == dearer.criterion("invented-fact").digest


FAULTS = {
    "an unknown key of [rubric]": ("pass_mark = 0.80", "pass_mark = 0.80\npassmark = 0.9", "9:1: EG105 [rubric] passmark:", "Did you mean `pass_mark`?"),
    "an unknown table": ("[rubric]", "[gate]\n[rubric]", "2:2: EG105 gate: found an unknown key", "expected one of rubric, criterion"),
    "an unknown key of a criterion": ("critical = true", "criticla = true", "29:1: EG105 [[criterion]] invented-fact.criticla:", "Did you mean `critical`?"),
    "an unknown key of an example": ("why =", "because =", "21:65: EG105 [[criterion]] states-reason.examples.2.because:", "expected one of answer, text, why"),
    "no [rubric]": ("[rubric]\n", "", "1:1: EG106 found no key `rubric`", ""),
    "no id": ('id = "letter"\n', "", "2:2: EG106 [rubric]: found no key `id`", ""),
    "no pass mark": ("pass_mark = 0.80\n", "", "2:2: EG106 [rubric]: found no key `pass_mark`", ""),
    "no ask": ('ask = "The letter states a date that is not in the case."\n', "", "25:3: EG106 [[criterion]] invented-fact: found no key `ask`", ""),
    "no points": ("points = -10\n", "", "25:3: EG106 [[criterion]] invented-fact: found no key `points`", ""),
    "a criterion without an id": ('id = "invented-fact"\n', "", "25:3: EG106 [[criterion]].2: found no key `id`", ""),
    "an example without text": ('text = "It did not meet our criteria.", ', "", "21:3: EG106 [[criterion]] states-reason.examples.2: found no key `text`", ""),
    "an id given twice": ("invented-fact", "states-reason", "26:6: EG600 [[criterion]] states-reason.id: found the id a second time (first on line 12)", "Rename or remove"),
    "an id with capitals": ("invented-fact", "Invented fact", '26:6: EG601 [[criterion]].2.id: found the text "Invented fact"', "joined by hyphens"),
    "an id of the rubric with an underscore": ('id = "letter"', 'id = "my_letter"', '3:6: EG601 [rubric] id: found the text "my_letter"', ""),
    "points that are 0": ("points = -10", "points = 0", "28:10: EG602 [[criterion]] invented-fact.points: found 0", "below 0 for a fault"),
    "points in quotes": ("points = -10", 'points = "-10"', '28:10: EG107 [[criterion]] invented-fact.points: found the text "-10", expected a number', "without quotes"),
    "points that are no number": ("points = -10", "points = nan", "28:10: EG108 [[criterion]] invented-fact.points: found nan", ""),
    "far too many points": ("points = -10", "points = -1e9", "28:10: EG108 [[criterion]] invented-fact.points: found -1e+09, expected at most 1000 points", ""),
    "a pass mark above 1": ("0.80", "80", "8:13: EG108 [rubric] pass_mark: found 80, expected a share from 0 to 1", "80 % is 0.80"),
    "a pass mark below 0": ("0.80", "-0.1", "8:13: EG108 [rubric] pass_mark: found -0.1", ""),
    "a pass mark in quotes": ("0.80", '"0.80"', "8:13: EG107 [rubric] pass_mark:", ""),
    "four anchors": ('"Not at all.", ', "", "46:11: EG604 [[criterion]] plain-language.anchors: found 4 anchors, expected five", ""),
    "no anchors": ("anchors = [", "# [", "41:3: EG604 [[criterion]] plain-language.anchors: found 0 anchors", ""),
    "anchors without a scale": ('kind = "scale"\n', "", "45:11: EG604 [[criterion]] plain-language.anchors: found anchors on a criterion that is no scale", 'Add kind = "scale"'),
    "met on a scale": ('kind = "scale"', 'kind = "scale"\nmet = "Yes."', "44:7: EG604 [[criterion]] plain-language.met:", "expected anchors alone"),
    "a critical scale": ('kind = "scale"', 'kind = "scale"\ncritical = true', "44:12: EG604 [[criterion]] plain-language.critical: found a scale that is critical", ""),
    "a quote for a scale": ('kind = "scale"', 'kind = "scale"\nevidence = "quote"', '44:12: EG604 [[criterion]] plain-language.evidence: found "quote" on a scale', ""),
    "another kind": ('kind = "scale"', 'kind = "scales"', '43:8: EG107 [[criterion]] plain-language.kind: found the text "scales", expected "binary" or "scale"', "Did you mean `scale`?"),
    "another evidence": ('evidence = "quote"\nmet = "Any', 'evidence = true\nmet = "Any', "30:12: EG107 [[criterion]] invented-fact.evidence: found true, expected", ""),
    "another task": ('task = "letters"', 'task = "letter"', '4:8: EG605 [rubric] task: found the text "letter", expected the text "letters"', "rename the file"),
    "an unknown rater": ('judged_by = ["code"]', 'judged_by = ["coed"]', 'EG607 [[criterion]] wrong-citation.judged_by: found the text "coed"', "Did you mean `code`?"),
    "nobody who answers": ("critical = true", "critical = true\njudged_by = []", "30:13: EG607 [[criterion]] invented-fact.judged_by: found nobody", ""),
    "a rater twice": ("critical = true", 'critical = true\njudged_by = ["judge", "judge"]', "30:13: EG607 [[criterion]] invented-fact.judged_by: found somebody twice", ""),
    "code beside a judge": ('["code"]', '["code", "judge"]', "38:13: EG607 [[criterion]] wrong-citation.judged_by: found code beside others", ""),
    "code without a check": ('check = "citations_resolve"\n', "", "38:1: EG607 [[criterion]] wrong-citation.judged_by: found no `check`", "citations_resolve, no_placeholder_left"),
    "a check without code": ('judged_by = ["code"]\n', "", "38:9: EG607 [[criterion]] wrong-citation.check: found a check on a criterion that code does not answer", ""),
    "a condition that code cannot heed": ('check = "citations_resolve"', 'check = "citations_resolve"\napplies_when = "It cites."', "40:1: EG607 [[criterion]] wrong-citation.applies_when:", ""),
    "an unknown check": ("citations_resolve", "citation_resolves", '39:9: EG608 [[criterion]] wrong-citation.check: found the text "citation_resolves"', "Did you mean `citations_resolve`?"),
    "an example's answer that does not exist": ('answer = "not_met"', 'answer = "unmet"', '21:14: EG609 [[criterion]] states-reason.examples.2.answer: found the text "unmet"', "expected one of met, not_met, cannot_tell"),
    "an example that does not apply, without a condition": ('answer = "not_met"', 'answer = "not_applicable"', "21:14: EG609", "expected one of met, not_met, cannot_tell"),
    "a version of two numbers": ('"1.2.0"', '"1.2"', '5:11: EG612 [rubric] version: found the text "1.2"', "1.0.0"),
    "a version with a leading zero": ('"1.2.0"', '"1.02.0"', "5:11: EG612", ""),
    "a source shown twice": ('["case"]', '["case", "case"]', "7:1: EG104 [rubric] show: found a name twice", ""),
    "a control character": ("Names the reason.", "Names\\u0007.", "17:7: EG613 found the control character U+0007", ""),
    "a text without an end": ("Names the reason.", "a" * 10_001, "17:7: EG613 found 10001 characters", ""),
    "a blank text": ('met = "Names the reason."', 'met = " "', "17:1: EG109 [[criterion]] states-reason.met: found an empty text", ""),
    "criteria that are no list": ('[[criterion]]\nid = "plain', '[other]\nid = "plain', "41:2: EG105 other: found an unknown key", ""),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_told_at_its_place_and_explained(tmp_path, fault):
    old, new, start, part = FAULTS[fault]
    assert old in RUBRIC
    _, problems = load(tmp_path, RUBRIC.replace(old, new, 1))
    found = [line for line in told(problems) if start in line and part in line]
    assert found, told(problems)
    assert all(explain(problem.code) for problem in problems)


def test_a_rubric_with_faults_alone_is_refused(tmp_path):
    text = RUBRIC.replace("points = 8 ", "points = -8 ").replace("points = 5", "points = -5")
    assert (
        "11:3: EG603 found only faults, expected at least one criterion with points above 0"
        in only(load(tmp_path, text)[1])
    )


def test_a_rubric_without_criteria_is_refused(tmp_path):
    head = RUBRIC.split("# What every")[0]
    assert f"{NAME}:1:1: EG603 found no criteria" in only(load(tmp_path, head)[1])


def test_criteria_in_one_list_are_refused_as_they_could_not_be_edited_one_by_one(tmp_path):
    inline = (
        'criterion = [{ id = "a", ask = "It is so.", points = 1 }]\n'
        + RUBRIC.split("# What every")[0]
    )
    assert "1:1: EG107 criterion: found criteria in one list" in only(load(tmp_path, inline)[1])


def test_all_problems_of_a_file_are_told_in_one_go(tmp_path):
    text = RUBRIC
    expected = []
    for old, new, code in (
        ('version = "1.2.0"', 'version = "one"', "EG612"),
        ("pass_mark = 0.80", "pass_mark = 8", "EG108"),
        ("points = 8 ", "points = 0 ", "EG602"),
        ('answer = "met", text', 'answer = "maybe", text', "EG609"),
        ("critical = true", "criticla = true", "EG105"),
        ("citations_resolve", "citations", "EG608"),
        ('"Not at all.", ', "", "EG604"),
        ('id = "plain-language"', 'id = "states-reason"', "EG600"),
    ):
        assert old in text
        text = text.replace(old, new, 1)
        expected.append(code)
    _, problems = load(tmp_path, text)
    assert sorted(p.code for p in problems) == sorted(expected)
    assert all(p.line and p.column for p in problems)


def test_what_is_shown_must_be_in_every_item_of_the_gold_set(tmp_path):
    shown = RUBRIC.replace('["case"]', '["case", "requests"]')
    assert (
        "7:8: EG606 [rubric] show: found `requests`, which every item of letters lacks, expected some of case, request. Did you mean `request`?"
        in only(load(tmp_path, shown, [letter(1), letter(2)])[1])
    )
    other = {**letter(3), "input": {"request": "Write."}}
    problems = load(tmp_path, RUBRIC, [letter(1), letter(2), other])[1]
    assert "found `case`, which 1 item of 3 of letters lacks" in only(problems).replace(
        "of letters", "of letters"
    )
    assert load(tmp_path, RUBRIC, [letter(1)])[0] is not None
    plain = {**letter(1), "input": "a text"}
    assert load(tmp_path, RUBRIC.replace('["case"]', '["input"]'), [plain])[0] is not None


@pytest.mark.parametrize(
    "item",
    [
        letter(7, case="Notice: WE DENIED it because no\n trial was on record. Yours."),
        {
            **letter(7),
            "expected": {
                "reference": "x",
                "facts": [["We denied it because no trial was on record."]],
            },
        },
    ],
)
def test_an_example_that_stands_in_the_gold_set_is_refused_without_being_quoted(tmp_path, item):
    message = only(load(tmp_path, RUBRIC, [letter(1), item])[1])
    assert (
        "20:28: EG610 [[criterion]] states-reason.examples.1.text: found a text that stands in the gold item l-7"
        in message
    )
    assert "trial" not in message


def test_a_phrase_of_four_words_may_stand_in_a_gold_set_by_chance(tmp_path):
    short = RUBRIC.replace("It did not meet our criteria.", "Please overturn this decision.")
    assert load(tmp_path, short, [letter(1, case="Please overturn this decision.")])[0] is not None


IDENTIFIERS = {
    "a social security number": "His number is 123-45-6789, he says.",
    "a medical record number": "Chart of MRN 0048213, page 2.",
    "an e-mail address": "Write to nurse.ruiz@clinic.org today.",
    "a telephone number": "Call (312) 867-5309 before noon.",
    "a date of birth": "Lena Ford, DOB 03/02/1961.",
    "a number of a member, claim or account": "Member ID: W4471902 was asked.",
}


@pytest.mark.parametrize("kind", IDENTIFIERS)
def test_an_example_that_seems_to_identify_somebody_is_refused_without_being_quoted(tmp_path, kind):
    text = RUBRIC.replace("It did not meet our criteria.", IDENTIFIERS[kind])
    message = only(load(tmp_path, text)[1])
    assert (
        f"21:32: EG611 [[criterion]] states-reason.examples.2.text: found what looks like {kind}"
        in message
    )
    assert (
        not set(IDENTIFIERS[kind].split())
        & set(message.split())
        & {"123-45-6789,", "0048213,", "nurse.ruiz@clinic.org", "867-5309", "W4471902"}
    )


@pytest.mark.parametrize(
    "number",
    [
        "312-867-5309",
        "+1 312.867.5309",
        "867-5309",
        "1-800-867-5309",
        "MBR-30514-02",
        "QX990311234",
    ],
)
def test_more_numbers_that_identify_somebody(tmp_path, number):
    assert "EG611" in only(load(tmp_path, RUBRIC.replace("No reason.", f"It is {number}."))[1])


@pytest.mark.parametrize(
    "text",
    [
        "Call 555-0142 or (800) 555-0117 before August 3, 2026.",
        "Code CPT-97110 was billed on 2026-08-03 for $1,500.00.",
        "ICD-10 E11.9 and HCPCS E0601, ZIP 62704-1234, trial NCT01234567.",
        "Write to appeals@example.com within 180 days (section 4.2-4.4).",
        "Blood pressure 128/80, dose 500 mg, 5.4 hours on 29 of 30 nights.",
    ],
)
def test_figures_that_identify_nobody_are_allowed(tmp_path, text):
    assert told(load(tmp_path, RUBRIC.replace("It did not meet our criteria.", text))[1]) == []


@settings(deadline=None)
@given(st.data())
def test_no_damage_to_a_line_ends_in_anything_but_problems_or_a_rubric(data):
    every = RUBRIC.splitlines()
    where = data.draw(st.integers(0, len(every) - 1))
    cut = data.draw(st.integers(0, len(every[where])))
    traps = ["", "=", '"', "[", "]]", "{", "true", "0", "# ", "id = 1", "[rubric]", "criterion = 1"]
    every[where] = every[where][:cut] + data.draw(st.sampled_from(traps))
    problems = Problems()
    file = toml_of("\n".join(every).encode(), NAME, problems)
    rubric = rubric_of(file, file, task="letters") if file else None
    assert (rubric is None) == (len(problems) > 0)
    assert all(p.code and p.message and p.path == NAME for p in problems)
