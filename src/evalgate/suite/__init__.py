"""A suite of one task, its answers, and the asking of a model through the store."""

from evalgate.suite.answers import Answers, FirstRelease
from evalgate.suite.asking import AskedModel, ask_model, identify_model
from evalgate.suite.parse import parse_json, parse_label, parse_text
from evalgate.suite.project import LoadedSuite, Project, load_project
from evalgate.suite.suite import Suite

__all__ = [
    "Answers",
    "AskedModel",
    "FirstRelease",
    "LoadedSuite",
    "Project",
    "Suite",
    "ask_model",
    "identify_model",
    "load_project",
    "parse_json",
    "parse_label",
    "parse_text",
]
