"""Decisions on disk: written side by side, found by name, read back whole, and refused once edited."""

import resource
import stat

import msgspec
import pytest
from hypothesis import given, settings
from report_decisions import decision, decisions, evidence, finding, mixed

from evalgate.errors import InfrastructureError, IntegrityError, UsageError
from evalgate.gate import record as kept
from evalgate.report.words import NO_BASELINE


@pytest.fixture
def page(tmp_path):
    return kept.record(mixed(), tmp_path, evidence())


def named(folder, *stems):
    """Decisions under names of our own choice, which tell their day."""
    for stem in stems:
        day = f"{stem[:4]}-{stem[4:6]}-{stem[6:8]}"
        page = kept.record(mixed(), folder, evidence(decided=f"{day}T00:00:00Z"))
        for path in page.parent.glob(f"{page.stem}.*"):
            path.rename(path.with_name(path.name.replace(page.stem, stem)))


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
        {"decision": "open", "exit": 0, "reasons": ()},
        {"exit": 0},
        {"exit": 3},
    ],
)
def test_a_decision_that_contradicts_itself_is_refused_whatever_its_sums(tmp_path, change):
    page = kept.record(msgspec.structs.replace(mixed(), **change), tmp_path, evidence())
    with pytest.raises(IntegrityError, match="EG513"):
        kept.read(page.with_suffix(".json"))


def test_a_decision_whose_evidence_is_gone_is_refused(page):
    page.with_suffix(".evidence.json").unlink()
    with pytest.raises(IntegrityError, match=r"no evidence beside it.*EG513|EG513.*no evidence"):
        kept.read(page.with_suffix(".json"))


NO_INTERVAL = {"estimate": None, "low": None, "high": None, "method": NO_BASELINE}


@pytest.mark.parametrize(
    ("changes", "fine"),
    [
        ({"low": 0.85}, True),
        ({"low": 0.8499}, False),
        ({"low": None}, False),
        ({"threshold": {"max": 0.94}}, True),
        ({"threshold": {"max": 0.93}}, False),
        ({"threshold": {"all": True}, "estimate": 1.0}, True),
        ({"threshold": {"all": True}, "estimate": 0.99}, False),
        ({"threshold": {"all": False}, "estimate": 1.0}, False),
        ({"threshold": {}}, False),
        ({"units": 0}, False),
        ({"test": "recall_vs_baseline", **NO_INTERVAL}, True),
        ({"test": "recall", **NO_INTERVAL}, False),
    ],
)
def test_a_pass_is_believed_only_by_its_own_interval_and_threshold(tmp_path, changes, fine):
    told = decision(findings=(finding(**changes),))
    path = kept.record(told, tmp_path, evidence()).with_suffix(".json")
    if fine:
        assert kept.read(path).decision == told
        return
    with pytest.raises(IntegrityError, match="EG513"):
        kept.read(path)


def test_a_copy_holds_the_same_bytes_under_a_name_that_needs_no_search(tmp_path):
    page = kept.record(mixed(), tmp_path, evidence(), copy=tmp_path / "out")
    files = list(page.parent.iterdir())
    assert len(files) == len(list((tmp_path / "out").iterdir())) == 5
    for path in files:
        copied = tmp_path / "out" / path.name.replace(page.stem, "decision")
        assert copied.read_bytes() == path.read_bytes()
        assert stat.S_IMODE(copied.stat().st_mode) == 0o600


@pytest.mark.parametrize("size", [0, 1000, 3000, 10_000, 20_000])
def test_what_cannot_be_written_whole_leaves_nothing_behind(tmp_path, size):
    """At most `size` bytes fit into a file: one format after the other is the first that fails."""
    largest = kept.record(mixed(), tmp_path, evidence()).stat().st_size
    assert size < largest
    before = sorted(tmp_path.rglob("*"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        with pytest.raises(InfrastructureError, match="EG501"):
            kept.record(mixed(), tmp_path, evidence(), copy=tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sorted(tmp_path.rglob("*")) == before


def test_a_copy_that_cannot_be_written_leaves_no_decision(tmp_path):
    (tmp_path / "out").write_text("no directory")
    with pytest.raises(InfrastructureError, match="EG501"):
        kept.record(mixed(), tmp_path, evidence(), copy=tmp_path / "out")
    assert not list(tmp_path.glob("reports/decisions/*"))


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
