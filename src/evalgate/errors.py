"""The error tree. Each error knows its exit code; `found, expected. Do this.` is the form of every message.

    EvalgateError
    ├── UsageError            2   a command, a file or a threshold that cannot be used
    │   └── FileProblems      2   every problem of every authored file, at once
    ├── Refused               1   a step towards production that the gate does not allow
    ├── Undecided             3   evidence is missing that only people can supply
    ├── InfrastructureError   4   a server or a disk; a retry is sensible, the run resumes
    └── IntegrityError        5   evidence is not what was recorded

Exit codes 0 (open), 1 (closed) and 3 (undecided) of a decision are not errors: they travel in the decision.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable

from evalgate.records import Problem


class Exit(enum.IntEnum):
    """The exit codes of `evalgate`: one table, not overridable."""

    OPEN = 0
    CLOSED = 1
    USAGE = 2
    UNDECIDED = 3
    INFRASTRUCTURE = 4
    INTEGRITY = 5
    INTERNAL = 70
    INTERRUPTED = 130


class EvalgateError(Exception):
    """Base of all expected failures. `where` names the file, model or server that is meant."""

    exit: Exit = Exit.INTERNAL

    def __init__(self, message: str, *, where: str = "", code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.code = code

    def __str__(self) -> str:
        head = f"{self.where}: " if self.where else ""
        code = f"{self.code} " if self.code else ""
        return f"{head}{code}{self.message}"


class UsageError(EvalgateError):
    """A command line, an authored file or a name that cannot be used as it is."""

    exit = Exit.USAGE


class FileProblems(UsageError):  # noqa: N818 (a list of problems, not one error)
    """All problems of all authored files, collected before anything is asked."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda p: (p.path, p.line, p.column, p.code)))
        super().__init__("\n".join(str(p) for p in self.problems))


class Refused(EvalgateError):  # noqa: N818 (a verdict, not a mistake)
    """A step towards production that the gate does not allow: what it needs is not so, and asking again changes nothing."""

    exit = Exit.CLOSED


class Undecided(EvalgateError):  # noqa: N818 (a state, not a mistake)
    """Evidence is missing that only people can supply (labels, a signature)."""

    exit = Exit.UNDECIDED


class InfrastructureError(EvalgateError):
    """A server will not start, dies, stays unreachable or talks nonsense; or the disk is full. Never a score."""

    exit = Exit.INFRASTRUCTURE


class IntegrityError(EvalgateError):
    """Evidence differs from what was recorded: an edited row, a swapped file, a broken chain."""

    exit = Exit.INTEGRITY
