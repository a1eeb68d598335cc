"""The shipped licence records: every clause stands in the text that it is said to be from, where that text is at hand.

Four texts come with the development tools. All others but one come with a package that is too large to ask for here:
`pip download scancode-toolkit==32.5.0`, unzip it, and name its licensedcode/data/licenses in EVALGATE_LICENCE_TEXTS.
"""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from terms.contracts import TODAY

from evalgate.authored import Problems
from evalgate.authored.licence import FLAGS, Licence, load_licence, load_licences
from evalgate.authored.licence_rules import HARD, PURPOSES, notice, obligations, refusals, remarks
from evalgate.authored.licence_text import normalised, quotes, text_digest
from evalgate.errors import FileProblems

RECORDS = {one.id: one for one in load_licences(None).records}
VARIABLE = "EVALGATE_LICENCE_TEXTS"


def clauses(record: Licence) -> list[tuple[str, str]]:
    """(clause, where) of everything in a record."""
    single = [*record.flags.values(), record.expires, record.termination, record.monthly_users_cap]
    every = [*single, record.acceptable_use, *record.denied, *record.obligations]
    return [(one.clause, one.where) for one in every if one is not None]


def of_policy(where: str) -> bool:
    return where.startswith(("Acceptable Use Policy", "Prohibited Use Policy"))


def test_the_shipped_records_are_those_of_the_common_open_models():
    assert len(RECORDS) == 21
    for name in ("apache-2.0", "mit", "Gemma Terms of Use", "llama3.1", "openrail", "cc-by-4.0"):
        assert load_licences(None).by_name(name) is not None, name
    unverified = {one.id for one in RECORDS.values() if not one.verified}
    assert unverified == {"llama-3"}
    assert all("no lawyer has reviewed it" in one.reviewed_by for one in RECORDS.values())
    assert not any(one.counsel for one in RECORDS.values())


@pytest.mark.parametrize("name", ["Apache-2.0", "MIT", "CC-BY-4.0", "CC-BY-SA-4.0"])
def test_a_record_quotes_the_text_that_comes_with_the_development_tools(name):
    from identify.vendor import licenses

    text = dict(licenses.LICENSES)[name]
    assert text_digest(text) in RECORDS[name].texts
    for clause, _ in clauses(RECORDS[name]):
        assert quotes(text, clause), clause


def test_apaches_text_is_known_as_this_repository_and_the_system_have_it():
    places = [Path(__file__).parents[2] / "LICENSE", Path("/usr/share/common-licenses/Apache-2.0")]
    for path in places:
        if path.exists():
            assert text_digest(path.read_text()) in RECORDS["Apache-2.0"].texts


@pytest.mark.skipif(
    VARIABLE not in os.environ, reason=f"{VARIABLE} names no directory of licence texts"
)
@pytest.mark.parametrize("name", sorted(RECORDS))
def test_every_clause_stands_in_the_text_that_was_read(name):
    record = RECORDS[name]
    if not record.verified:
        pytest.skip("unverified: no package ships its text")
    folder = Path(os.environ[VARIABLE])
    text = _text(folder, record.checked)
    assert text_digest(text) in record.texts
    policy = record.acceptable_use
    of = _text(folder, policy.checked) if policy and "scancode" in policy.checked else None
    for clause, where in clauses(record):
        if not of_policy(where):
            assert quotes(text, clause), clause
        elif of is not None:
            assert quotes(of, clause), clause


def _text(folder: Path, checked: str) -> str:
    return (folder / checked.rpartition(" ")[2]).read_text().split("---\n", 2)[2]


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_quotations_are_short_and_policies_are_named_where_they_are_quoted(name):
    record = RECORDS[name]
    for clause, where in clauses(record):
        assert 10 <= len(clause) <= 330
        assert where
        assert record.acceptable_use is not None or not of_policy(where)


# what the texts say, by hand: finetune, merge, distil, serve
ALLOWED = {
    "Apache-2.0": "1111",
    "MIT": "1111",
    "CC-BY-4.0": "1111",
    "CC-BY-SA-4.0": "1111",
    "CC-BY-NC-4.0": "0000",
    "CDLA-Permissive-2.0": "1111",
    "ODC-By-1.0": "1111",
    "gemma-2024-04-01": "0000",
    "gemma-2025-03-24": "0000",
    "llama-2": "1101",
    "llama-3": "0000",
    "llama-3.1": "1111",
    "llama-3.2": "1111",
    "llama-3.3": "1111",
    "llama-4": "1111",
    "bigscience-openrail-m": "0000",
    "bigcode-openrail-m": "0000",
    "deepseek-1.0": "0000",
    "falcon-2-11b": "0000",
    "qwen-2024": "1111",
    "tongyi-qianwen-2023": "1101",
}


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_each_record_allows_what_its_text_allows_an_insurer(name):
    found = "".join(str(int(not refusals(RECORDS[name], p, TODAY))) for p in PURPOSES)
    assert found == ALLOWED[name]


def test_denied_medical_advice_and_decisions_without_a_person_are_named_loudly():
    (medical, automated) = refusals(RECORDS["bigscience-openrail-m"], "serve", TODAY)
    assert medical.startswith(
        "DENIES MEDICAL ADVICE OR THE READING OF MEDICAL RESULTS: “To provide medical"
    )
    assert automated.startswith("DENIES DECISIONS ABOUT PEOPLE WITHOUT A PERSON")
    assert any("insurance" in one for one in refusals(RECORDS["gemma-2025-03-24"], "serve", TODAY))


def test_answers_may_train_a_model_of_the_same_family_alone_where_the_text_says_so():
    for name in ("llama-2", "tongyi-qianwen-2023"):
        assert refusals(RECORDS[name], "distil", TODAY, student={name}) == []
        assert len(refusals(RECORDS[name], "distil", TODAY, student={"Apache-2.0"})) == 1
        assert len(refusals(RECORDS[name], "finetune", TODAY, counsel=True)) == 1


def test_a_policy_that_nobody_read_forbids_everything():
    (reason,) = refusals(RECORDS["falcon-2-11b"], "serve", TODAY)
    assert reason.startswith("its policy of acceptable use (https://falconllm.tii.ae")


def test_caps_of_users_changes_and_ends_are_told():
    told = " ".join(remarks(RECORDS["qwen-2024"]))
    assert "100,000,000 monthly users" in told
    assert "ends: “Upon termination" in told
    assert "its terms can change" in " ".join(remarks(RECORDS["gemma-2025-03-24"]))


def test_the_notice_keeps_words_to_the_letter_and_names_what_else_is_due():
    text = notice("claims-8b", [RECORDS["llama-3.1"], RECORDS["Apache-2.0"], RECORDS["llama-3.3"]])
    kept = "Llama 3.1 is licensed under the Llama 3.1 Community License, Copyright © Meta Platforms, Inc. All Rights Reserved."
    assert f"\n{kept}\n" in text
    assert text.count("Display “Built with Llama”") == 1  # both ask for it in the same words
    assert "begins with “Llama”" in text
    assert "Apache License 2.0 (Apache-2.0)" in text
    assert len(obligations([RECORDS["MIT"], RECORDS["MIT"]])) == len(RECORDS["MIT"].obligations)


words = st.text("abc XYZ", min_size=3, max_size=30).filter(str.strip)


@given(words, words, st.sampled_from(["\n", "\r\n", "  \n\t", "\n> "]))
def test_a_text_that_is_wrapped_otherwise_is_the_same_text_and_another_word_makes_another(
    a, b, gap
):
    assert text_digest(f"{a} {b}") == text_digest(f"{a.upper()}{gap}{b}")
    assert text_digest(f"{a} {b} not") != text_digest(f"{a} {b}")


def test_a_holders_line_and_kinds_of_quotes_count_for_nothing_but_a_sentence_does():
    plain = 'Keep "this".'
    assert normalised(f"Copyright (c) 2024 Someone, Inc.\n{plain}") == normalised("Keep “this”.")
    kept = 'Copyright (c) Someone, Inc. All rights reserved."'
    assert "someone" in normalised(kept)


# records of a project


def record(**changes: str) -> str:
    text = {
        "head": '[licence]\nname = "House licence"\nids = ["House-1.0"]\ntexts = ["sha256:'
        + "a" * 64
        + '"]\n',
        "checked": 'checked = "the signed copy"\n',
        "review": 'reviewed_by = "written by the project"\nreviewed_on = 2026-01-05\n',
        "flags": "".join(
            f'[{name}]\nvalue = true\nclause = "as agreed"\nwhere = "1"\n' for name in FLAGS[:5]
        ),
        "more": "",
    } | changes
    return "".join(text.values())


def problems_of(tmp_path: Path, text: str) -> list[str]:
    (tmp_path / "licences").mkdir(exist_ok=True)
    path = tmp_path / "licences/house.toml"
    path.write_text(text)
    problems = Problems()
    load_licence(path, tmp_path, problems)
    return [str(p) for p in problems]


def test_a_projects_own_record_is_found_by_every_name_and_by_its_text(tmp_path):
    assert problems_of(tmp_path, record()) == []
    found = load_licences(tmp_path)
    for name in ("house", "HOUSE-1.0", "house licence"):
        assert found.by_name(name).id == "house"
    assert found.by_text("sha256:" + "a" * 64).id == "house"
    assert refusals(found.by_name("house"), "finetune", TODAY) == []


def test_a_record_that_names_no_text_is_unverified_and_allows_nothing(tmp_path):
    assert problems_of(tmp_path, record(checked="")) == []
    (reason,) = refusals(load_licences(tmp_path).by_name("house"), "serve", TODAY)
    assert reason.startswith("unverified")


def test_an_expired_licence_allows_nothing_after_its_last_day(tmp_path):
    more = '[expires]\nvalue = 2026-06-30\nclause = "until June"\nwhere = "9"\n'
    assert problems_of(tmp_path, record(more=more)) == []
    house = load_licences(tmp_path).by_name("house")
    assert refusals(house, "serve", dt.date(2026, 6, 30)) == []
    assert refusals(house, "serve", dt.date(2026, 7, 1))[0].startswith("expired after 2026-06-30")


@pytest.mark.parametrize("use", sorted(HARD))
def test_counsel_clears_a_field_of_use_with_a_name_a_day_and_a_reason(tmp_path, use):
    denied = f'[[denied]]\nuse = "{use}"\nclause = "not for that"\nwhere = "A"\n'
    assert problems_of(tmp_path, record(more=denied)) == []
    assert len(refusals(load_licences(tmp_path).by_name("house"), "serve", TODAY)) == 1
    half = denied + 'cleared_by = "general counsel"\n'
    assert any(
        "EG844" in line and "cleared_on" in line
        for line in problems_of(tmp_path, record(more=half))
    )
    whole = half + 'cleared_on = 2026-02-01\ncleared_why = "a nurse decides"\n'
    assert problems_of(tmp_path, record(more=whole)) == []
    house = load_licences(tmp_path).by_name("house")
    assert refusals(house, "serve", TODAY) == []
    assert "cleared by general counsel on 2026-02-01: a nurse decides" in " ".join(remarks(house))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"head": '[licence]\nname = "x"\ntexts = ["abc"]\n'}, "64 hex digits"),
        ({"more": '[[obligation]]\nkind = "notise"\nwhen = "always"\ntext = "a"\nclause = "b"\nwhere = "c"\n'}, "Did you mean `notice`?"),
        ({"more": '[[denied]]\nuse = "Medical Advice"\nclause = "b"\nwhere = "c"\n'}, "medical-advice"),
        ({"more": "[may_finetunes]\nvalue = true\n"}, "Did you mean `may_finetune`?"),
    ],
)  # fmt: skip
def test_a_faulty_record_is_told_with_its_place(tmp_path, changes, words):
    found = problems_of(tmp_path, record(**changes))
    assert any(words in line for line in found), found


def test_a_name_or_text_in_two_records_is_refused_and_the_same_id_replaces(tmp_path):
    head = '[licence]\nname = "Mine"\nids = ["MIT"]\n'
    problems_of(tmp_path, record(head=head))
    with pytest.raises(FileProblems, match="EG844"):
        load_licences(tmp_path)
    (tmp_path / "licences/house.toml").rename(tmp_path / "licences/MIT.toml")
    assert load_licences(tmp_path).by_name("mit").name == "Mine"
