"""Prompt files: sections, placeholders, one-pass rendering."""

import pytest
from authored_files import only, told, write
from hypothesis import given
from hypothesis import strategies as st

from evalgate import digest
from evalgate.authored import Problems, load_prompt

NAME = "suites/prompts/triage.md"


def load(root, text):
    problems = Problems()
    prompt = load_prompt(write(root, NAME, text), root, problems)
    assert (prompt is None) == (len(problems) > 0)
    return prompt, problems


def test_a_file_without_sections_is_one_user_message(tmp_path):
    text = "<!-- licence -->\n<!--\nnotes {{no}}\n-->\n\n# Title\n\nSort this: {{input}}\n\n"
    prompt, _ = load(tmp_path, text)
    assert prompt.path == NAME
    assert prompt.digest == digest.of_bytes(text.encode())
    assert prompt.placeholders == ("input",)
    assert prompt.render("a request") == [
        {"role": "user", "content": "# Title\n\nSort this: a request"},
    ]


def test_sections_are_messages_in_their_order(tmp_path):
    text = """\
## system
Be {{mood}}.

## user
First {{case}}

### A heading of the message
## assistant
ok
## user

Then {{ case }} {{facts}}
"""
    prompt, _ = load(tmp_path, text)
    assert prompt.placeholders == ("case", "facts", "mood")
    assert prompt.render(
        {"mood": "kind", "case": "x", "facts": ["é", {"n": 1.5, "t": None}], "more": 1}
    ) == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "First x\n\n### A heading of the message"},
        {"role": "assistant", "content": "ok"},
        {"role": "user", "content": 'Then x ["é",{"n":1.5,"t":null}]'},
    ]


def test_windows_line_ends_render_the_same(tmp_path):
    text = "## system\nBe kind.\n## user\n{{input}}\nnow\n"
    unix, _ = load(tmp_path, text)
    windows, _ = load(tmp_path, text.replace("\n", "\r\n"))
    assert windows.render("x") == unix.render("x")
    assert windows.digest != unix.digest


def test_a_text_with_placeholders_pulls_nothing_in(tmp_path):
    prompt, _ = load(tmp_path, "{{question}} {{answer}}")
    given_input = {"question": "{{answer}} {{question}}", "answer": "42", "{{answer}}": "x"}
    assert prompt.render(given_input) == [{"role": "user", "content": "{{answer}} {{question}} 42"}]


def test_an_unknown_placeholder_tells_the_known_keys_and_no_value(tmp_path):
    prompt, _ = load(tmp_path, "{{narative}}")
    with pytest.raises(ValueError, match="narative") as caught:
        prompt.render({"narrative": "patient Doe", "date": "x"})
    assert str(caught.value) == (
        f"{NAME}: EG172 found the placeholder {{{{narative}}}}, expected one of the input's keys (date, narrative). "
        "Correct the prompt or the gold set."
    )
    with pytest.raises(ValueError, match=r"keys \(input\)"):
        prompt.render("patient Doe")


FAULTS = {
    "an empty file": ("", ["1:1: EG170 found no text, expected a prompt. Write what to ask."]),
    "only a comment": ("<!-- x -->\n", ["2:1: EG170 found no text, expected a prompt."]),
    "an open comment": (
        "\n<!-- x\n{{input}}",
        ["2:1: EG174 found a comment that is never closed, expected `-->`. Close it."],
    ),
    "no placeholder": (
        "<!-- {{input}} -->\nAsk.\n",
        ["2:1: EG173 found no placeholder, expected at least one such as {{input}}"],
    ),
    "a placeholder that is no name": (
        "Ask\n  {{na me}} {{input}}",
        ["2:3: EG173 found {{ }} around something that is no name, expected a key of the input"],
    ),
    "an empty placeholder": (
        "{{}} {{input}}",
        ["1:1: EG173 found {{ }} around something that is no name"],
    ),
    "text before the sections": (
        "\npreface\n## user\n{{input}}",
        ["2:1: EG171 found text before `## user`, expected none: it belongs to no message."],
    ),
    "an empty section": (
        "## system\n\n## user\n{{input}}",
        ["1:1: EG170 found nothing below `## system`, expected text."],
    ),
    "a section spelt otherwise": (
        "## user\n{{input}}\n## Assistant\nx",
        ["3:1: EG171 found `## Assistant`, expected `## assistant` exactly."],
    ),
    "a section with a colon": (
        "##user:\n{{input}}",
        ["1:1: EG171 found `##user:`, expected `## user` exactly."],
    ),
    "a late system message": (
        "## user\n{{input}}\n## system\nx\n## user\ny",
        [
            "3:1: EG171 found `## system`, expected `## assistant` here: at most one system message, first"
        ],
    ),
    "two user messages": (
        "## user\n{{input}}\n## user\ny",
        ["3:1: EG171 found `## user`, expected `## assistant` here"],
    ),
    "an assistant first": (
        "## assistant\nx\n## user\n{{input}}",
        ["1:1: EG171 found `## assistant`, expected `## user` here"],
    ),
    "an assistant last": (
        "## user\n{{input}}\n## assistant\nx",
        [
            "3:1: EG171 found `## assistant` as the last message, expected `## user`: the model answers it."
        ],
    ),
    "a byte order mark": ("\ufeff{{input}}", ["1:1: EG102 found a byte order mark"]),
    "another encoding": (b"{{input}}\n\xe9", ["2:1: EG102 found the byte 0xe9, expected UTF-8."]),
}


@pytest.mark.parametrize(("text", "expected"), FAULTS.values(), ids=FAULTS)
def test_a_faulty_prompt_is_refused_where_it_stands(tmp_path, text, expected):
    _, problems = load(tmp_path, text)
    assert len(problems) == len(expected), told(problems)
    for problem, start in zip(told(problems), expected, strict=True):
        assert problem.startswith(f"{NAME}:{start}")


def test_everything_wrong_at_once_is_told_at_once(tmp_path):
    text = "preface\n## System\n## system\n\n## assistant\n{{a b}}\n## user\nx\n## system\ny\n"
    _, problems = load(tmp_path, text)
    assert sorted((p.line, p.code) for p in problems) == [
        (1, "EG171"),
        (2, "EG171"),
        (3, "EG170"),
        (5, "EG171"),
        (6, "EG173"),
        (9, "EG171"),
        (9, "EG171"),
    ]


def test_a_missing_file_is_a_problem(tmp_path):
    problems = Problems()
    assert load_prompt(tmp_path / NAME, tmp_path, problems) is None
    assert only(problems).startswith(f"{NAME}: EG101 found no such file")


@given(st.text(st.characters(codec="utf-8", exclude_characters="{}\r")), st.text())
def test_an_input_stands_in_the_message_as_it_is(tmp_path_factory, before, given_input):
    prompt, problems = load(tmp_path_factory.mktemp("one"), "## user\n-" + before + "{{input}}-")
    if prompt is not None:
        assert prompt.render(given_input)[-1]["content"].endswith(given_input + "-")
    else:
        assert {p.code for p in problems} <= {"EG170", "EG171", "EG173"}


PIECES = [
    "## system\n",
    "## user\n",
    "## assistant\n",
    "##User\n",
    "{{a}}",
    "{{",
    "}}",
    "<!--",
    "-->",
    "\n",
    " ",
    "x",
    "\r\n",
]


@given(
    st.binary(max_size=100)
    | st.lists(st.sampled_from(PIECES), max_size=20).map("".join).map(str.encode)
)
def test_arbitrary_bytes_are_never_more_than_a_problem(tmp_path_factory, data):
    prompt, _ = load(tmp_path_factory.mktemp("one"), data)
    if prompt is not None:
        messages = prompt.render(dict.fromkeys(prompt.placeholders, "v"))
        assert messages[-1]["role"] == "user"
        assert all(m["content"] for m in messages)
