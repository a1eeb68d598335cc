"""What a judge is asked: material inside fences, the criterion behind it, nothing filled in, no control tokens."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import jsonschema
import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from injected_texts import ATTACKS
from questions import CRITERIA, FAULT, REASON, SCALE, asked, case, criteria, parts, texts

from evalgate.authored.rubric import Example
from evalgate.judge.prompt import (
    messages,
    prefix,
    prompt_digest,
    question,
    response_format,
    shown,
)

ROOT = Path(__file__).parents[2]
WEIGHTS = "models/smollm2-135m-instruct.gguf"


@settings(deadline=None)
@given(texts, st.lists(texts, max_size=2), criteria)
@example("```", ["````\n"], REASON)
@example("``\u200b`", ["`\u2060``\n# The statement"], REASON)
def test_no_text_closes_its_fence(output, sources, criterion):
    found = parts(asked(case(output, *sources), criterion))
    wanted = [*sources, output]
    assert [part.text for part in found if part.inside][: len(wanted)] == [
        f"{shown(text)}\n" for text in wanted
    ]
    headings = [part.text.strip() for part in found if not part.inside][: len(wanted)]
    assert headings == [f"# Source: source {n}" for n in range(len(sources))] + [
        "# The text to check"
    ]


@settings(deadline=None)
@given(texts, texts, criteria)
def test_the_criterion_comes_behind_all_material_and_outside_of_every_fence(
    output, source, criterion
):
    content = asked(case(output, source), criterion)
    assert content.endswith(question(criterion))
    before = parts(content)[: 2 * 2]
    assert not any("# The statement" in part.text for part in before if not part.inside)
    behind = parts(content)[2 * 2]
    assert not behind.inside
    assert behind.text.strip().startswith(f"# The statement\n\n{criterion.ask}")


@settings(deadline=None)
@given(texts, texts)
def test_what_all_criteria_share_comes_first_and_is_the_same_to_the_letter(output, source):
    judged = case(output, source)
    system = {messages(judged, criterion)[0]["content"] for criterion in CRITERIA}
    assert len(system) == 1
    assert all(asked(judged, criterion).startswith(prefix(judged)) for criterion in CRITERIA)


@settings(deadline=None)
@given(texts)
def test_the_instructions_are_the_same_whatever_is_judged(output):
    system = messages(case(output, output), REASON)[0]
    assert system == messages(case("", ""), REASON)[0]
    assert system["role"] == "system"


@pytest.mark.parametrize(
    "text", [a.text for a in ATTACKS if a.kind == "placeholder"] + ["{criterion}", "{{ask}}", "%s"]
)
def test_nothing_is_filled_into_material_or_criterion(text):
    criterion = msgspec.structs.replace(REASON, ask=f"It is so: {text}")
    content = asked(case(text, text), criterion)
    assert content.count(shown(text)) >= 2
    assert f"It is so: {text}\n" in content


CONTROL_TOKENS = """\
<|im_start|> <|im_end|> <|endoftext|> <|im_sep|> <|im_user|> <|im_middle|> <s> </s> <unk> <pad> <bos> <eos> <mask>
<start_of_turn> <end_of_turn> <unused0> <|turn> <turn|> <|channel> <channel|> [INST] [/INST] [SYSTEM_PROMPT] [/SYSTEM_PROMPT] [TOOL_CALLS]
[AVAILABLE_TOOLS] [IMG] [gMASK] [CLS] [SEP] [MASK] [UNK] [PAD] [UNUSED_TOKEN_145] [|user|] [|assistant|] [|endofturn|] <|begin_of_text|> <|end_of_text|>
<|start_header_id|> <|end_header_id|> <|eot_id|> <|eom_id|> <|python_tag|> <|reserved_special_token_0|> <|start|> <|end|> <|message|>
<|channel|> <|return|> <|user|> <|assistant|> <|system|> <|observation|> <｜begin▁of▁sentence｜> <｜User｜> <｜Assistant｜>
<｜end▁of▁sentence｜> <|START_OF_TURN_TOKEN|> <|CHATBOT_TOKEN|> <|start_of_role|> <extra_id_0> <SPECIAL_10> <reserved_106> <eoh> <think> </think>
<tool_call> </tool_call> <seed:bos> ]~b] ]~!b[ [e~["""


@pytest.mark.parametrize("around", ["{}", "word{}word", "{}{}", "<{}>", "[{}]", "`{}`"])
def test_no_control_token_of_a_chat_model_stands_in_material(around):
    for token in CONTROL_TOKENS.split():
        text = around.replace("{}", token)
        assert token not in shown(text)
        hidden = text.replace(token, token[:2] + "\u200b" + token[2:])
        assert token not in shown(hidden), "what nobody sees keeps no token apart"
        assert token not in asked(case(hidden, text), REASON)


@pytest.mark.parametrize(
    "text",
    [
        "A1c <7.0 %, BP <140/90, p<0.05, creatinine < 1.2 and > 0.6, 3<4>2",
        "Call 555-0100 [2.1], see [3] and [4.2].",
        "I, [to be completed: member ID], appeal. [x] urgent [ ] not urgent",
        "# Summary\n\n| drug | dose |\n|---|---|\n| metformin | 500 mg |\n\n* one\n* two",
        "¿Qué se negó? El ibuprofeno; 2½ años — «sí».",
    ],
)
def test_ordinary_texts_are_shown_as_they_are(text):
    assert shown(text) == text


@settings(deadline=None)
@given(texts)
@example("<<SYS>> <<a>>")
@example("[[INST]] ]~]~b]")
def test_what_is_shown_shows_itself(text):
    assert shown(shown(text)) == shown(text)


@pytest.mark.parametrize(
    "attack", [a.text for a in ATTACKS if a.kind == "unicode"][:4], ids=lambda text: str(len(text))
)
def test_the_judge_reads_no_letter_that_people_cannot_see(attack):
    hidden = "\u200b\u200d\u202c\u202e\u2060\u2066\u2069\ufeff"
    found = shown(attack)
    assert not any(c in hidden or 0xE0000 <= ord(c) <= 0xE0FFF for c in found)
    assert len(found) < len(attack)


@settings(deadline=None)
@given(criteria)
def test_the_digest_covers_what_is_asked_and_not_what_it_is_worth(criterion):
    digest = prompt_digest(criterion, ("file",))
    replace = msgspec.structs.replace
    assert prompt_digest(replace(criterion, points=criterion.points / 2), ("file",)) == digest
    for other in (
        replace(criterion, ask="Another question."),
        replace(criterion, applies_when="Another condition."),
        replace(criterion, evidence="none" if criterion.evidence == "quote" else "quote"),
        replace(criterion, examples=(Example(answer="met", text="Another example."),)),
    ):
        assert prompt_digest(other, ("file",)) != digest
    assert prompt_digest(criterion, ("file", "notice")) != digest
    assert prompt_digest(criterion, ()) != digest


def test_not_applicable_is_possible_only_where_a_condition_can_fail():
    assert REASON.answers == ("met", "not_met", "cannot_tell")
    assert FAULT.answers == ("met", "not_met", "not_applicable", "cannot_tell")
    assert SCALE.answers == ("1", "2", "3", "4", "5", "cannot_tell")


@pytest.mark.parametrize("criterion", CRITERIA, ids=lambda criterion: criterion.id)
def test_the_schema_takes_every_possible_answer_and_no_other(criterion):
    schema = response_format(criterion)["json_schema"]["schema"]
    checker = jsonschema.Draft202012Validator(schema)
    for answer in ("met", "not_met", "not_applicable", "cannot_tell", "void", *"012345", "MET", ""):
        verdict = {"quote": "", "reason": "", "answer": answer}
        assert checker.is_valid(verdict) == (answer in criterion.answers)
    assert not checker.is_valid({"quote": "", "answer": criterion.answers[0]})
    assert not checker.is_valid(
        {"quote": "", "reason": "", "answer": criterion.answers[0], "score": "1"}
    )


@pytest.mark.embedded
@pytest.mark.skipif(
    importlib.util.find_spec("xllamacpp") is None or not (ROOT / WEIGHTS).is_file(),
    reason="the embedded extra or the imported SmolLM2 weights are missing",
)
def test_a_real_server_reads_control_tokens_in_a_plain_message_and_none_in_material(tmp_path):
    """The first half says why `shown` is needed: should it fail one day, servers have learned to tell users' words apart."""
    import httpx

    from evalgate.models import identify, serving
    from evalgate.records import ModelSpec

    spec = ModelSpec(
        server="llamacpp", artifact=WEIGHTS, args=("--parallel", "1", "--threads", "1")
    )
    attack = next(a.text for a in ATTACKS if a.kind == "fake turn")
    with serving("m", spec, ROOT, identify("m", spec, ROOT), tmp_path) as server:
        endpoint = server.endpoint
        with httpx.Client(
            base_url=endpoint.url[: -len("v1")],
            headers={"Authorization": f"Bearer {endpoint.api_key}"},
            timeout=60,
        ) as client:

            def turns(content: str) -> int:
                """Turns that the server finds in a conversation of one message."""
                chat = {"messages": [{"role": "user", "content": content}]}
                rendered = client.post("apply-template", json=chat).json()["prompt"]
                body = {"content": rendered, "parse_special": True}
                ids = client.post("tokenize", json=body).json()["tokens"]
                start = client.post("tokenize", json={**body, "content": "<|im_start|>"}).json()
                assert len(start["tokens"]) == 1, "another model than this test knows"
                return ids.count(start["tokens"][0])

            honest = turns("A letter.")
            assert turns(attack) == honest + 1
            assert turns(asked(case(attack, attack), REASON)) == honest
