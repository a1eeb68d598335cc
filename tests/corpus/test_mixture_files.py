"""`evalgate data mix`: one list for equal corpora and options, kept whole, with the shares that people decide by."""

from __future__ import annotations

import json
import shutil

import pytest
from corpus_rows import child, evalgate, hidden, row, visible, write_corpus
from hypothesis import given, settings
from hypothesis import strategies as st

from evalgate.corpus.counting import WORDS, Counter, counter
from evalgate.corpus.files import load_manifest, rows
from evalgate.corpus.mix import Blend
from evalgate.corpus.mixture import Place, load_mixture, mix, places
from evalgate.errors import FileProblems, IntegrityError, UsageError


def answer(number, words):
    turns = ({"role": "user", "content": "q"}, {"role": "assistant", "content": "w " * words})
    return row(number, messages=turns)


@pytest.fixture
def project(tmp_path):
    (tmp_path / "evalgate.toml").write_text("")
    write_corpus(tmp_path / "data", "one", [row(n, task="policy_qa") for n in range(40)])
    write_corpus(tmp_path / "data", "two", [row(n, task="claim_entities") for n in range(100, 110)] + [row(n, task="policy_qa") for n in range(110, 120)])  # fmt: skip
    return tmp_path


def mixed(project, name, corpora, **asked):
    with counter(None, project) as counting:
        return mix(project / "data", name, [project / "data" / c for c in corpora], recipe=Blend(**asked), counter=counting)  # fmt: skip


def test_equal_options_give_an_equal_list_whatever_order_the_corpora_come_in(project):
    first = mixed(project, "m1", ["one", "two"], seed=3)
    turned = mixed(project, "m2", ["two", "one"], seed=3)
    other = mixed(project, "m3", ["one", "two"], seed=4)
    assert first.digest == turned.digest != other.digest
    assert first.list == turned.list != other.list
    directory = project / "data/mixtures"
    assert (directory / "m1.jsonl").read_bytes() == (directory / "m2.jsonl").read_bytes()
    assert load_mixture(project / "data", "m1") == first


def test_every_place_names_a_row_of_its_task_and_epochs_count_up(project):
    mixture = mixed(project, "m", ["one", "two"], rows=90)
    texts = [list(rows(project / "data" / source.name, strict=True)) for source in mixture.corpora]
    assert [source.digest for source in mixture.corpora] == [load_manifest(project / "data" / s.name).digest for s in mixture.corpora]  # fmt: skip
    found = list(places(project / "data", "m"))
    uses: dict[tuple[int, int], int] = {}
    counts: dict[str, int] = {}
    for place in found:
        assert place.epoch == uses.get(place[:2], 0)
        uses[place[:2]] = place.epoch + 1
        task = texts[place.corpus][place.row].task
        counts[task] = counts.get(task, 0) + 1
    assert counts == {task: share.rows for task, share in mixture.tasks.items()}
    assert len(found) == mixture.rows == 90
    assert max(uses.values()) == max(share.most_repeats for share in mixture.tasks.values())


def test_shares_of_rows_and_of_trained_words_are_those_of_the_list(tmp_path):
    (tmp_path / "evalgate.toml").write_text("")
    write_corpus(tmp_path / "data", "c", [row(n, task="short", messages=answer(n, 2).messages) for n in range(30)]
                 + [row(n, task="long", messages=answer(n, 50).messages) for n in range(30, 40)])  # fmt: skip
    mixture = mixed(tmp_path, "m", ["c"], temperature=1.0)
    short, long = mixture.tasks["short"], mixture.tasks["long"]
    assert (short.rows, short.row_share, short.trained_tokens) == (30, 0.75, 60)
    assert (long.rows, long.row_share, long.trained_tokens) == (10, 0.25, 500)
    assert long.trained_token_share == pytest.approx(500 / 560)
    assert (mixture.tokens, mixture.tokenizer) == (WORDS, "")


def test_only_what_the_assistant_says_is_trained_and_all_of_it(tmp_path):
    turns = tuple({"role": role, "content": "w " * n} for role, n in (("system", 7), ("user", 9), ("assistant", 2), ("user", 9), ("assistant", 3)))  # fmt: skip
    write_corpus(tmp_path / "data", "c", [row(0, messages=turns)])
    assert mixed(tmp_path, "m", ["c"]).tasks["appeal_letters"].trained_tokens == 5


def test_a_tokenizers_counts_are_taken_as_they_come(project):
    counting = Counter(lambda texts: [len(t) for t in texts], "letters", "sha256:x")
    mixture = mix(project / "data", "m", [project / "data/one"], recipe=Blend(), counter=counting)
    assert mixture.tasks["policy_qa"].trained_tokens == sum(len(f"Answer {n}.") for n in range(40))
    assert (mixture.tokens, mixture.tokenizer) == ("letters", "sha256:x")


@settings(deadline=None, max_examples=15)
@given(st.permutations(range(12)), st.integers(0, 5))
def test_what_is_mixed_does_not_depend_on_how_rows_are_named_or_corpora_ordered(tmp_path_factory, numbers, seed):  # fmt: skip
    root = tmp_path_factory.mktemp("p")
    write_corpus(root / "data", "a", map(row, numbers[:7]))
    write_corpus(root / "data", "b", map(row, numbers[7:]))
    try:
        assert mixed(root, "x", ["a", "b"], seed=seed).digest == mixed(root, "y", ["b", "a"], seed=seed).digest  # fmt: skip
    except UsageError as error:
        assert error.code == "EG831"  # a task may have too few rows


def test_one_id_in_two_corpora_is_refused(project):
    write_corpus(project / "data", "three", [row(5, task="policy_qa")])
    with pytest.raises(FileProblems, match=r"EG824 .*'row-5'"):
        mixed(project, "m", ["one", "three"])
    assert not list((project / "data").glob("mixtures/*"))


def test_circles_through_two_corpora_are_refused(tmp_path):
    write_corpus(tmp_path / "data", "a", [row(0, parents=("row-3",)), row(6)])
    write_corpus(tmp_path / "data", "b", [row(3, parents=("row-0",))])
    with pytest.raises(FileProblems, match="EG825"):
        mixed(tmp_path, "m", ["a", "b"])


def test_a_corpus_given_twice_even_by_another_name_is_refused(project):
    shutil.copytree(project / "data/one", project / "data/copy")
    with pytest.raises(UsageError, match="EG831"):
        mixed(project, "m", ["one", "copy"])


def test_a_changed_corpus_or_mixture_is_noticed(project):
    mixed(project, "m", ["one"])
    listed = project / "data/mixtures/m.jsonl"
    before = listed.read_bytes()
    for change in (before[:-1], before.replace(b'"row":0', b'"row":1', 1), b""):
        listed.write_bytes(change)
        with pytest.raises(IntegrityError, match="EG826"):
            load_mixture(project / "data", "m")
    listed.write_bytes(before)
    manifest = project / "data/mixtures/m.manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b'"row_share":1.0', b'"row_share":0.5'))
    with pytest.raises(IntegrityError, match="EG826"):
        load_mixture(project / "data", "m")
    part = project / "data/two/part-00000.jsonl"
    part.write_bytes(part.read_bytes().replace(b"Answer", b"Anzwer", 1))
    with pytest.raises(IntegrityError, match="EG826"):
        mixed(project, "n", ["one", "two"])
    assert not (project / "data/mixtures/n.manifest.json").exists()


MIXES = """
import os, signal
from pathlib import Path
from evalgate.corpus import mixture
from evalgate.corpus.counting import counter
from evalgate.corpus.mix import Blend
root = Path(sys.argv[1])
if sys.argv[2] == "before the manifest":
    mixture.write_whole = lambda *a: os.kill(os.getpid(), signal.SIGKILL)
else:
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))
with counter(None, root) as counting:
    mixture.mix(root / "data", "m", [root / "data/one"], recipe=Blend(), counter=counting)
"""


def test_killed_between_list_and_manifest_there_is_no_mixture_and_the_next_one_is_whole(project):
    process = child(MIXES, project, "before the manifest")
    process.communicate()
    assert process.returncode == -9
    with pytest.raises(UsageError, match="EG820"):
        load_mixture(project / "data", "m")
    mixture = mixed(project, "m", ["one"])
    assert load_mixture(project / "data", "m") == mixture


def test_a_full_disk_leaves_no_mixture(project):
    _, err = (process := child(MIXES, project, "full")).communicate()
    assert process.returncode == 1
    assert "EG828" in err
    assert visible(project / "data/mixtures") == hidden(project / "data/mixtures") == []


def test_the_command_tells_the_shares_and_what_it_counted(project):
    done = evalgate(project, "data", "mix", "m", "--from", "one", "two", "--temperature", "1", "--seed", "1")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "policy_qa" in done.stdout
    assert "83.3%" in done.stdout
    assert "words between spaces" in done.stdout
    assert "says little of text without spaces" in done.stderr
    manifest = json.loads((project / "data/mixtures/m.manifest.json").read_bytes())
    assert manifest["made_with"]["arguments"]["seed"] == 1
    again = evalgate(project, "data", "mix", "m", "--from", "one")
    assert again.returncode == 2
    assert "EG827" in again.stderr


def test_the_command_names_tasks_of_the_gate_that_are_not_in_the_mixture(project):
    (project / "gate.toml").write_text(
        "[gate]\nfirst_release = true\n[policy_qa]\naccuracy = { min = 0.5 }\n[denial_reasons]\naccuracy = { min = 0.5 }\n"
    )
    done = evalgate(project, "data", "mix", "m", "--from", "one")
    assert "no rows of denial_reasons, about which gate.toml decides" in done.stderr


def test_the_command_says_when_caps_leave_fewer_rows(project):
    done = evalgate(project, "data", "mix", "m", "--from", "one", "two", "--max-share", "policy_qa=0.2", "--cap-repeats", "1")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "the caps allow 12 rows of 60" in done.stderr


@pytest.mark.parametrize(
    "asked",
    [
        ["--max-share", "policy_qa=0.5", "--max-share", "policy_qa=0.4"],
        ["--max-share", "policy_qa=1.5"],
        ["--max-share", "0.5"],
        ["--max-share", "x=0.5"],
        ["--temperature", "nan"],
        ["--temperature", "0"],
        ["--cap-repeats", "0"],
        ["--rows", "1000"],
        ["--tokenizer", "nothing.gguf"],
        ["--from", "three"],
    ],
)
def test_options_that_cannot_be_met_are_usage_errors_and_leave_nothing(project, asked):
    done = evalgate(project, "data", "mix", "m", "--from", "one", *asked)
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.strip().splitlines()[-1]) > 20
    assert not (project / "data/mixtures/m.manifest.json").exists()


def test_places_are_read_as_a_stream(project):
    mixed(project, "m", ["one"])
    first = next(places(project / "data", "m"))
    assert isinstance(first, Place)
    assert first.epoch == 0
