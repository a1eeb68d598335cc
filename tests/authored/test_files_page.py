"""docs/files.md: every example loads, and every key is described."""

import re
from pathlib import Path

import pytest
from authored_files import told, write

from evalgate.authored import (
    Card,
    GateSettings,
    Problems,
    explain,
    load_card,
    load_gate,
    load_gold,
    load_prompt,
    load_settings,
)
from evalgate.records import Bar, GoldItem, ModelSpec

PAGE = (Path(__file__).parents[2] / "docs/files.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"<!-- example: (\S+) -->\n```\w+\n(.*?)```", PAGE, re.DOTALL))
LOADERS = {
    "gate.toml": load_gate,
    "goldsets/claim_entities.jsonl": load_gold,
    "goldsets/claim_entities.toml": load_card,
    "suites/prompts/claim_entities.md": load_prompt,
    "evalgate.toml": load_settings,
}


@pytest.mark.parametrize("name", LOADERS)
def test_every_example_loads(tmp_path, name):
    problems = Problems()
    loaded = LOADERS[name](write(tmp_path, name, EXAMPLES[name]), tmp_path, problems)
    assert told(problems) == []
    assert loaded is not None


def test_there_is_no_other_example():
    assert EXAMPLES.keys() == LOADERS.keys()


def test_the_examples_fit_together(tmp_path):
    problems = Problems()
    files = {name: write(tmp_path, name, text) for name, text in EXAMPLES.items()}
    gate = load_gate(files["gate.toml"], tmp_path, problems)
    models = load_settings(files["evalgate.toml"], tmp_path, problems).models
    gold = load_gold(files["goldsets/claim_entities.jsonl"], tmp_path, problems)
    prompt = load_prompt(files["suites/prompts/claim_entities.md"], tmp_path, problems)
    assert gate.settings.baseline in models
    assert "spanish" in gold.tags
    assert [prompt.render(i.input)[-1]["content"] for _, i in gold.items()] == [
        i.input["narrative"] for _, i in gold.items()
    ]


@pytest.mark.parametrize(
    "key",
    sorted(
        {k for r in (Bar, Card, GateSettings, GoldItem, ModelSpec) for k in r.__struct_fields__}
    ),
)
def test_every_key_is_described(key):
    text = re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)
    assert re.search(rf"`{key}`|`{key} = ", text)


def test_every_code_that_is_shown_is_explained():
    codes = set(re.findall(r"EG\d{3}", PAGE))
    assert codes
    assert all(explain(code) for code in codes)
