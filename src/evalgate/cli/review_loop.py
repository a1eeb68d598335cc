"""The labelling loop: one output, one criterion at a time, in a terminal or from a pipe.

Nothing on the screen comes from a judge or from another rater, and no model is named. Texts are shown with everything
unprintable replaced: an output must not be able to rewrite the screen it is judged on.
"""

from __future__ import annotations

import os
import select
import shutil
import sys
import termios
import textwrap
import tty
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalgate.authored.label_file import append, replace
from evalgate.authored.problems import count
from evalgate.judge.reply import occurs
from evalgate.judge.review import answer_lines, example_lines, new_label
from evalgate.report.words import plain

if TYPE_CHECKING:
    from evalgate.authored.labels import Label
    from evalgate.authored.rubric import Criterion, Rubric
    from evalgate.crypto.seal import SealKey
    from evalgate.judge.case import Case
    from evalgate.judge.review import Turn

WIDEST = 100
_KEYS = {"met": "m", "not_met": "n", "not_applicable": "a", "cannot_tell": "c"}
_WORDS = {"not_met": "not met", "not_applicable": "does not apply", "cannot_tell": "cannot tell"}
_HELP = """\
Say whether the statement is true of the output, not whether the output is good. Look at nothing but what is shown.
  q  copy words from the output or a source that show your answer
  r  leave a remark for the authors of the rubric
  t  show the text again
  b  go back to the question before; a new answer takes the place of the old one
  s  skip this question; it comes again when you start again
  x  stop; every answer is saved already"""

Question = tuple["Turn", "Criterion"]


class Stop(Exception):  # noqa: N818 (the rater's wish, no error)
    """The rater stops, or the input has ended."""


class Console:
    """A terminal, where keys need no Enter, or a pipe, where every answer is a line."""

    def __init__(self) -> None:
        self.terminal = sys.stdin.isatty() and sys.stdout.isatty()
        self.width = min(WIDEST, shutil.get_terminal_size().columns)

    def say(self, text: str = "") -> None:
        """Prints lines; what the output's encoding does not have becomes a question mark."""
        encoding = sys.stdout.encoding or "utf-8"
        click.echo(text.encode(encoding, "replace").decode(encoding))

    def wrapped(self, text: str, indent: str = "") -> list[str]:
        """Printable lines of a text that may hold anything."""
        lines = []
        for line in text.split("\n"):
            lines += textwrap.wrap(
                plain(line), self.width, initial_indent=indent, subsequent_indent=indent
            ) or [""]
        return lines

    def page(self, lines: Sequence[str]) -> None:
        """Prints lines, a screenful at a time in a terminal."""
        height = max(5, shutil.get_terminal_size().lines - 2)
        size = height if self.terminal else len(lines) or 1
        for start in range(0, len(lines), size):
            self.say("\n".join(lines[start : start + size]))
            if start + size < len(lines) and self.key("-- more: any key, e to the end --") == "e":
                self.say("\n".join(lines[start + size :]))
                return

    def key(self, prompt: str) -> str:
        """One key, or the first letter of a line; small letters. Raises Stop at the end of input."""
        if not self.terminal:
            return self.line(prompt)[:1].lower()
        click.echo(prompt + " ", nl=False)
        key = _press(sys.stdin.fileno())
        if key in ("\x04", ""):
            self.say()
            raise Stop
        self.say(key if key.isprintable() else "")
        return key.lower()

    def line(self, prompt: str) -> str:
        """One line. Raises Stop at the end of input."""
        click.echo(prompt + " ", nl=False)
        sys.stdout.flush()
        line = sys.stdin.readline()
        if not line:
            self.say()
            raise Stop
        return line.strip()

    def yes(self, question: str) -> bool:
        """Asks until yes or no is said. Raises click.Abort at the end of input."""
        while True:
            try:
                said = self.line(f"{question} (yes/no)").lower()
            except Stop:
                raise click.Abort from None
            if said in ("yes", "no"):
                return said == "yes"


def _press(fd: int) -> str:
    """The next key without waiting for Enter; what was typed ahead is kept. Arrows and the like are one key of no meaning."""
    before = termios.tcgetattr(fd)
    try:
        tty.setcbreak(fd, termios.TCSADRAIN)
        key = os.read(fd, 1).decode("ascii", "replace")
        while key == "\x1b" and select.select([fd], [], [], 0.05)[0]:
            os.read(fd, 32)
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)
    return key


class Loop:
    """One rater's session. Answers land in the file before the next question is shown."""

    def __init__(
        self,
        console: Console,
        rubric: Rubric,
        cases: Mapping[str, Case],
        path: Path,
        labels: Iterable[Label],
        *,
        rater: str,
        simulated: bool,
        seal: SealKey | None = None,
    ) -> None:
        """`path`: the file of the labels, under `seal` if it is a sealed one."""
        self._console = console
        self._rubric = rubric
        self._cases = cases
        self._path = path
        self._seal = seal
        self._rater = rater
        self._simulated = simulated
        self._given = {
            (x.item, x.criterion, x.repeat): x
            for x in labels
            if x.who == rater.casefold()
            and not x.adjudicates
            and x.item in cases
            and x.output == cases[x.item].digest
        }

    def read(self, turns: Sequence[Turn]) -> None:
        """Goes through the open questions of the turns until they are answered, or the rater stops."""
        questions = [(turn, c) for turn in turns for c in self._rubric.read_by_people]
        place = {turn: n for n, turn in enumerate(turns, start=1)}
        left = count(self._open(questions), "question")
        self._tell(f"{self._rubric.title}: {left} open. ? is for help, x stops.")
        if self._rubric.reader:
            self._tell(f"The outputs are written for: {self._rubric.reader}")
        at, shown = self._next(questions, 0), None
        try:
            while at < len(questions):
                turn, criterion = questions[at]
                if turn != shown:
                    self._show(self._cases[turn.item], f"Text {place[turn]} of {len(turns)}")
                    shown = turn
                key = self._ask(turn, criterion)
                at = max(0, at - 1) if key == "back" else self._next(questions, at + 1)
        except Stop:
            pass
        except KeyboardInterrupt:
            self._console.say()
            raise
        finally:
            self._end(self._open(questions))

    def settle(self, disputes: Mapping[tuple[str, str], list[Label]]) -> None:
        """Asks about every question on which others differ, with what they said and without who they are."""
        mine = [
            q
            for q, found in disputes.items()
            if self._rater.casefold() not in {x.who for x in found}
        ]
        own = len(disputes) - len(mine)
        beside = f", and {own} that you answered yourself" if own else ""
        self._tell(f"{count(len(mine), 'question')} on which raters differ{beside}. x stops.")
        shown, settled = "", 0
        try:
            for item, name in mine:
                criterion = self._rubric.criterion(name)
                assert criterion is not None
                if item != shown:
                    self._show(self._cases[item], "Text")
                    shown = item
                self._question(criterion)
                for said in disputes[item, name]:
                    self._console.say(
                        f"  A rater said: {_word(said.answer)} {_beside(said)}".rstrip()
                    )
                how = self._answer(self._cases[item], criterion, adjudicates=True)
                settled += how == "answered"
        except Stop:
            pass
        except KeyboardInterrupt:
            self._console.say()
            raise
        finally:
            self._end(len(mine) - settled)

    def _end(self, left: int) -> None:
        self._tell(
            f"{count(left, 'question')} still open; the same command goes on."
            if left
            else "Nothing is open. Thank you."
        )

    def _tell(self, text: str) -> None:
        self._console.say("\n".join(self._console.wrapped(text)))

    def _open(self, questions: Sequence[Question]) -> int:
        return sum(self._is_open(turn, c) for turn, c in questions)

    def _is_open(self, turn: Turn, criterion: Criterion) -> bool:
        return (turn.item, criterion.id, turn.repeat) not in self._given

    def _next(self, questions: Sequence[Question], start: int) -> int:
        """The first open question from `start` on. One that was skipped at first is not repeated."""
        for at in range(start, len(questions)):
            turn, criterion = questions[at]
            skipped = turn.repeat and (turn.item, criterion.id, False) not in self._given
            if self._is_open(turn, criterion) and not skipped:
                return at
        return len(questions)

    def _show(self, case: Case, title: str) -> None:
        lines = ["", f"== {title} ".ljust(self._console.width, "=")]
        for name, text in case.sources:
            lines += [
                f"-- {plain(name)} ".ljust(self._console.width, "-"),
                *self._console.wrapped(text),
            ]
        lines += [
            "-- The output ".ljust(self._console.width, "-"),
            *self._console.wrapped(case.output),
        ]
        self._console.page([*lines, "=" * self._console.width])

    def _question(self, criterion: Criterion) -> None:
        console = self._console
        console.say()
        for line in console.wrapped(criterion.ask):
            console.say(line)
        for answer, meaning in answer_lines(criterion):
            word = "" if answer.isdecimal() else f"{_word(answer):<16}"
            head = f"  {_KEYS.get(answer, answer)}  {word}"
            text = textwrap.wrap(plain(meaning), max(20, console.width - len(head))) or [""]
            console.say(f"\n{' ' * len(head)}".join([head + text[0], *text[1:]]))
        for example in example_lines(criterion):
            console.say("\n".join(console.wrapped(plain(example), "     ")))

    def _ask(self, turn: Turn, criterion: Criterion) -> str:
        self._question(criterion)
        before = self._given.get((turn.item, criterion.id, turn.repeat))
        if before is not None:
            self._console.say(f"  You said: {_word(before.answer)} {_beside(before)}".rstrip())
        return self._answer(self._cases[turn.item], criterion, repeat=turn.repeat, before=before)

    def _answer(
        self,
        case: Case,
        criterion: Criterion,
        *,
        repeat: bool = False,
        adjudicates: bool = False,
        before: Label | None = None,
    ) -> str:
        """Reads keys until there is an answer, which is saved ("answered"), or the rater moves ("back", "skip")."""
        keys = {_KEYS.get(answer, answer): answer for answer, _ in answer_lines(criterion)}
        # a remark outlives a second answer; a quote shows one answer alone
        beside = {"quote": "", "comment": before.comment if before else ""}
        others = "q r t s ? x" if adjudicates else "q r t b s ? x"
        while True:
            key = self._console.key(f"[{' '.join(keys)}  {others}]")
            if key == "x":
                raise Stop
            if key == "b" and not adjudicates:
                return "back"
            if key == "s":
                return "skip"
            if key not in keys:
                self._help_with(key, case, criterion, beside, f"{' '.join(keys)} and {others}")
                continue
            if keys[key] == "met" and criterion.evidence == "quote" and not beside["quote"]:
                self._console.say("Copy the words that show it.")
                beside["quote"] = self._quote(case)
                if not beside["quote"]:
                    continue
            label = new_label(
                self._rubric,
                criterion,
                case,
                rater=self._rater,
                answer=keys[key],
                **beside,
                repeat=repeat,
                adjudicates=adjudicates,
                simulated=self._simulated,
            )
            self._save(label, before)
            return "answered"

    def _help_with(
        self, key: str, case: Case, criterion: Criterion, beside: dict[str, str], keys: str
    ) -> None:
        """The keys that are no answer: what goes beside it, the text again, help."""
        if key == "q":
            beside["quote"] = self._quote(case)
        elif key == "r":
            beside["comment"] = self._console.line("Remark:")
        elif key == "t":
            self._show(case, "Text")
            self._question(criterion)
        else:
            self._tell(_HELP if key == "?" else f"Keys are {keys}.")

    def _quote(self, case: Case) -> str:
        """Words that stand in the output or a source; "" if the rater thinks better of it."""
        while True:
            quote = self._console.line("Quote (nothing: without one):")
            if not quote or occurs(quote, case):
                return quote
            self._console.say(
                "These words stand neither in the output nor in a source. Copy them exactly."
            )

    def _save(self, label: Label, before: Label | None) -> None:
        if before is None:
            append(self._path, label, seal=self._seal)
        else:
            replace(self._path, before, label, seal=self._seal)
        if not label.adjudicates:
            self._given[label.item, label.criterion, label.repeat] = label


def _beside(label: Label) -> str:
    """The quote and the remark of an answer."""
    return " ".join(f"{plain(text)!r}" for text in (label.quote, label.comment) if text)


def _word(answer: str) -> str:
    return _WORDS.get(answer, answer)
