"""A project with two suites and models of a test's choice: scripted endpoints, and GGUF files of a few bytes that nobody serves."""

from __future__ import annotations

import json
import struct
from collections.abc import Collection
from pathlib import Path

from harness import CARD, GATE, LABELS, PROMPT, SUITE, Project, gold_items

from evalgate.records import Reply
from evalgate.store import RunWriter, run_directory
from evalgate.suite import identify_model, load_project
from evalgate.suite.asking import manifest_of

NOWHERE = "http://127.0.0.1:9/v1"
TEMPLATE = "{% for m in messages %}{{ m.content }}{% endfor %}"


def gguf(pairs: dict, *, version: int = 3, count: int | None = None) -> bytes:
    """A GGUF file without tensors. Texts, whole numbers, and lists of texts or of whole numbers."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value.encode())) + value.encode()

    def value(given) -> bytes:
        if isinstance(given, str):
            return struct.pack("<I", 8) + text(given)
        if isinstance(given, int):
            return struct.pack("<II", 4, given)
        kind = 8 if all(isinstance(one, str) for one in given) else 4
        inside = [text(one) if kind == 8 else struct.pack("<I", one) for one in given]
        return struct.pack("<IIQ", 9, kind, len(given)) + b"".join(inside)

    head = b"GGUF" + struct.pack("<IQQ", version, 0, len(pairs) if count is None else count)
    return head + b"".join(text(key) + value(given) for key, given in pairs.items())


def whole(name: str = "m", **more) -> dict:
    """The metadata of a model that could be asked and trained."""
    given = {
        "general.architecture": "llama",
        "general.name": name,
        "llama.context_length": 8192,
        "tokenizer.ggml.tokens": ["a", "b"],
        "tokenizer.ggml.scores": [1, 2, 3],
        "tokenizer.chat_template": TEMPLATE,
    }
    return {**given, **more}


class ShortlistProject(Project):
    """`triage`, and with `second` the same again as `urgency`. Models are added one by one."""

    def __init__(self, root: Path, *, n: int = 60, second: bool = True) -> None:
        super().__init__(root, NOWHERE, n=n)
        self.write("evalgate.toml", "")
        self.edit("gate.toml", "min = 0.85", "min = 0.60")
        self.edit("gate.toml", '"slice_accuracy[spanish]" = { min = 0.70 }\n', "")
        self.edit("suites/test_triage.py", SUITE[SUITE.index("@pytest") :], SUITE[SUITE.index("def test_accuracy_vs") :])  # fmt: skip
        if second:
            self.second(n)

    def second(self, n: int) -> None:
        table = GATE[GATE.index("[triage]") :].replace("min = 0.85", "min = 0.60")
        lines = [line for line in table.splitlines() if "slice" not in line]
        text = (self.root / "gate.toml").read_text()
        self.write("gate.toml", text + "\n".join(lines).replace("[triage]", "\n[urgency]") + "\n")
        suite = (self.root / "suites/test_triage.py").read_text()
        self.write("suites/test_urgency.py", suite.replace("triage", "urgency"))
        self.write("suites/prompts/urgency.md", PROMPT.replace("Answer", "Say"))
        self.write("goldsets/urgency.toml", CARD.replace("triage", "urgency"))
        items = [{**item, "id": f"u{item['id']}"} for item in gold_items(n)]
        self.write("goldsets/urgency.jsonl", "".join(json.dumps(i) + "\n" for i in items))

    def add(self, name: str, *lines: str) -> None:
        with (self.root / "evalgate.toml").open("a", encoding="utf-8") as f:
            f.write(f"\n[models.{name}]\n" + "".join(f"{line}\n" for line in lines))

    def endpoint(self, name: str, url: str, *, licence: str = "Apache-2.0") -> None:
        said = [f'licence = "{licence}"'] if licence else []
        self.add(name, 'server = "endpoint"', f'url = "{url}"', f'name = "{name}"', "concurrency = 8",
                 "timeout_s = 10", "patience_s = 1", *said)  # fmt: skip

    def local(self, name: str, data: bytes | None = None, *, licence: str = "Apache-2.0") -> None:
        path = self.root / f"models/{name}.gguf"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(gguf(whole(name)) if data is None else data)
        said = [f'licence = "{licence}"'] if licence else []
        self.add(name, 'server = "llamacpp"', f'artifact = "models/{name}.gguf"', *said)

    def answered(self, name: str, suite: str = "triage", *, wrong: Collection[int] = (), **odd: str) -> None:  # fmt: skip
        """A whole run, as `gate check` would have left it. `odd`: texts of single items by their number, as i7=..."""
        project = load_project(self.root)
        loaded = project.suites[suite]
        manifest = manifest_of(loaded, identify_model(project, name))
        with RunWriter(run_directory(project.reports, manifest), manifest) as writer:
            for n, item in loaded.gold.items():
                said = odd.get(f"i{n}", LABELS[(n + (n in wrong)) % 3])
                reply = Reply(text=said, finish="stop", prompt_tokens=20 + n, completion_tokens=n + 1, seconds=0.1)  # fmt: skip
                writer.land(n, item.id, reply)

    def shortlist(self, *args: str, **env: str):
        return self.evalgate("models", "shortlist", *args, **env)

    def told(self, *args: str) -> dict:
        done = self.shortlist(*args, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def kept(self) -> list[Path]:
        return sorted((self.root / "reports/shortlists").glob("*.json"))
