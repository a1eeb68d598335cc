"""gate.toml: every fault is refused at its line and column, all of them at once."""

import pytest
from authored_files import GATE, only, told, write
from hypothesis import given
from hypothesis import strategies as st

from evalgate import digest
from evalgate.authored import Problems, load_gate
from evalgate.authored.gate_toml import is_census, is_difference, split_key
from evalgate.records import Bar

SUITE = "[gate]\nalpha = 0.05\n[triage]\naccuracy = { min = 0.85 }\n"


def load(root, text, **options):
    problems = Problems()
    gate = load_gate(write(root, "gate.toml", text), root, problems, **options)
    assert (gate is None) == (len(problems) > 0)
    return gate, problems


def refused(root, text, **options):
    gate, problems = load(root, text, **options)
    assert gate is None
    return problems


def test_a_full_file_is_loaded_with_its_lines_and_digest(tmp_path):
    text = """\
[gate]
alpha = 0.01
attempts = 5
unscored_max = 0
valid_days = 30
sign_off = ["release_manager", "clinical_lead"]
require_sealed = false
baseline = "smollm2"

[claim_entities]
recall             = { min = 0.85 }   # comment
recall_vs_baseline = { min = -0.05 }
unparseable_rate.max = 0.05
must_pass          = { all = true }
"slice_recall[spanish]" = { min = 1 }

[policy_qa.rubric_pass_rate]
judge = "calibrated"
min = 0.80
"""
    gate, _ = load(tmp_path, text)
    assert gate.path == "gate.toml"
    assert gate.digest == digest.of_bytes(text.encode())
    assert gate.settings.alpha == 0.01
    assert gate.settings.attempts == 5
    assert gate.settings.unscored_max == 0
    assert gate.settings.valid_days == 30
    assert gate.settings.sign_off == ("release_manager", "clinical_lead")
    assert gate.settings.require_sealed is False
    assert gate.settings.baseline == "smollm2"
    assert gate.settings.first_release is False
    assert gate.suites == {
        "claim_entities": {
            "recall": Bar(min=0.85),
            "recall_vs_baseline": Bar(min=-0.05),
            "unparseable_rate": Bar(max=0.05),
            "must_pass": Bar(all=True),
            "slice_recall[spanish]": Bar(min=1.0),
        },
        "policy_qa": {"rubric_pass_rate": Bar(min=0.8, judge="calibrated")},
    }
    assert isinstance(gate.suites["claim_entities"]["slice_recall[spanish]"].min, float)
    assert gate.lines == {
        ("claim_entities", "recall"): 11,
        ("claim_entities", "recall_vs_baseline"): 12,
        ("claim_entities", "unparseable_rate"): 13,
        ("claim_entities", "must_pass"): 14,
        ("claim_entities", "slice_recall[spanish]"): 15,
        ("policy_qa", "rubric_pass_rate"): 17,
    }


def test_the_settings_have_the_documented_defaults(tmp_path):
    settings = load(tmp_path, GATE.replace("alpha = 0.05\n", ""))[0].settings
    assert (settings.alpha, settings.attempts, settings.unscored_max) == (0.05, 10, 0.02)
    assert (settings.valid_days, settings.sign_off, settings.require_sealed) == (90, (), True)
    assert (settings.baseline, settings.first_release) == (None, False)


def test_windows_line_ends_change_the_digest_and_nothing_else(tmp_path):
    unix, _ = load(tmp_path, GATE)
    windows, _ = load(tmp_path, GATE.replace("\n", "\r\n"))
    assert windows.suites == unix.suites
    assert windows.lines == unix.lines
    assert windows.digest != unix.digest


ROWS = {
    "an unknown key": (
        "r = { mni = 0.9 }",
        "5:7: EG105 [triage] r.mni: found an unknown key, expected one of min, max, all, judge. Did you mean `min`?",
    ),
    "no bar": (
        "r = { }",
        "5:1: EG112 [triage] r: found none of min, max, all; expected exactly one",
    ),
    "only a judge": ('r = { judge = "screen" }', "5:1: EG112 [triage] r: found none of"),
    "both min and max": (
        "r = { min = 0.5, max = 0.9 }",
        "5:1: EG112 [triage] r: found min and max of",
    ),
    "a bare number": (
        "r = 0.85",
        "5:5: EG107 [triage] r: found 0.85, expected a table. Write { min",
    ),
    "a text": (
        'r = { min = "0.80" }',
        '5:13: EG107 [triage] r.min: found the text "0.80", expected a number. Write it without quotes.',
    ),
    "a truth value": (
        "r = { min = true }",
        "5:13: EG107 [triage] r.min: found true, expected a number",
    ),
    "a date": ("r = { min = 2026-11-30 }", "5:13: EG107 [triage] r.min: found a date or time,"),
    "a list": (
        "r = { min = [0.5] }",
        "5:13: EG107 [triage] r.min: found a list, expected a number",
    ),
    "nan": ("r = { max = nan }", "5:13: EG108 [triage] r.max: found nan, expected a finite number"),
    "infinity": ("r = { min = -inf }", "5:13: EG108 [triage] r.min: found -inf, expected a finite"),
    "a number too large for a float": (
        f"r = {{ min = 1{'0' * 400} }}",
        "5:13: EG108 [triage] r.min: found an integer of 1329 bits, expected a finite number",
    ),
    "a min of zero": (
        "r = { min = 0 }",
        "5:13: EG113 [triage] r.min: found 0, which every model passes, expected a share above 0 and at most 1",
    ),
    "a min below zero": (
        "r = { min = -0.5 }",
        "5:13: EG113 [triage] r.min: found -0.5, which every",
    ),
    "a max of one": (
        "r = { max = 1.0 }",
        "5:13: EG113 [triage] r.max: found 1, which every model passes, expected a share from 0 to below 1",
    ),
    "a max in percent": (
        "r = { max = 5 }",
        "5:13: EG113 [triage] r.max: found 5, which every model",
    ),
    "a min in percent": (
        "r = { min = 85 }",
        "5:13: EG108 [triage] r.min: found 85, expected a share above 0 and at most 1. Write 0.85 for 85 %.",
    ),
    "a min nobody can mean": (
        "r = { min = 101 }",
        "5:13: EG108 [triage] r.min: found 101, expected a share above 0 and at most 1. Correct it.",
    ),
    "a max below zero": (
        "r = { max = -0.1 }",
        "5:13: EG108 [triage] r.max: found -0.1, expected a share",
    ),
    "all on an ordinary row": (
        "r = { all = true }",
        "5:7: EG118 [triage] r.all: found `all` on a row that is not a must-pass row, expected min or max",
    ),
    "all = false": (
        "must_pass = { all = false }",
        "5:21: EG118 [triage] must_pass.all: found false, expected true",
    ),
    "all as a text": (
        'must_pass = { all = "true" }',
        '5:21: EG107 [triage] must_pass.all: found the text "true", expected true or false',
    ),
    "min on a must-pass row": (
        "must_pass = { min = 0.9 }",
        "5:15: EG118 [triage] must_pass.min: found `min` on the must-pass row must_pass, expected { all = true }",
    ),
    "an unknown judge mode": (
        'r = { min = 0.5, judge = "yes" }',
        '5:26: EG119 [triage] r.judge: found the text "yes", expected "calibrated" (can promote) or "screen"',
    ),
    "a judge that is no text": (
        "r = { min = 0.5, judge = true }",
        "5:26: EG107 [triage] r.judge: found true",
    ),
    "a key that is no test name": (
        '"slice recall" = { min = 0.5 }',
        "5:1: EG114 [triage] slice recall: found a key that no test can have, expected a test's name",
    ),
    "an unclosed slice": (
        '"r[spanish" = { min = 0.5 }',
        "5:1: EG114 [triage] r[spanish: found a key",
    ),
    "an empty slice": ('"r[]" = { min = 0.5 }', "5:1: EG114 [triage] r[]: found a key"),
    "the prefix test_": (
        "test_r = { min = 0.5 }",
        "5:1: EG114 [triage] test_r: found the prefix `test_`, expected the name without it. Write r.",
    ),
    "a slice in percent": (
        '"r[spanish]" = { min = 75 }',
        "5:24: EG108 [triage] r[spanish].min: found 75, expected a share",
    ),
    "a dotted key": ("r.mni = 0.5", "5:3: EG105 [triage] r.mni: found an unknown key"),
    "a table of its own": ("[triage.r]\n# note\nmin = 85", "7:7: EG108 [triage] r.min: found 85"),
    "an inline table over lines of an array": (
        "r = [\n{ min = 0.5 }\n]",
        "5:5: EG107 [triage] r: found a list, expected a table",
    ),
}


@pytest.mark.parametrize(("row", "expected"), ROWS.values(), ids=ROWS)
def test_a_faulty_row_is_refused_where_it_stands(tmp_path, row, expected):
    assert only(refused(tmp_path, SUITE + row + "\n")).startswith("gate.toml:" + expected)


COMPARISONS = {
    "a margin that everything passes": (
        "accuracy_vs_baseline = { min = -1 }",
        "5:32: EG113 [triage] accuracy_vs_baseline.min: found -1, which every model passes, expected a difference above -1 and below 1",
    ),
    "a max that everything passes": ("accuracy_vs_baseline = { max = 1 }", "5:32: EG113"),
    "a margin beyond reach": (
        "accuracy_vs_baseline = { min = 1 }",
        "5:32: EG108 [triage] accuracy_vs_baseline.min: found 1, expected a difference above -1 and below 1",
    ),
    "a max beyond reach": ("accuracy_vs_baseline = { max = -1 }", "5:32: EG108"),
    "a margin in percent": (
        "accuracy_vs_baseline = { min = -5 }",
        "5:32: EG113 [triage] accuracy_vs_baseline.min: found -5, which every model passes, expected a difference above -1 and below 1. Write -0.05 for -5 %.",
    ),
    "no row of its own": (
        "recall_vs_baseline = { min = -0.05 }",
        "5:1: EG115 [triage] recall_vs_baseline: found a margin without a threshold of its own, expected a row `recall` beside it",
    ),
    "no row of its own for the slice": (
        '"accuracy_vs_baseline[spanish]" = { min = -0.05 }',
        "5:1: EG115 [triage] accuracy_vs_baseline[spanish]: found a margin without a threshold of its own, expected a row `accuracy[spanish]` beside it",
    ),
    "no metric": (
        "_vs_baseline = { min = -0.05 }",
        "5:1: EG114 [triage] _vs_baseline: found no metric",
    ),
}


@pytest.mark.parametrize(("row", "expected"), COMPARISONS.values(), ids=COMPARISONS)
def test_a_faulty_comparison_is_refused_where_it_stands(tmp_path, row, expected):
    text = SUITE.replace("alpha = 0.05", 'baseline = "b"') + row + "\n"
    assert only(refused(tmp_path, text)).startswith("gate.toml:" + expected)


def test_a_margin_and_a_superiority_threshold_are_accepted_in_both_directions(tmp_path):
    text = SUITE.replace("alpha = 0.05", 'baseline = "b"')
    text += "accuracy_vs_baseline = { min = 0.01 }\nrate = { max = 0.1 }\nrate_vs_baseline = { max = 0.05 }\n"
    gate, _ = load(tmp_path, text)
    assert gate.suites["triage"]["accuracy_vs_baseline"] == Bar(min=0.01)
    assert gate.suites["triage"]["rate_vs_baseline"] == Bar(max=0.05)


def test_a_comparison_needs_a_baseline_or_a_first_release_or_a_promoted_model(tmp_path):
    row = "accuracy_vs_baseline = { min = -0.05 }\n"
    assert only(refused(tmp_path, SUITE + row)) == (
        "gate.toml:5:1: EG117 [triage] accuracy_vs_baseline: found a comparison but no baseline, expected one in [gate]. "
        'Add baseline = "MODEL", or first_release = true if nothing has been released yet.'
    )
    for setting in ('baseline = "b"', "first_release = true"):
        assert load(tmp_path, SUITE.replace("alpha = 0.05", setting) + row)[0]
    assert load(tmp_path, SUITE + row, promoted=True)[0]


def test_a_first_release_after_a_promotion_is_refused(tmp_path):
    text = SUITE.replace("alpha = 0.05", "first_release = true")
    assert only(refused(tmp_path, text, promoted=True)).startswith(
        "gate.toml:2:1: EG116 [gate] first_release: found true although a model has been promoted, expected false"
    )


SETTINGS = {
    "a mistyped key": (
        "alpa_ = 0.05",
        (
            "2:1: EG105 [gate] alpa_: found an unknown key, expected one of alpha, attempts, attempt_spending, "
            "sealed_reuse, review_items, unscored_max, valid_days, sign_off, require_sealed, "
            "require_locked, baseline, first_release, switch. Did you mean `alpha`?"
        ),
    ),
    "a key like no other": ("colour = 1", "2:1: EG105 [gate] colour: found an unknown key"),
    "alpha of zero": (
        "alpha = 0",
        "2:9: EG108 [gate] alpha: found 0, expected a probability from 0.000001 to below 0.5",
    ),
    "alpha of a half": ("alpha = 0.5", "2:9: EG108 [gate] alpha: found 0.5"),
    "alpha in quotes": ('alpha = "0.05"', '2:9: EG107 [gate] alpha: found the text "0.05"'),
    "no attempts": ("attempts = 0", "2:12: EG108 [gate] attempts: found 0, expected 1 or more"),
    "attempts with decimals": (
        "attempts = 1.0",
        "2:12: EG107 [gate] attempts: found 1, expected a whole number",
    ),
    "attempts as a truth value": ("attempts = true", "2:12: EG107 [gate] attempts: found true"),
    "all unscored": (
        "unscored_max = 1",
        "2:16: EG108 [gate] unscored_max: found 1, expected a share from 0 to below 1",
    ),
    "unscored below zero": ("unscored_max = -0.1", "2:16: EG108 [gate] unscored_max: found -0.1"),
    "no valid days": (
        "valid_days = 0",
        "2:14: EG108 [gate] valid_days: found 0, expected 1 to 36500",
    ),
    "one role as a text": (
        'sign_off = "lead"',
        '2:12: EG107 [gate] sign_off: found the text "lead", expected a list of texts',
    ),
    "an empty role": (
        'sign_off = ["lead", " "]',
        "2:1: EG109 [gate] sign_off: found an empty text",
    ),
    "a role twice": ('sign_off = ["a", "a"]', "2:1: EG104 [gate] sign_off: found a role twice"),
    "a flag in quotes": (
        'require_sealed = "no"',
        '2:18: EG107 [gate] require_sealed: found the text "no", expected true or false',
    ),
    "an empty baseline": ('baseline = ""', "2:1: EG109 [gate] baseline: found an empty text"),
    "a baseline that is no text": (
        "baseline = 3",
        "2:12: EG107 [gate] baseline: found 3, expected a text",
    ),
    "a baseline of a first release": (
        'baseline = "b"\nfirst_release = true',
        "3:1: EG116 [gate] first_release: found baseline beside first_release = true, expected one of them",
    ),
}


@pytest.mark.parametrize(("line", "expected"), SETTINGS.values(), ids=SETTINGS)
def test_a_faulty_setting_is_refused_where_it_stands(tmp_path, line, expected):
    text = SUITE.replace("alpha = 0.05", line)
    assert only(refused(tmp_path, text)).startswith("gate.toml:" + expected)


FILES = {
    "an empty file": (
        "",
        ["1:1: EG110 found no [gate] table, expected one.", "1:1: EG111 found no suites"],
    ),
    "no suites": (
        "[gate]\n",
        ["1:1: EG111 found no suites, expected a table of thresholds for each."],
    ),
    "an empty suite": (
        GATE + "[other]\n",
        ["6:2: EG111 [other]: found a suite without rows, expected at least one threshold."],
    ),
    "no [gate] table": (
        "[triage]\naccuracy = { min = 0.85 }\n",
        ["1:1: EG110 found no [gate] table, expected one. Add [gate] with alpha = 0.05"],
    ),
    "settings outside of their table": (
        "alpha = 0.05\n" + GATE,
        ["1:1: EG105 found `alpha` outside a table, expected it under [gate]."],
    ),
    "a gate that is no table": (
        "gate = 3\n[triage]\naccuracy = { min = 0.85 }\n",
        ["1:8: EG107 gate: found 3, expected a table. Write [gate]."],
    ),
    "a suite that is no table": (
        "triage = 0.8\n[gate]\n",
        ["1:10: EG107 triage: found 0.8, expected a table. Write [triage]"],
    ),
    "a list of tables": (
        GATE + "[[b]]\nx = { min = 0.5 }\n",
        ["6:3: EG107 b: found a list, expected a table"],
    ),
    "a suite that no file can have": (
        GATE + "[claim-entities]\nx = { min = 0.5 }\n",
        [
            "6:2: EG114 [claim-entities]: found the suite name `claim-entities`, expected letters, digits"
        ],
    ),
    "a fault of syntax": (
        "[gate]\nalpha = = 0.05\n",
        ["2:9: EG103 found a fault of syntax (invalid value), expected TOML."],
    ),
    "a fault at the end": ('[gate]\nbaseline = "', ["2: EG103 found a fault of syntax"]),
    "a key twice": (
        "[gate]\nalpha = 0.05\nalpha = 0.1\n",
        [
            "3:1: EG104 found `gate.alpha` a second time (first on line 2), expected it once. Keep one"
        ],
    ),
    "a row twice": (
        GATE + "accuracy = { min = 0.5 }\n",
        ["6:1: EG104 found `triage.accuracy` a second time (first on line 5)"],
    ),
    "a key twice in an inline table": (
        GATE + "b = { min = 0.5, min = 0.6 }\n",
        ["6:18: EG104 found `triage.b.min` a second time (first on line 6)"],
    ),
    "a table twice": (
        GATE + "[gate]\n",
        ["6:2: EG104 found `gate` a second time (first on line 1)"],
    ),
    "a row twice in other words": (
        GATE + "b = { min = 0.5 }\nb.max = 0.6\n",
        ["7:12: EG103 found a fault of syntax (cannot mutate immutable namespace"],
    ),
    "nesting without end": (
        "x = " + "[" * 5000,
        [" EG103 found a fault of syntax (values nested too deep)"],
    ),
    "a number without end": (
        GATE + f"b = {{ min = {'9' * 5000} }}\n",
        [" EG103 found a fault of syntax (a number of too many digits)"],
    ),
    "a byte order mark": (
        "\ufeff" + GATE,
        ["1:1: EG102 found a byte order mark, expected plain UTF-8."],
    ),
    "another encoding": (
        "[gate]\n# é ".encode() + b"\xe9\n",
        ["2:5: EG102 found the byte 0xe9, expected UTF-8. Save the file as UTF-8."],
    ),
}


@pytest.mark.parametrize(("text", "expected"), FILES.values(), ids=FILES)
def test_a_file_that_decides_nothing_is_refused(tmp_path, text, expected):
    problems = told(refused(tmp_path, text))
    assert len(problems) == len(expected), problems
    for problem, start in zip(problems, expected, strict=True):
        assert problem.startswith("gate.toml:" + start)


def test_a_missing_file_is_a_problem(tmp_path):
    problems = Problems()
    assert load_gate(tmp_path / "gate.toml", tmp_path, problems) is None
    assert only(problems) == (
        "gate.toml: EG101 found no such file, expected one here. Create it or correct the path."
    )
    (tmp_path / "gate.toml").mkdir()
    problems = Problems()
    assert load_gate(tmp_path / "gate.toml", tmp_path, problems) is None
    assert only(problems).startswith("gate.toml: EG101 found a directory, expected a file.")


def test_everything_wrong_at_once_is_told_at_once(tmp_path):
    text = """\
alpha = 0.05

[gate]
alpha = 1
baseline = "b"
first_release = true

[claim-entities]
recall = 0.85

[empty]

[triage]
accuracy = { mni = 0.85 }
rate = { min = 0.1, max = 0.2 }
recall_vs_baseline = { min = -2 }
"slice_recall[spanish]" = { min = "0.7" }
must_pass = { min = 1 }
"""
    problems = refused(tmp_path, text)
    assert sorted((p.line, p.code) for p in problems) == [
        (1, "EG105"),
        (4, "EG108"),
        (6, "EG116"),
        (8, "EG114"),
        (9, "EG107"),
        (11, "EG111"),
        (14, "EG105"),
        (15, "EG112"),
        (16, "EG113"),
        (16, "EG115"),
        (17, "EG107"),
        (18, "EG118"),
    ]


@pytest.mark.parametrize(
    ("key", "name", "bracket"),
    [
        ("recall", "recall", None),
        ("slice_recall[spanish]", "slice_recall", "spanish"),
        ("r[a[b]]", "r", "a[b]"),
        ("r[a-b c]", "r", "a-b c"),
    ],
)
def test_a_key_is_a_test_name_and_perhaps_a_slice(key, name, bracket):
    assert split_key(key) == (name, bracket)


def test_differences_and_censuses_are_told_by_the_name_before_the_bracket():
    assert is_difference("recall_vs_baseline[spanish]")
    assert not is_difference("recall[x_vs_baseline]")
    assert is_census("must_pass[spanish]")
    assert is_census("spanish_must_pass")
    assert not is_census("recall[must_pass]")


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_arbitrary_bytes_are_never_more_than_a_problem(tmp_path_factory, data):
    load(tmp_path_factory.mktemp("one"), data)


TOML_PIECES = st.lists(
    st.sampled_from(
        [
            "[gate]",
            "[[gate]]",
            "[triage]",
            "alpha",
            "accuracy",
            "=",
            "0.5",
            "{",
            "}",
            "[",
            "]",
            "min",
            "max",
            "all",
            "true",
            "'",
            '"',
            '"""',
            "\n",
            " ",
            ",",
            ".",
            "#",
            "nan",
            "-1",
            "_vs_baseline",
            "must_pass",
            "\\",
            "2026-01-01",
        ]
    ),
    max_size=30,
).map("".join)


@given(TOML_PIECES)
def test_almost_toml_is_never_more_than_a_problem(tmp_path_factory, text):
    load(tmp_path_factory.mktemp("one"), "[gate]\n" + text)


@given(
    st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9_]{0,8}(\[[a-zA-Z .\"'-]{1,6}\])?", fullmatch=True).filter(
            lambda k: not (is_difference(k) or is_census(k) or k.startswith("test_"))
        ),
        st.tuples(st.sampled_from(["min", "max"]), st.floats(0.001, 0.999)),
        min_size=1,
        max_size=6,
    ),
)
def test_what_is_written_is_what_is_loaded(tmp_path_factory, rows):
    import tomlkit

    document = tomlkit.document()
    document["gate"] = {"alpha": 0.05}
    document["triage"] = {key: {kind: value} for key, (kind, value) in rows.items()}
    gate, problems = load(tmp_path_factory.mktemp("one"), tomlkit.dumps(document))
    assert not told(problems)
    assert gate.suites["triage"] == {
        key: Bar(**{kind: value}) for key, (kind, value) in rows.items()
    }
    source = tomlkit.dumps(document).split("\n")
    for (_, key), line in gate.lines.items():
        assert split_key(key)[0] in source[line - 1]
