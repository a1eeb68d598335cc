"""The sample page: chosen by the seed, over all tasks, and whatever a row says stays text."""

from __future__ import annotations

import stat
from html.parser import HTMLParser

from corpus_rows import TASKS, evalgate, row, write_corpus
from hypothesis import given, settings
from hypothesis import strategies as st

from evalgate.corpus.example import MadeBy
from evalgate.corpus.sample import chosen, markdown, page


class Seen(HTMLParser):
    """The tags of a page, and the text of every <pre>."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.pre, self._inside = [], [], False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        assert not any(name.startswith("on") or name in {"src", "href"} for name, _ in attributes)
        self._inside = tag == "pre"
        if self._inside:
            self.pre.append("")

    def handle_endtag(self, tag):
        self._inside = self._inside and tag != "pre"

    def handle_data(self, data):
        if self._inside:
            self.pre[-1] += data


def spoken(*texts, **given_):
    turns = [{"role": "user", "content": t} for t in texts]
    return row(1, messages=(*turns, {"role": "assistant", "content": "end"}), **given_)


EVIL = "</pre><script>alert(1)</script><img src=x onerror=y>&amp; ``` ````\n# heading \u202e"


def test_what_a_row_says_can_become_neither_markup_nor_invisible():
    made = MadeBy(template="<b>@1", seed=1, seeds={"<i>": "</dd>"})
    plain = Seen(page([spoken("x")], "t")).tags
    found = page([spoken(EVIL, id="<id>", unit="<u>", made_by=made, expected={"<k>": "</dl>"})], "<title>")  # fmt: skip
    assert [t for t in Seen(found).tags if t not in {"dt", "dd"}] == [t for t in plain if t not in {"dt", "dd"}]  # fmt: skip
    assert "script>alert" not in found
    assert "\u202e" not in found + markdown([spoken(EVIL)], EVIL)
    assert "default-src 'none'" in found


readable = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]))


@settings(deadline=None)
@given(st.lists(readable.filter(str.isprintable).filter(str.strip), max_size=3))
def test_every_text_stands_on_the_page_as_it_is(texts):
    assert Seen(page([spoken(*texts)], "t")).pre == [*texts, "end"]


@settings(deadline=None)
@given(st.text("`~\n a#<", min_size=1))
def test_no_text_closes_its_fence(text):
    lines = markdown([spoken(text)], "t").split("\n")
    start = next(n for n, line in enumerate(lines) if line.startswith("```"))
    fence = lines[start].removesuffix("text")
    end = lines.index(fence, start + 1)
    assert "\n".join(lines[start + 1 : end]) == text
    assert not any(line.strip().startswith(fence) for line in lines[start + 1 : end])


def test_equal_seeds_choose_equal_rows_as_equally_over_tasks_as_they_reach(tmp_path):
    numbers = [*range(60), *range(60, 180, 3)]
    corpus = write_corpus(tmp_path, "c", map(row, numbers))
    first = chosen(corpus, 10, 1)
    assert first == chosen(corpus, 10, 1) != chosen(corpus, 10, 2)
    assert sorted(sum(e.task == task for e in first) for task in TASKS) == [3, 3, 4]
    assert len({e.id for e in first}) == 10
    few = write_corpus(tmp_path, "few", [row(0), *(row(n) for n in range(1, 30) if n % 3)])
    counts = [sum(e.task == task for e in chosen(few, 9, 1)) for task in TASKS]
    assert counts == [1, 4, 4]
    assert len(chosen(few, 1000, 1)) == 21


def test_the_command_shows_the_corpus_and_writes_the_page_for_its_owner(tmp_path):
    (tmp_path / "evalgate.toml").write_text("")
    corpus = write_corpus(tmp_path / "data", "c", map(row, range(9)), arguments={"seed": 4})
    shown = evalgate(tmp_path, "data", "show", "c", "--sample", 3, "--out", "s.html")
    assert shown.returncode == 0, shown.stderr
    for told in ("c: 9 rows", "seed=4", "policy_qa: 3 rows", "33.3% synthetic", "project 100.0%", "duplicates: 0"):  # fmt: skip
        assert told in shown.stdout
    assert "Question" not in shown.stdout + shown.stderr
    assert stat.S_IMODE((tmp_path / "s.html").stat().st_mode) == 0o600
    assert len(Seen((tmp_path / "s.html").read_text()).pre) == 6
    assert (
        evalgate(tmp_path, "data", "show", corpus, "--sample", 3, "--out", "s.md").returncode == 0
    )
    assert (tmp_path / "s.md").read_text().count("\n## ") == 3


def test_the_command_refuses_half_options_and_what_is_no_corpus(tmp_path):
    (tmp_path / "evalgate.toml").write_text("")
    write_corpus(tmp_path / "data", "c", [row(0)])
    for wrong in (["--sample", "3"], ["--out", "x.html"], ["--sample", "3", "--out", "x.txt"]):
        assert evalgate(tmp_path, "data", "show", "c", *wrong).returncode == 2
    assert evalgate(tmp_path, "data", "show", "nothing").returncode == 2
    full = evalgate(tmp_path, "data", "show", "c", "--sample", "1", "--out", "no/x.html")
    assert full.returncode == 4
    assert "EG828" in full.stderr
