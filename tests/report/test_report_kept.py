"""Decisions on disk: written side by side, found by name, read back whole, and refused once edited."""

import json
import stat

import msgspec
import pytest
from hypothesis import given, settings
from report_decisions import decision, decisions, evidence, finding, mixed

from evalgate.errors import InfrastructureError, IntegrityError, UsageError
from evalgate.gate import record as kept
from evalgate.report.json import to_json


@pytest.fixture
def page(tmp_path):
    return kept.record(mixed(), tmp_path, evidence())


def named(folder, *stems):
    """Decisions under names of our own choice, oldest first."""
    where = folder / "reports/decisions"
    where.mkdir(parents=True)
    for stem in stems:
        (where / f"{stem}.json").write_text(json.dumps(to_json(mixed())))


def test_every_format_lies_beside_the_decision_for_its_owner_only(page):
    names = {p.name.removeprefix(page.stem) for p in page.parent.iterdir()}
    assert names == {".json", ".evidence.json", ".html", ".xml", ".md"}
    assert all(stat.S_IMODE(p.stat().st_mode) == 0o600 for p in page.parent.iterdir())
    assert stat.S_IMODE(page.parent.stat().st_mode) == 0o700


def test_every_format_can_be_rendered_again_to_the_same_bytes(page, tmp_path):
    again = kept.read(page.with_suffix(".json"))
    for format_, suffix in (("html", ".html"), ("junit", ".xml"), ("md", ".md"), ("json", ".json")):
        assert kept.render(again, tmp_path, format_) == page.with_suffix(suffix).read_text()


@given(d=decisions())
@settings(deadline=None, max_examples=20)
def test_a_decision_comes_back_as_it_was(tmp_path_factory, d):
    root = tmp_path_factory.mktemp("p")
    # what was never UTF-8 cannot be kept as it was; such text is shown with replacement characters
    d = msgspec.convert(msgspec.to_builtins(d), type(d)) if encodable(d) else decision()
    path = kept.record(d, root, evidence()).with_suffix(".json")
    back = kept.read(path)
    assert back.decision == d
    assert back.evidence == evidence()


def encodable(d):
    try:
        msgspec.json.encode(d)
    except (UnicodeEncodeError, ValueError):
        return False
    return True


def test_without_evidence_the_time_and_the_versions_are_kept(tmp_path):
    path = kept.record(mixed(), tmp_path).with_suffix(".json")
    known = kept.read(path).evidence
    assert known.decided.endswith("Z")
    assert known.evalgate
    assert known.suites == ()


@pytest.mark.parametrize(
    ("suffix", "old", "new"),
    [
        (".json", "0.91237", "0.99237"),
        (".json", "424", "425"),
        (".evidence.json", "ce-0007", "ce-0008"),
        (".evidence.json", "424", "425"),
    ],
)
def test_an_edited_file_is_refused(page, suffix, old, new):
    path = page.with_suffix(suffix)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(IntegrityError, match="EG513") as caught:
        kept.read(page.with_suffix(".json"))
    assert caught.value.exit == 5


@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b"[]", b'{"schema": "evalgate.decision/2"}', b"\xff\xfe", b'{"schema": "evalgate.decision/1"}'],
)  # fmt: skip
@pytest.mark.parametrize("suffix", [".json", ".evidence.json"])
def test_a_file_that_cannot_be_read_is_an_error_of_one_line(page, suffix, damage):
    page.with_suffix(suffix).write_bytes(damage)
    with pytest.raises(IntegrityError, match=r"EG51[23]") as caught:
        kept.read(page.with_suffix(".json"))
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"decision": "open"},
        {"decision": "open", "exit": 0},
        {"decision": "open", "exit": 0, "reasons": []},
        {"exit": 0},
        {"exit": 3},
    ],
)
def test_a_decision_that_contradicts_itself_is_refused_even_without_evidence(page, change):
    path = page.with_suffix(".json")
    page.with_suffix(".evidence.json").unlink()
    assert kept.read(path).evidence is None
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(IntegrityError, match="EG513"):
        kept.read(path)


def test_a_decision_is_found_by_path_stem_beginning_and_model(tmp_path):
    first, second, third = "20010101T000000-rc1-aaaaaa", "20010102T000000-rc-2-bbbbbb", "20010103T000000-rc1-cccccc"  # fmt: skip
    named(tmp_path, third, first, second)
    folder = tmp_path / "reports/decisions"
    meant = {
        None: third,
        first: first,
        f"{first}.html": first,
        f"{second}.evidence.json": second,
        "20010101": first,
        "rc1": third,
        "rc-2": second,
        str(folder / f"{first}.json"): first,
    }
    (folder / f"{first}.html").touch()
    meant[str(folder / f"{first}.html")] = first
    for name, stem in meant.items():
        assert kept.find(tmp_path, name).resolve() == folder / f"{stem}.json"


@pytest.mark.parametrize("name", ["2001", "rc3", "", "../etc/passwd", "20010104"])
def test_a_name_that_means_none_or_several_is_a_usage_error(tmp_path, name):
    named(tmp_path, "20010101T000000-rc1-aaaaaa", "20010102T000000-rc2-bbbbbb")
    with pytest.raises(UsageError, match=r"EG511.*rc1, rc2"):
        kept.find(tmp_path, name)


def test_where_nothing_was_decided_there_is_nothing_to_render(tmp_path):
    with pytest.raises(UsageError, match="EG510"):
        kept.find(tmp_path, None)


def test_a_page_looks_back_on_decisions_before_it_and_never_on_later_or_edited_ones(tmp_path):
    named(tmp_path, "20010101T000000-old-aaaaaa", "20990101T000000-late-bbbbbb", "20020101T000000-bad-cccccc")  # fmt: skip
    folder = tmp_path / "reports/decisions"
    (folder / "20020101T000000-bad-cccccc.json").write_text("{}")
    other = msgspec.structs.replace(mixed().findings[0], estimate=0.9)
    d = msgspec.structs.replace(mixed(), findings=(other, *mixed().findings[1:]))
    text = kept.record(d, tmp_path, evidence()).read_text()
    assert "2 decisions from 2001-01-01 to 2001-02-03." in text
    assert "2099" not in text


def test_a_full_disk_is_infrastructure(tmp_path):
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports/decisions").write_text("no directory")
    with pytest.raises(InfrastructureError, match="EG501"):
        kept.record(decision(findings=(finding(),)), tmp_path)
