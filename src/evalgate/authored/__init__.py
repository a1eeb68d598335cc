"""Files that people write, loaded into frozen records; every problem of a file is found at once.

    problems = Problems()
    gate = load_gate(root / "gate.toml", root, problems)
    gold = load_gold(root / "goldsets/claim_entities.jsonl", root, problems)
    problems.raise_if_any()          # FileProblems, exit 2

A loader returns None when its file has a problem. docs/files.md describes the files.
"""

from evalgate.authored.card import Card, card_path, load_card
from evalgate.authored.codes import explain, known_codes
from evalgate.authored.feasible import check as check_feasible
from evalgate.authored.gate_toml import GateFile, GateSettings, load_gate
from evalgate.authored.gold import GoldSet, load_gold
from evalgate.authored.label_file import Labels, load_labels
from evalgate.authored.labels import Label
from evalgate.authored.problems import Problems, nearest, relative
from evalgate.authored.prompt import Prompt, load_prompt
from evalgate.authored.rubric import Criterion, Rubric
from evalgate.authored.rubric_file import load_rubric
from evalgate.authored.settings import Settings, find_project, load_settings

__all__ = [
    "Card",
    "Criterion",
    "GateFile",
    "GateSettings",
    "GoldSet",
    "Label",
    "Labels",
    "Problems",
    "Prompt",
    "Rubric",
    "Settings",
    "card_path",
    "check_feasible",
    "explain",
    "find_project",
    "known_codes",
    "load_card",
    "load_gate",
    "load_gold",
    "load_labels",
    "load_prompt",
    "load_rubric",
    "load_settings",
    "nearest",
    "relative",
]
