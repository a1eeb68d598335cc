"""phi.toml: patterns and excuses of a project, and a second opinion that never fetches anything."""

import importlib.util
import sys

import pytest

from evalgate.corpus.phi import People, Scanner
from evalgate.corpus.phi.finding import PRESIDIO, Finding
from evalgate.corpus.phi.settings import load_phi_settings, scanner_of
from evalgate.errors import FileProblems, UsageError

OWN = """\
[[pattern]]
type = "EMPLOYEE_ID"
regex = 'EMP-\\d{6}'
examples = ["EMP-004211"]

[[allow]]
text = "800-555-0117"
reason = "the plan's own line"
"""


def project(tmp_path, text):
    (tmp_path / "phi.toml").write_text(text)
    return tmp_path


def test_a_pattern_of_the_project_finds_and_an_allowed_text_is_nobodys(tmp_path):
    text = "EMP-118842 called 800-555-0117 and left 800-555-0134."
    assert [f.type for f in Scanner().scan(text)] == ["PHONE", "PHONE"]
    found = scanner_of(project(tmp_path, OWN)).scan(text)
    assert [(f.type, text[f.start : f.end]) for f in found] == [
        ("EMPLOYEE_ID", "EMP-118842"),
        ("PHONE", "800-555-0134"),
    ]


def test_without_the_file_the_scanner_is_the_built_in_one_and_with_it_another(tmp_path):
    assert scanner_of(tmp_path).digest == Scanner().digest
    assert scanner_of(project(tmp_path, OWN)).digest != Scanner().digest


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[[pattern]]\ntype = "id"\nregex = "x"\nexamples = ["x"]', "capitals"),
        ('[[pattern]]\ntype = "ID"\nregex = "("\nexamples = ["x"]', "regular expression"),
        ('[[pattern]]\ntype = "ID"\nregex = "x*"\nexamples = ["x"]', "finds nothing"),
        ('[[pattern]]\ntype = "ID"\nregex = "x"\nexamples = []', "no examples"),
        ('[[pattern]]\ntype = "ID"\nregex = "x"\nexamples = ["x", "y"]', "misses 1"),
        ('[[allow]]\ntext = "a"\nreason = "short"', "three characters"),
        ('spacy_model = "en_core_web_md"', "without presidio"),
        ("presdio = true", "presdio"),
        ("[[", "found"),
    ],
)
def test_a_file_that_cannot_be_followed_is_refused(tmp_path, text, told):
    with pytest.raises(FileProblems, match="EG883") as refused:
        load_phi_settings(project(tmp_path, text))
    assert told in str(refused.value)


def test_an_own_scanner_proves_itself_and_a_changed_file_asks_for_another_proof(tmp_path):
    people = People(project(tmp_path, OWN))
    assert people.proof.holds
    assert people.proof.scanner == people.scanner.digest
    changed = OWN + "\n[[allow]]\ntext = 'Silver'\nreason = 'a plan'\n"
    assert scanner_of(project(tmp_path, changed)).digest != people.proof.scanner


def test_what_is_asked_for_and_absent_is_refused_not_left_out(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    with pytest.raises(UsageError, match="EG884"):
        scanner_of(project(tmp_path, "presidio = true"))


def test_a_second_opinion_adds_and_takes_nothing_away():
    text = "Member ID 88123476501 and JUNO"

    def second(folded):
        yield Finding(type="PHONE", start=0, end=len(folded) - 5, reason=PRESIDIO)
        yield Finding(type="OTHER_ID", start=len(folded) - 4, end=len(folded), reason=PRESIDIO)

    first = Scanner().scan(text)
    assert [f.type for f in first] == ["MEMBER_ID"]
    assert [f.type for f in Scanner([second]).scan(text)] == ["MEMBER_ID", "OTHER_ID"]


@pytest.mark.skipif(
    importlib.util.find_spec("presidio_analyzer") is None, reason="the extra phi is not installed"
)
def test_presidio_finds_what_it_is_for_and_touches_no_network(tmp_path):
    import subprocess

    (tmp_path / "phi.toml").write_text("presidio = true")
    code = (
        "import sys\n"
        "met = []\n"
        "sys.addaudithook(lambda e, a: met.append(e) if e in {'socket.connect', 'socket.getaddrinfo', 'socket.sendto',"
        " 'subprocess.Popen', 'os.exec', 'urllib.Request'} else None)\n"
        "from pathlib import Path\n"
        "from evalgate.corpus.phi.settings import scanner_of\n"
        "text = 'IBAN: DE89370400440532013000 or ab@some.example.co.uk'\n"
        "print(sorted({f.type for f in scanner_of(Path()).scan(text)}), met)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "['ACCOUNT', 'EMAIL'] []"
