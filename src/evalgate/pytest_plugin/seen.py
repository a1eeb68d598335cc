"""What the reports of a session said about one test, and whether it went around its claim."""

from __future__ import annotations

from evalgate.pytest_plugin.fixtures import BYPASS, FINDING


class Seen:
    """What the reports said about one test."""

    def __init__(self) -> None:
        self.calls = 0
        self.passed = False
        self.skipped = False
        self.expected_to_fail = False
        self.rerun = False
        self.reports = 0
        self.cause = ""
        self.properties: dict[str, list[str]] = {}

    def way_around(self, *, expected: bool) -> str:
        """How the test went around its claim, "" if it did not."""
        if not self.reports:
            return "its test did not run (deselected, or lost)"
        if said := self.properties.get(BYPASS):
            return said[0]
        if not expected:
            return "a test without a threshold in gate.toml"
        if self.expected_to_fail:
            return "its test is marked as expected to fail"
        if self.skipped:
            return "its test was skipped"
        if self.rerun or self.calls > 1:
            return "its test was run more than once"
        if len(self.properties.get(FINDING, [])) != 1:
            return f"its test ended without a finding{self.cause}"
        return ""
