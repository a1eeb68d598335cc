"""Laws of the ledger: whatever is done to its bytes is noticed, and what a killed append leaves is mended."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attacks.ledgers import KEYRING, add, ledger, numbers
from evalgate.errors import IntegrityError
from evalgate.store.ledger import Ledger
from evalgate.store.ledger_check import LedgerReport, check_ledger

ENTRIES = 7
LAWS = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Written(NamedTuple):
    """A ledger of ENTRIES entries. `before`: its head when the last one was not yet there."""

    root: Path
    data: bytes
    head: bytes
    before: bytes

    @property
    def lines(self) -> list[bytes]:
        return self.data.splitlines(keepends=True)

    def with_(self, data: bytes, head: bytes | None = None) -> Ledger:
        """The same place with other bytes."""
        found = Ledger(self.root, KEYRING)
        found.path.write_bytes(data)
        found.head_path.write_bytes(self.head if head is None else head)
        return found

    def check(self, data: bytes, head: bytes | None = None) -> LedgerReport:
        self.with_(data, head)
        return check_ledger(self.root, KEYRING)


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Written:
    root = tmp_path_factory.mktemp("ledger")
    found = ledger(root, ENTRIES - 1)
    before = found.head_path.read_bytes()
    add(found, ENTRIES - 1)
    return Written(root, found.path.read_bytes(), found.head_path.read_bytes(), before)


def test_a_ledger_as_it_was_written_is_sound(written):
    report = written.check(written.data)
    assert report.sound
    assert report.entries == ENTRIES


@given(st.data())
@LAWS
def test_any_change_of_one_byte_is_noticed(written, data):
    at = data.draw(st.integers(0, len(written.data) - 1))
    changed = bytearray(written.data)
    changed[at] ^= data.draw(st.integers(1, 255))
    report = written.check(bytes(changed))
    assert not report.sound
    assert report.line <= written.data[:at].count(b"\n") + 2  # named where it is, or at the next


@given(st.data())
@LAWS
def test_any_byte_removed_or_put_in_is_noticed(written, data):
    at = data.draw(st.integers(0, len(written.data) - 1))
    gone = written.data[:at] + written.data[at + 1 :]
    more = written.data[:at] + bytes([data.draw(st.integers(0, 255))]) + written.data[at:]
    for changed in (gone, more):
        assert changed == written.data or not written.check(changed).sound


@given(st.lists(st.integers(0, ENTRIES - 1), max_size=ENTRIES + 3))
@LAWS
def test_any_other_choice_or_order_of_lines_is_noticed(written, order):
    if order != list(range(ENTRIES)):
        assert not written.check(b"".join(written.lines[i] for i in order)).sound


@given(st.data())
@LAWS
def test_any_change_of_one_byte_of_the_head_is_noticed(written, data):
    at = data.draw(st.integers(0, len(written.head) - 2))  # the last byte is the line's end
    changed = bytearray(written.head)
    changed[at] ^= data.draw(st.integers(1, 255))
    assert not written.check(written.data, bytes(changed)).sound


@given(st.integers(1, 1000))
@LAWS
def test_a_last_line_cut_short_is_noticed_where_the_head_knew_it(written, cut):
    cut = min(cut, len(written.lines[-1]))
    found = written.with_(written.data[:-cut])
    assert check_ledger(written.root, KEYRING).completeness
    with pytest.raises(IntegrityError):
        add(found, 99)


@given(st.integers(0, 1000))
@LAWS
def test_a_torn_last_line_counts_for_nothing_and_the_next_append_mends_it(written, length):
    length = min(length, len(written.lines[-1]) - 1)
    kept = b"".join(written.lines[:-1])
    found = written.with_(kept + written.lines[-1][:length], written.before)
    report = check_ledger(written.root, KEYRING)
    assert report.sound
    assert report.entries == ENTRIES - 1
    add(found, 99)
    assert numbers(found) == [*range(ENTRIES - 1), 99]
    assert check_ledger(written.root, KEYRING).notes == ()


def test_a_whole_last_line_that_the_head_does_not_know_counts_and_the_next_append_goes_on(written):
    found = written.with_(written.data, written.before)
    assert check_ledger(written.root, KEYRING).sound
    add(found, 99)
    assert numbers(found) == [*range(ENTRIES), 99]
    assert check_ledger(written.root, KEYRING).notes == ()


def test_ledger_and_head_cut_together_are_noticed_only_by_an_anchor(written):
    import msgspec

    from evalgate.store.ledger import SignedHead

    cut = b"".join(written.lines[:-1])
    assert written.check(cut, written.before).sound  # said plainly in docs/attacks.md
    anchor = msgspec.json.decode(written.head, type=SignedHead)
    report = check_ledger(written.root, KEYRING, anchor)
    assert "cut off" in report.completeness
