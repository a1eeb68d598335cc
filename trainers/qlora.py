"""QLoRA: the base model in NF4 with double quantisation, an adapter over it (Dettmers et al. 2023, arXiv:2305.14314)."""

from pathlib import Path
from typing import Literal

from evalgate import training


class Config(training.LoopConfig, kw_only=True):
    """`compute_dtype`: of the multiplications; the weights are 4-bit."""

    compute_dtype: Literal["float32", "bfloat16"] = "bfloat16"


def train(work: training.Workshop) -> None:
    config = work.job.configured(Config)
    training.check_config(config, work.job.recipe)
    training.quiet()

    import torch
    from peft import prepare_model_for_kbit_training
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    base = Path(work.job.base)
    dtype = getattr(torch, config.compute_dtype)
    quantised = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
        bnb_4bit_quant_storage=dtype,
    )
    model = AutoModelForCausalLM.from_pretrained(
        base,
        quantization_config=quantised,
        dtype=dtype,
        attn_implementation="sdpa",
        local_files_only=True,
        trust_remote_code=False,
        use_safetensors=True,
    )
    training.unpacked(model)
    model = prepare_model_for_kbit_training(
        model, use_gradient_checkpointing=config.checkpoint_gradients
    )
    training.train_adapter(work, config, model, training.tokenizer_of(base))


if __name__ == "__main__":
    training.run_trainer(train)
