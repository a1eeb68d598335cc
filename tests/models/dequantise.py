"""Writes the weights of a GGUF file as a directory of safetensors: `python dequantise.py MODEL.gguf DIRECTORY`.

So the same weights can be served by llama.cpp, transformers and vLLM. Run it with the Python of the transformers
environment (docs/models.md). Every quantised weight becomes the 32-bit number that it stands for, nothing is rounded
again. DIRECTORY/source.json tells what was read and written, by sha256.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig


def sha256(path: Path) -> str:
    with path.open("rb") as f:
        return "sha256:" + hashlib.file_digest(f, "sha256").hexdigest()


def main(source: Path, target: Path) -> None:
    if target.exists():
        sys.exit(f"{target} is there already")
    tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
    model = AutoModelForCausalLM.from_pretrained(
        source.parent,
        gguf_file=source.name,
        quantization_config=GgufConfig(dequantize=True),
        dtype=torch.float32,
    )
    # transformers 5.17 takes the first token of the chat for the end of text; the file's own numbers are in the
    # model's configuration. A server that stops by the tokenizer would never stop.
    tokenizer.eos_token = tokenizer.convert_ids_to_tokens(model.config.eos_token_id)
    tokenizer.pad_token = tokenizer.convert_ids_to_tokens(model.config.pad_token_id)
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)
    told = {
        "source": {source.name: sha256(source)},
        "written": {p.name: sha256(p) for p in sorted(target.iterdir())},
        "versions": {"transformers": transformers.__version__, "torch": torch.__version__},
    }
    (target / "source.json").write_text(json.dumps(told, indent=1) + "\n")
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
