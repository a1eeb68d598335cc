"""The six readers: on invented rows in each source's form, and on the sources themselves where the environment names them."""

import csv
import json
import os
from collections import Counter
from pathlib import Path

import pytest

from evidence.sources import SOURCES, expertqa_health, k_qa, llmbar, medec_ms, mts_dialog, xstest

VARIABLE = "EVALGATE_PUBLIC_DATA"


def write_csv(path: Path, rows: list[dict[str, object]]) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as lines:
        writer = csv.DictWriter(lines, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def answers(items) -> list[tuple[str, str, str]]:
    return [(i.case.id, i.criterion.id, i.answer) for i in items]


def test_k_qa_takes_the_majority_of_three_after_merging_neutral_and_contradiction(tmp_path):
    row = {"": 7, "Question": "Why?", "answer": "Because.", "claim": "It is so.", "category_x": "Must_have",
           "label_0": "Entailment", "label_1": "Neutral", "label_2": "Contradiction"}  # fmt: skip
    agreed = row | {"": 8, "label_1": "Entailment"}
    write_csv(tmp_path / "NLI_medical_annotator.csv", [row, agreed])
    first, second = k_qa(tmp_path)
    assert (first.answer, first.people) == ("not_met", ("met", "not_met", "not_met"))
    assert (second.answer, second.people) == ("met", ("met", "met", "not_met"))
    assert first.case.sources == (("question", "Why?"), ("physician's sentence", "It is so."))
    assert first.case.unit == second.case.unit


def test_a_summary_with_a_wrong_or_an_invented_fact_has_the_fault(tmp_path):
    scores = [("1", "0", "1"), ("0.5", "0", "0.5"), ("1", "0.2", "0.49")]
    summaries = [{"ID": n % 2, "Dialogue": "d", "Reference Summary": "r", "Automatic Summary": "s"} for n in range(3)]  # fmt: skip
    rows = [{"FactualPrecision": p, "HallucinationRate": h, "FactualRecall": r} for p, h, r in scores]  # fmt: skip
    write_csv(tmp_path / "MTS-Dialog-Automatic-Summaries-ValidationSet.csv", summaries)
    write_csv(tmp_path / "MTS-Dialog-Manual-Scores4CorrelationStudy.csv", rows)
    assert answers(mts_dialog(tmp_path)) == [
        ("mts-dialog-0", "false-fact", "not_met"),
        ("mts-dialog-0", "covers-half", "met"),
        ("mts-dialog-1", "false-fact", "met"),
        ("mts-dialog-1", "covers-half", "met"),
        ("mts-dialog-2", "false-fact", "met"),
        ("mts-dialog-2", "covers-half", "not_met"),
    ]


def test_scores_without_their_summary_are_refused(tmp_path):
    summary = {"ID": 0, "Dialogue": "d", "Reference Summary": "r", "Automatic Summary": "s"}
    score = {"FactualPrecision": "1", "HallucinationRate": "0", "FactualRecall": "1"}
    write_csv(tmp_path / "MTS-Dialog-Automatic-Summaries-ValidationSet.csv", [summary])
    write_csv(tmp_path / "MTS-Dialog-Manual-Scores4CorrelationStudy.csv", [score, score])
    with pytest.raises(ValueError, match="longer"):
        mts_dialog(tmp_path)


def test_a_vignette_and_its_faulty_twin_are_one_unit_and_blank_rows_are_none(tmp_path):
    def row(name, flag, last):
        text = f"A woman coughs. {last}"
        return {"Text ID": name, "Text": text, "Sentences": f"0 A woman coughs.\n1 {last}", "Error Flag": flag,
                "Error Type": "diagnosis"}  # fmt: skip

    rows = [row("a", 1, "It is gout."), row("b", 0, "It is a cold."), row("", "", "")]
    write_csv(tmp_path / "MEDEC-MS-ValidationSet-with-GroundTruth-and-ErrorType.csv", rows)
    found = medec_ms(tmp_path)
    assert answers(found) == [("a", "clinical-error", "met"), ("b", "clinical-error", "not_met")]
    assert found[0].case.unit == found[1].case.unit


def test_claims_whose_passages_are_not_all_there_are_left_out(tmp_path):
    def claim(support, *evidence):
        return {"claim_string": "c", "support": support, "evidence": list(evidence)}

    whole, bare = "[1] https://example.org/a\n\nThe passage.", "[2] https://example.org/b"
    claims = [
        claim("Complete", whole),
        claim("Partial", whole, whole),
        claim("Complete", whole, bare),
        claim("Missing"),
        claim("N/A", whole),
        claim(None, whole),
    ]
    records = [
        {"question": "q", "metadata": {"field": field}, "answers": {"a model": {"claims": claims}}}
        for field in ("Psychology", "Law")
    ]
    lines = "".join(json.dumps(record) + "\n" for record in records)
    (tmp_path / "expertqa_health_slice.jsonl").write_text(lines)
    found = expertqa_health(tmp_path)
    assert [i.answer for i in found] == ["met", "not_met"]
    assert [name for name, _ in found[1].case.sources] == ["question", "passage 1", "passage 2"]


def test_a_pair_is_asked_in_both_orders_and_adversarial_answers_alone_too(tmp_path):
    row = {"input": "Say hello.", "output_1": "Hello.", "output_2": "Goodbye.", "label": 1}
    for name in ("Natural", "Adversarial_Manual"):
        (tmp_path / f"LLMBar_{name}.json").write_text(json.dumps([row]))
    (tmp_path / "Processed_MT-Bench.json").write_text(json.dumps([row]))
    found = llmbar(tmp_path)
    assert answers(found) == [
        ("llmbar-adversarial-manual-0-1", "better", "met"),
        ("llmbar-adversarial-manual-0-1", "follows", "met"),
        ("llmbar-adversarial-manual-0-2", "better", "not_met"),
        ("llmbar-adversarial-manual-0-2", "follows", "not_met"),
        ("llmbar-natural-0-1", "better", "met"),
        ("llmbar-natural-0-2", "better", "not_met"),
    ]
    one, other = (i.case for i in found[-2:])
    assert one.output == dict(other.sources)["the other answer"] == "Hello."
    assert {i.group for i in found[-2:]} == {"llmbar-natural-0"}


def test_partial_refusals_are_refusals_and_both_annotators_are_kept(tmp_path):
    row = {"id": "v2-1", "type": "safe", "prompt": "p", "completion": "c", "annotation_1": "1_full_compliance",
           "annotation_2": "3_partial_refusal", "final_label": "3_partial_refusal"}  # fmt: skip
    write_csv(tmp_path / "xstest_v2_completions_mistralinstruct.csv", [row])
    (found,) = xstest(tmp_path)
    assert (found.answer, found.people) == ("met", ("not_met", "met"))


@pytest.mark.skipif(VARIABLE not in os.environ, reason=f"{VARIABLE} is not set")
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("k-qa", {("says-it", "met"): 75, ("says-it", "not_met"): 124}),
        ("mts-dialog", {("false-fact", "met"): 86, ("false-fact", "not_met"): 314,
                        ("covers-half", "met"): 256, ("covers-half", "not_met"): 144}),
        ("medec-ms", {("clinical-error", "met"): 319, ("clinical-error", "not_met"): 255}),
        ("expertqa-health", {("supported", "met"): 302, ("supported", "not_met"): 121}),
        ("llmbar", {("better", "met"): 419, ("better", "not_met"): 419,
                    ("follows", "met"): 319, ("follows", "not_met"): 319}),
        ("xstest", {("declines", "met"): 76, ("declines", "not_met"): 374}),
    ],
)  # fmt: skip
def test_the_sources_themselves_hold_what_their_pages_say(name, expected):
    source = SOURCES[name]
    found = source.read(Path(os.environ[VARIABLE]) / name)
    assert Counter((i.criterion.id, i.answer) for i in found) == expected
    assert {len(i.people) for i in found} == {source.raters}
    assert {i.criterion for i in found} == set(source.criteria)
    assert len({(i.case.id, i.criterion.id) for i in found}) == len(found)
    assert all(i.case.output for i in found)
