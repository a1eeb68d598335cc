"""terms/NAME.toml: read strictly, every fault told at once with its place; what is not said is no."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from terms.contracts import LAST_YEAR, NEXT_YEAR, TODAY, contract, project

from evalgate.authored import Problems
from evalgate.authored.quoted import NEVER
from evalgate.authored.terms import all_terms, load_terms, terms_of, with_withdrawal
from evalgate.errors import FileProblems

ROOT = Path(__file__).parents[2]


@pytest.fixture
def root(tmp_path):
    return project(tmp_path / "p")


def told(root: Path, text: str) -> list[str]:
    (root / "terms/x.toml").write_text(text)
    problems = Problems()
    assert load_terms(root / "terms/x.toml", root, problems) is None
    return [str(p) for p in problems]


def test_a_contract_that_says_everything_allows_what_it_says(root):
    found = terms_of(["northfield"], root)
    assert found.refusals("train", TODAY) == []
    terms = found.terms["northfield"]
    assert terms.vendor == "Northfield Records"
    assert terms.bounds.expires == NEXT_YEAR
    assert terms.bounds.keep_until == NEVER
    assert terms.clauses["may_train"] == "“As agreed by both parties.” (section 3)"
    assert terms.duty(TODAY) == f"delete all of it by {NEXT_YEAR}"


@pytest.mark.parametrize(
    "name",
    ["may_train", "effective", "expires", "retention", "deletion_on_termination", "territory"],
)
def test_a_value_that_nobody_read_out_of_the_contract_is_no(root, name):
    (root / "terms/northfield.toml").write_text(contract(**{name: None}))
    (reason, *others) = terms_of(["northfield"], root).refusals("train", TODAY)
    assert f"{name} is not stated" in reason
    assert not others


@pytest.mark.parametrize(
    ("changes", "on", "reason"),
    [
        (
            {"may_train": "false", "may_distil": None, "may_augment": None},
            TODAY,
            "may_train is false: “As",
        ),
        ({}, NEXT_YEAR + dt.timedelta(1), f"expired after {NEXT_YEAR}: “As"),
        ({}, LAST_YEAR - dt.timedelta(1), f"not in force before {LAST_YEAR}"),
        ({"retention": "30"}, TODAY, f"to be deleted since {LAST_YEAR + dt.timedelta(30)}"),
    ],
)
def test_each_refusal_names_its_clause(root, changes, on, reason):
    (root / "terms/northfield.toml").write_text(contract(**changes))
    (found,) = terms_of(["northfield"], root).refusals("train", on)
    assert found.startswith(f"northfield: {reason}")


def test_the_last_day_of_a_contract_still_counts(root):
    assert terms_of(["northfield"], root).refusals("train", NEXT_YEAR) == []


def test_a_country_is_asked_for_only_where_somebody_names_one(root):
    standing = terms_of(["northfield"], root)
    assert standing.refusals("train", TODAY, place="US") == []
    assert "territory is US, not DE" in standing.refusals("train", TODAY, place="DE")[0]


def test_rows_without_terms_and_terms_without_a_file_refuse_and_name_the_nearest(root):
    standing = terms_of(["", "northfeild", "../secrets"], root)
    reasons = standing.refusals("train", TODAY)
    assert len(reasons) == 3
    assert reasons[0].startswith("(none): rows without terms")
    assert "no id of terms" in reasons[1]
    assert "Did you mean `northfield`?" in reasons[2]
    assert terms_of([], root).refusals("train", TODAY) == [
        "no terms: nobody said what may be done with this"
    ]


def test_two_contracts_in_two_countries_allow_nothing_together(root):
    (root / "terms/east.toml").write_text(contract("East Data", territory='["CA"]'))
    together = terms_of(["northfield", "east"], root).refusals("train", TODAY)
    assert together == ["east, northfield together: no country in which all of them allow it"]


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"may_train": "false"}, "EG841", "[may_distil]: found true where may_train is false"),
        ({"expires": str(LAST_YEAR - dt.timedelta(9))}, "EG841", "before it takes effect"),
        (
            {"retention": str(NEXT_YEAR + dt.timedelta(9))},
            "EG841",
            "all is to be deleted at the end",
        ),
        ({"territory": '["US", "worldwide"]'}, "EG841", '"worldwide" beside countries'),
        ({"territory": '["Texas"]'}, "EG840", "expected a country of two letters"),
        ({"territory": "[]"}, "EG840", "found an empty list"),
        ({"expires": '"2027-01-01"'}, "EG840", "Write it without quotes around a date"),
        ({"expires": "2027-01-01T10:00:00Z"}, "EG840", "found a date or time"),
        ({"may_train": '"yes"'}, "EG107", "expected true or false"),
        ({"retention": "0"}, "EG108", "expected 1 to"),
    ],
)
def test_a_contradiction_or_a_bad_value_is_told_with_its_place(root, changes, code, words):
    found = told(root, contract(**changes))
    assert any(code in line and words in line for line in found), found
    assert all(line.startswith("terms/x.toml:") and line.split(":")[1].isdigit() for line in found)


def test_all_faults_of_a_file_come_at_once(root):
    text = contract(may_train='"yes"', territory='["Texas"]') + "\n[may_trian]\nvalue = true\n"
    found = told(root, text.replace('vendor = "Northfield Records"', 'vender = "N"'))
    assert {line.split()[1] for line in found} >= {"EG105", "EG106", "EG107", "EG840"}
    assert any("Did you mean `may_train`?" in line for line in found)
    assert any("Did you mean `vendor`?" in line for line in found)


def test_a_value_without_its_clause_is_refused(root):
    text = contract().replace('clause = "As agreed by both parties."\n', "", 1)
    assert any("EG106" in line and "`clause`" in line for line in told(root, text))


def test_a_contract_cannot_have_been_read_tomorrow(root):
    text = contract().replace(f"read_on = {TODAY}", f"read_on = {NEXT_YEAR}")
    assert any("EG841" in line and "a day to come" in line for line in told(root, text))


def test_a_withdrawal_keeps_comments_and_the_first_day_and_refuses_everything(root):
    path = root / "terms/northfield.toml"
    once = with_withdrawal(path.read_text(), TODAY, "terminated")
    assert "# as in its letterhead" in once
    assert with_withdrawal(once, NEXT_YEAR, "again") == once
    path.write_text(once)
    (reason,) = terms_of(["northfield"], root).refusals("augment", TODAY)
    assert reason == f"northfield: withdrawn on {TODAY}: terminated"
    assert all_terms(root)["northfield"].duty(TODAY) == f"delete all of it: withdrawn on {TODAY}"


def test_every_faulty_file_of_terms_is_told(root):
    (root / "terms/a.toml").write_text("[terms]\n")
    (root / "terms/b.toml").write_text("x = ")
    with pytest.raises(FileProblems) as caught:
        all_terms(root)
    assert {p.path for p in caught.value.problems} == {"terms/a.toml", "terms/b.toml"}


def test_the_projects_own_terms_allow_everything_and_quote_its_licence():
    terms = all_terms(ROOT)["project"]
    for use in ("train", "distil", "augment"):
        assert terms.refusals(use, TODAY, place="US") == []
    assert "no lawyer has reviewed it" in terms.read_by
    licence = " ".join((ROOT / "LICENSE").read_text().split())
    for clause in terms.clauses.values():
        assert clause[1 : clause.index("”")] in licence
