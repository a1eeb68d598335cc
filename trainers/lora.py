"""LoRA in the base model's own precision. Run by `evalgate gate train`, on a job that has passed the gate."""

from pathlib import Path
from typing import Literal

from evalgate import training


class Config(training.LoopConfig, kw_only=True):
    """`dtype`: float32 is exact and slow, bfloat16 what accelerators like."""

    dtype: Literal["float32", "bfloat16"] = "float32"


def train(work: training.Workshop) -> None:
    config = work.job.configured(Config)
    training.check_config(config, work.job.recipe)
    training.quiet()

    import torch
    from transformers import AutoModelForCausalLM

    base = Path(work.job.base)
    model = AutoModelForCausalLM.from_pretrained(
        base,
        dtype=getattr(torch, config.dtype),
        attn_implementation="sdpa",
        local_files_only=True,
        trust_remote_code=False,
        use_safetensors=True,
    )
    training.train_adapter(work, config, model, training.tokenizer_of(base))


if __name__ == "__main__":
    training.run_trainer(train)
