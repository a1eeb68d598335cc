"""Every code has an explanation, and every explanation a code that is used."""

import re
from pathlib import Path

import pytest

import evalgate
from evalgate.authored import explain, known_codes, nearest

SOURCE = Path(evalgate.__file__).parent
CODE = re.compile(r'\b(EG\d{3})(?:"| found)')


def codes_used_in(folder):
    return {
        code
        for path in folder.rglob("*.py")
        for code in CODE.findall(path.read_text(encoding="utf-8"))
    }


def test_the_codes_of_authored_files_are_exactly_the_explained_ones():
    own = {code for code in known_codes() if code.startswith("EG1")}
    used = {code for code in codes_used_in(SOURCE / "authored") if code.startswith("EG1")}
    assert own == used


def test_known_codes_are_sorted():
    assert list(known_codes()) == sorted(set(known_codes()))


@pytest.mark.parametrize("code", [c for c in known_codes() if c.startswith("EG1")])
def test_an_explanation_is_a_title_and_a_few_sentences(code):
    title, text = explain(code)
    assert 5 < len(title) < 80
    assert not title.endswith(".")
    assert 2 <= len(re.findall(r"[.](?= |$)", text)) <= 5
    assert "\n" not in text
    assert "  " not in text


def test_codes_are_found_in_any_case_and_unknown_ones_are_not():
    assert explain(" eg112 ") == explain("EG112")
    assert explain("EG999") is None
    assert explain("") is None


def test_the_nearest_name_is_suggested_and_nothing_far_away():
    assert nearest("EG1l2", ["EG112", "EG401"]) == " Did you mean `EG112`?"
    assert nearest("recll", ["recall", "precision"]) == " Did you mean `recall`?"
    assert nearest("zzz", ["recall"]) == ""
    assert nearest("x", []) == ""
