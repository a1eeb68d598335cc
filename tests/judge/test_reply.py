"""From raw replies to verdicts: whatever a judge writes, it is one of the possible answers or void, and void says why."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from questions import CRITERIA, FAULT, REASON, SCALE, case, criteria, texts

from evalgate.judge.prompt import LONGEST_QUOTE, LONGEST_REASON, shown
from evalgate.judge.reply import LONGEST_REPLY, read

LETTER = "Your claim was denied because\nthe trial was too short (<6 weeks). Call 555-0100."
FILE = "The claim was denied on May 2. Trial: 2 weeks."
CASE = case(LETTER, FILE)


def reply(answer: str = "met", quote: str = "claim was denied", reason: str = "") -> str:
    return json.dumps({"quote": quote, "reason": reason, "answer": answer})


words = st.sampled_from(
    ["met", "not_met", "not_applicable", "cannot_tell", *"12345", "MET", "void", " met", "", "6"]
)
quotes = st.one_of(st.sampled_from(["claim was denied", "the trial", "t", "  ", "", LETTER]), texts)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9), words),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["quote", "reason", "answer", "x"]), inner, max_size=4),
    ),
    max_leaves=6,
)
verdicts = st.fixed_dictionaries({"quote": quotes, "reason": texts, "answer": words})
broken = st.builds(lambda v, a, b: json.dumps(v)[a:] + json.dumps(v)[:b], verdicts, *2 * [st.integers(-9, 9)])  # fmt: skip
replies = st.one_of(texts, broken, st.one_of(values, verdicts).map(json.dumps))
endings = st.sampled_from(["stop", "stop", "stop", "length", "timeout", "", "content_filter"])


@settings(deadline=None)
@given(replies, endings, criteria)
@example('{"quote": "\\ud83d", "reason": "", "answer": "cannot_tell"}', "stop", REASON)
@example('{"quote": "", "reason": ' + "9" * 5000 + ', "answer": "met"}', "stop", REASON)
@example("[" * 9_999, "stop", REASON)
@example('{"quote": "", "reason": NaN, "answer": "met"}', "stop", REASON)
@example("\x00", "stop", SCALE)
def test_no_reply_breaks_the_reader_and_none_says_more_than_was_asked(text, finish, criterion):
    found = read(text, finish, CASE, criterion)
    assert found.answer in (*criterion.answers, "void")
    assert bool(found.void) == (found.answer == "void")
    assert (found.item, found.criterion, found.by) == ("i", criterion.id, "judge")
    assert len(found.quote) <= LONGEST_QUOTE
    assert len(found.reason) <= LONGEST_REASON
    msgspec.json.encode(found)  # every file can hold it
    if finish != "stop" or found.answer == "void":
        assert (found.answer, found.quote, found.reason) == ("void", "", "")
    else:
        assert json.loads(text)["answer"] == found.answer


@settings(deadline=None)
@given(replies, criteria)
def test_a_void_says_nothing_that_the_judge_wrote(text, criterion):
    text = f"~~{text}"[: LONGEST_REPLY // 2]
    assert read(text, "stop", CASE, criterion) == read("~~", "stop", CASE, criterion)


@pytest.mark.parametrize("criterion", CRITERIA, ids=lambda criterion: criterion.id)
def test_every_possible_answer_is_read(criterion):
    for answer in criterion.answers:
        found = read(reply(answer, reason="It is so."), "stop", CASE, criterion)
        assert (found.answer, found.void) == (answer, "")
        assert (found.quote, found.reason) == ("claim was denied", "It is so.")


AROUND = "no JSON object, or something around it"
KEYS = "JSON without exactly quote, reason and answer"
TEXTS = "JSON with something else than texts"
LONG = "a reason or quote beyond its length"
NO_ANSWER = "an answer that is none of those asked for"
NOWHERE = "a quote that stands neither in the output nor in a source"
VOIDS = {
    "a word before": ("Verdict: " + reply(), AROUND),
    "a word behind": (reply() + " So it is.", AROUND),
    "another verdict behind": (reply() + reply(), AROUND),
    "in a fence": ("```json\n" + reply() + "\n```", AROUND),
    "a key twice": (reply()[:-1] + ', "answer": "met"}', AROUND),
    "prose": ("met", AROUND),
    "a text": ('"met"', KEYS),
    "in a list": ("[" + reply() + "]", KEYS),
    "a key more": (reply()[:-1] + ', "score": "1"}', KEYS),
    "a key less": ('{"quote": "claim was denied", "answer": "met"}', KEYS),
    "a list": ('{"quote": ["claim was denied"], "reason": "", "answer": "met"}', TEXTS),
    "true": ('{"quote": "claim was denied", "reason": "", "answer": true}', TEXTS),
    "half a character": (reply(reason="\ud83d"), "a lone half of a character, which no file can hold"),
    "a long reason": (reply(reason="x" * (LONGEST_REASON + 1)), LONG),
    "a long quote": (reply(quote=LETTER * 9), LONG),
    "a long reply": (reply() + " " * LONGEST_REPLY, f"a reply of more than {LONGEST_REPLY} characters"),
    "nothing": (" \n", "an empty reply"),
    "capitals": (reply("MET"), NO_ANSWER),
    "space": (reply("met "), NO_ANSWER),
    "a step of a scale": (reply("1"), NO_ANSWER),
    "the word void": (reply("void"), NO_ANSWER),
    "no quote": (reply(quote=""), "no quote where one is required"),
    "a blank quote": (reply(quote=" \n "), "no quote where one is required"),
    "two letters": (reply(quote="t h"), NOWHERE),
    "an invented quote": (reply(quote="the moon is made of cheese"), NOWHERE),
    "two quotes in one": (reply(quote="claim was denied ... too short"), NOWHERE),
    "other capitals": (reply(quote="CLAIM WAS DENIED"), NOWHERE),
    "a quote of the question": (reply(quote="At least %s."), NOWHERE),
}  # fmt: skip


@pytest.mark.parametrize(("text", "why"), VOIDS.values(), ids=VOIDS)
def test_what_is_no_verdict_is_void_and_says_why(text, why):
    assert read(reply(), "stop", CASE, FAULT).answer == "met"
    found = read(text, "stop", CASE, FAULT)
    assert (found.answer, found.quote, found.reason, found.void) == ("void", "", "", why)


@pytest.mark.parametrize("finish", ["length", "timeout", "content_filter", "tool_calls", ""])
def test_what_did_not_end_of_itself_is_void_however_whole_it_looks(finish):
    found = read(reply(), finish, CASE, FAULT)
    assert (found.answer, found.void) == (
        "void",
        "no reply in time" if finish == "timeout" else "a reply that was cut off",
    )


@pytest.mark.parametrize("answer", ["not_met", "not_applicable", "cannot_tell"])
def test_a_quote_is_required_with_met_alone_and_a_false_one_is_dropped(answer):
    found = read(reply(answer, quote="the moon is made of cheese"), "stop", CASE, FAULT)
    assert (found.answer, found.quote) == (answer, "")
    assert read(reply(quote=""), "stop", CASE, REASON).answer == "met"


@pytest.mark.parametrize(
    "quote",
    ["denied because the trial", " the  trial\nwas too ", "Trial: 2 weeks.", "(<6 weeks)", "555"],
)
def test_a_quote_may_fold_white_space_and_may_come_from_a_source(quote):
    found = read(reply(quote=quote), "stop", CASE, FAULT)
    assert (found.answer, found.quote) == ("met", quote)


@settings(deadline=None)
@given(st.data(), texts)
def test_whatever_is_copied_from_what_was_shown_is_found(data, output):
    """Control tokens and unseen characters are shown changed; a copy of either form is the same quote."""
    seen = shown(output)
    start = data.draw(st.integers(0, len(seen)))
    quote = seen[start : start + data.draw(st.integers(3, 40))]
    folded = "".join(quote.split())
    found = read(reply(quote=quote), "stop", case(output), FAULT)
    assert found.answer == ("met" if len(folded) >= 3 else "void")


def test_a_token_is_quoted_as_it_was_written_or_as_it_was_shown():
    output = "All is well.<|im_end|><|im_start|>assistant"
    for quote in ("well.<|im_end|>", "well.‹|im_end|>", "‹|im_start|>assistant"):
        assert read(reply(quote=quote), "stop", case(output), FAULT).quote == quote
