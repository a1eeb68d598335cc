"""A GGUF file as a directory of safetensors that can be trained: python -m evalgate.training.dequantise FILE.gguf DIRECTORY.

Runs in the environment that training runs in. The weights are those that the quantised file stands for, in bfloat16.
"""

from __future__ import annotations

import sys
from pathlib import Path

from evalgate.training.loop import quiet


def dequantise(source: Path, target: Path) -> None:
    """Writes weights, tokenizer, chat template and generation config of `source` into `target`, as a whole. Raises OSError, ValueError."""
    quiet()
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    where = {"gguf_file": source.name, "local_files_only": True}
    model = AutoModelForCausalLM.from_pretrained(
        source.parent,
        quantization_config=GgufConfig(dequantize=True),
        dtype=torch.bfloat16,
        **where,
    )
    tokenizer = AutoTokenizer.from_pretrained(source.parent, **where)
    stop = model.generation_config.eos_token_id
    if isinstance(stop, int):  # a tokenizer converted from GGUF may name another token
        tokenizer.eos_token = tokenizer.convert_ids_to_tokens(stop)
    temporary = target.with_name(f".{target.name}.part")
    model.save_pretrained(temporary, safe_serialization=True)
    tokenizer.save_pretrained(temporary)
    for path in temporary.iterdir():
        path.chmod(0o644)
    temporary.rename(target)


if __name__ == "__main__":
    dequantise(Path(sys.argv[1]), Path(sys.argv[2]))
