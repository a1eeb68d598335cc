"""Reports asked for later show who signed and what was waived; the model card says the same in the form of a model hub."""

from __future__ import annotations

import html
import re

import pytest
from kept_project import certified, copied

from evalgate.gate.record import find, read
from evalgate.release.people import approve, grant_waiver, request_waiver
from evalgate.release.register import register
from evalgate.store.signer import keyring_of, ledger_of


@pytest.fixture(scope="module")
def closed(tmp_path_factory):
    """Checked with 22 wrong items: accuracy is not met."""
    made = certified(tmp_path_factory.mktemp("closed"), wrong=range(20, 42))
    done = made.evalgate("gate", "check", "rc")
    assert done.returncode in (1, 3), done.stdout + done.stderr
    return made


@pytest.fixture
def made(closed, tmp_path):
    return copied(closed, tmp_path)


def words(page: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", " ", page))


def section(page: str, key: str) -> str:
    found = re.search(rf'<section[^>]*aria-labelledby="{key}">.*?</section>', page, re.DOTALL)
    return found[0] if found else ""


def test_the_checks_own_page_names_certificate_and_key_and_what_is_missing(made):
    (page,) = (made.root / "reports/decisions").glob("*.html")
    text = page.read_text()
    signed = words(section(text, "signatures"))
    (certificate,) = (made.root / "reports/certificates").glob("*.json")
    assert certificate.relative_to(made.root).as_posix() in signed
    assert keyring_of(made.root).keys["ci"].id in signed
    assert re.search(r"release_manager\s+missing", signed)
    notes = words(section(text, "evidence"))
    assert "development grade: the key 'ci' lies where developers can read it" in notes
    assert "require_sealed = false" in notes
    assert made.evalgate("report", "rc", "--format", "html").stdout == text


def test_signatures_and_waivers_given_later_are_rendered_later(made):
    approve(
        made.root, "rc", "release_manager", name="manager", comment="looked at <b>every</b> row"
    )
    asked = request_waiver(
        made.root, "rc", "triage", "accuracy", reason="pilot <with> review",
        until="2099-01-31T00:00:00Z", name="manager",
    )  # fmt: skip
    text = made.evalgate("report", "rc", "--format", "html").stdout
    signed = section(text, "signatures")
    assert "asked for, not granted" in signed
    assert "WAIVED" not in text
    granted = grant_waiver(made.root, asked.seq, name="safety")
    text = made.evalgate("report", "rc", "--format", "html").stdout
    signed = section(text, "signatures")
    assert "<b>every</b>" not in text
    assert "looked at <b>every</b> row" in words(signed.replace("&lt;", "\0")).replace(
        "\0", "<"
    ).replace("&gt;", ">")
    row = re.search(
        r"<tr><th[^>]*><b class=\"s-fail\">triage accuracy</b>.*?</tr>", signed, re.DOTALL
    )[0]
    cells = re.findall(r'<b class="s-fail">(.*?)</b>', row)
    assert cells == [
        "triage accuracy", "WAIVED", "pilot &lt;with&gt; review", "2099-01-31T00:00:00Z", "manager", "safety", str(asked.seq),
    ]  # fmt: skip
    assert re.search(r'<li class="s-fail"><b>WAIVED: triage accuracy', section(text, "evidence"))
    told = made.evalgate("report", "rc").stdout
    assert (
        "WAIVED: triage accuracy until 2099-01-31T00:00:00Z: pilot <with> review (asked by manager, granted by safety)"
        in told
    )
    assert "release_manager: signed by manager (release manager)" in told
    assert granted.seq == asked.seq + 1


def test_a_waiver_that_ran_out_says_so(made, monkeypatch):
    asked = request_waiver(
        made.root, "rc", "triage", "accuracy", reason="short", until="2098-01-01T00:00:00Z", name="manager"
    )  # fmt: skip
    grant_waiver(made.root, asked.seq, name="safety")
    kept = read(find(made.root, "rc"))
    assert [w.state for w in register(made.root, kept.decision).waivers] == ["in force"]
    for room in ("register", "people"):
        monkeypatch.setattr(f"evalgate.release.{room}.stamp", lambda: "2098-01-01T00:00:00.000001Z")
    assert [w.state for w in register(made.root, kept.decision).waivers] == ["run out"]


def test_a_changed_ledger_or_a_missing_certificate_is_said_above_every_number_and_a_changed_one_refused(
    made,
):
    approve(made.root, "rc", "release_manager", name="manager", comment="")
    ledger = ledger_of(made.root).path
    ledger.write_text(ledger.read_text().replace("manager", "nobody1"))
    told = made.evalgate("report", "rc").stdout
    assert "THE LEDGER CANNOT BE BELIEVED" in told
    (certificate,) = (made.root / "reports/certificates").glob("*.json")
    data = certificate.read_bytes()
    certificate.write_bytes(data.replace(b'"payload":"eyJ', b'"payload":"eyK'))
    edited = made.evalgate("report", "rc", "--format", "html")
    assert (edited.returncode, "EG721" in edited.stderr) == (5, True)
    certificate.unlink()
    gone = made.evalgate("report", "rc", "--format", "html").stdout
    assert "THE CERTIFICATE CANNOT BE BELIEVED" in words(section(gone, "evidence"))
    assert "signed by manager" not in gone
