"""CoNLL / IOB files: one token a line, its tag in the last column, a blank line after each sentence.

One sentence is one item; its document (from one -DOCSTART- line to the next) is its unit. The files hold no running text, so
an item's text is its tokens joined by one space, and offsets count in that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from evalgate.authored.imports.rows import (
    INSIDE_FIRST,
    NOT_TEXT,
    ONE_UNIT,
    SCHEME,
    TOKEN,
    Fault,
    Options,
    Row,
    Rows,
    entities_of_tags,
    is_text,
    left,
)
from evalgate.authored.imports.sources import files_of, unreadable
from evalgate.records import GoldItem

SUFFIXES: Final = (".conll", ".iob", ".iob2", ".bio", ".bioes", ".tsv", ".txt")

_BLANKS: Final = re.compile(r"[ \t]+")
_COMMENT: Final = re.compile(r"# ?[\w:.]+ = ")  # of CoNLL-U: `# sent_id = 7`
_DOCUMENT: Final = "-DOCSTART-"


def read_conll(source: Path, options: Options) -> Rows:
    """One row per sentence. Raises UsageError (EG175) where there is no file to read."""
    files, notes = files_of(source, SUFFIXES, "conll")
    yield from notes
    for name, path in files:
        try:
            yield from _file(name, path, options)
        except (
            UnicodeError
        ):  # an encoding that cannot skip bytes, such as UTF-16: nothing behind them can be read
            yield left(NOT_TEXT, f"{name}: the rest")
        except OSError as error:
            raise unreadable(name, error) from None


def _file(name: str, path: Path, options: Options) -> Rows:
    stem = name.removesuffix(path.suffix)
    document = sentence = 0
    for first, lines in _sentences(path, options.encoding):
        if lines[0].startswith(_DOCUMENT):
            document += 1
            continue
        sentence += 1
        item_id = f"{stem}-{sentence}"
        unit = item_id if options.unit == "sentence" else f"{stem}-document-{document}"
        yield _sentence(lines, f"{name}:{first}", item_id, unit)
    if sentence and not document and options.unit != "sentence":
        yield Row(faults=(Fault(kind=ONE_UNIT, place=name),))


def _sentences(path: Path, encoding: str) -> Iterator[tuple[int, list[str]]]:
    """(number of the first line, lines) of every sentence; a -DOCSTART- line stands alone."""
    encoding = "utf-8-sig" if encoding == "utf-8" else encoding
    lines: list[str] = []
    number = first = 0
    with path.open(encoding=encoding, errors="surrogateescape") as file:
        for number, line in enumerate(file, start=1):
            row = line.strip(" \t\n")
            alone = row.startswith(_DOCUMENT)
            if lines and (alone or not row):
                yield first, lines
                lines = []
            if alone:
                yield number, [row]
            elif row and not _COMMENT.match(row):
                first = first if lines else number
                lines.append(row)
    if lines:
        yield first, lines


def _sentence(lines: list[str], place: str, item_id: str, unit: str) -> Row:
    tokens, tags = [], []
    for line in lines:
        if not is_text(line):
            return left(NOT_TEXT, place)
        cells = line.split("\t") if "\t" in line else _BLANKS.split(line)
        token, tag = cells[0].strip(), cells[-1].strip()
        if len(cells) < 2 or not token:
            return left(TOKEN, place)
        tokens.append(token)
        tags.append(tag)
    found = entities_of_tags(tokens, tags)
    if found is None:
        return left(SCHEME, place)
    text, entities, repaired = found
    item = GoldItem(id=item_id, input={"text": text}, expected=entities, unit=unit)
    faults = tuple(Fault(kind=INSIDE_FIRST, place=f"{place} token {n + 1}") for n in repaired)
    return Row(item=item, place=place, faults=faults)
