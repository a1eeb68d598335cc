"""The loop that adapters are trained in: TRL's trainer, on evalgate's own tokens, masks and order.

TRL gets tokens with labels and changes nothing of them; what it might do by itself (templates, masks, truncation, shuffling)
is switched off. torch and its company are imported here only, in the trainer's own process and environment.
"""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from evalgate.errors import UsageError
from evalgate.records import Record
from evalgate.training.job import Workshop
from evalgate.training.measuring import HeldOutRows
from evalgate.training.rendering import IGNORED, LeftOut, rendered, stops_of

LEFT_OUT_MOST: Final = 0.05
_PACKAGES: Final = ("accelerate", "peft", "torch", "transformers", "trl")
"""The share of any task's examples that may be too long to train on."""


class LoopConfig(Record, kw_only=True):
    """Settings of the loop; a trainer adds its own.

    `steps`: optimiser steps. `batch` examples at a time, `accumulate` of these a step. `max_length`: tokens; longer
    examples are left out. `eval_every` and `save_every`: steps between measurements and between checkpoints, 0 for none.
    `rank`, `alpha`, `dropout`: of LoRA (Hu et al. 2021, arXiv:2106.09685), on all linear layers but the head.
    """

    steps: int
    learning_rate: float = 2e-4
    batch: int = 4
    accumulate: int = 1
    warmup: int = 0
    schedule: Literal["constant", "linear", "cosine"] = "linear"
    weight_decay: float = 0.0
    max_length: int = 1024
    eval_every: int = 0
    save_every: int = 0
    rank: int = 16
    alpha: int = 32
    dropout: float = 0.0
    threads: int = 0
    checkpoint_gradients: bool = False


def quiet() -> None:
    """Switches off what the libraries would send or fetch. Call it before any of them is imported."""
    os.environ.update(
        HF_HUB_OFFLINE="1",
        HF_HUB_DISABLE_TELEMETRY="1",
        DO_NOT_TRACK="1",
        USE_HUB_KERNELS="0",
        WANDB_MODE="disabled",
        TOKENIZERS_PARALLELISM="false",
        TRANSFORMERS_VERBOSITY="error",
        HF_HUB_DISABLE_PROGRESS_BARS="1",
        CUBLAS_WORKSPACE_CONFIG=":4096:8",
    )


def check_config(config: LoopConfig, where: str) -> None:
    """Raises UsageError (EG945) for a setting out of its range."""
    low = {"steps": 1, "batch": 1, "accumulate": 1, "max_length": 8, "rank": 1, "alpha": 1}
    low |= {"warmup": 0, "eval_every": 0, "save_every": 0, "threads": 0}
    faults = [
        f"{name} = {v} below {n}" for name, n in low.items() if (v := getattr(config, name)) < n
    ]
    if not 0.0 < config.learning_rate < 1.0:
        faults.append(f"learning_rate = {config.learning_rate} outside (0, 1)")
    if not 0.0 <= config.dropout < 1.0:
        faults.append(f"dropout = {config.dropout} outside [0, 1)")
    if config.weight_decay < 0.0:
        faults.append(f"weight_decay = {config.weight_decay} below 0")
    if faults:
        raise UsageError(
            f"found {'; '.join(faults)}, expected settings in their ranges. Correct [config].",
            where=where,
            code="EG945",
        )


def tokenizer_of(base: Path) -> Any:
    """The base's tokenizer with its chat template. Raises UsageError (EG946: it has none)."""
    from transformers import AutoTokenizer

    if not (base / "tokenizer.json").is_file() and not list(base.glob("tokenizer.*")):
        raise _unusable("no tokenizer beside the base model", base)
    tokenizer = AutoTokenizer.from_pretrained(base, local_files_only=True, trust_remote_code=False)
    if not tokenizer.chat_template:
        raise _unusable("no chat template beside the base model", base)
    return tokenizer


def unpacked(model: Any) -> None:
    """Keeps bitsandbytes from repacking 4-bit weights in place on CPUs with AVX512-BF16.

    There the first forward pass in evaluation mode changes the layout of every weight, after which gradients of the adapter
    are wrong (cosine 0.28 to the true ones) and a merge reads garbage. Measured with bitsandbytes 0.50.2.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def train_adapter(work: Workshop, config: LoopConfig, model: Any, tokenizer: Any) -> None:
    """Trains a LoRA adapter on the job's rows in the job's order, and leaves it in `work.adapter`, merged in `work.merged` if the job says so.

    Resumes from the last checkpoint of this job. Raises UsageError (EG940 to EG949), RuntimeError (memory), OSError.
    """
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import set_seed
    from trl import SFTConfig, SFTTrainer

    work.note("begun", **{name: metadata.version(name) for name in _PACKAGES})
    if config.threads:
        torch.set_num_threads(config.threads)
    set_seed(work.job.seed, deterministic=True)
    stops = stops_of(tokenizer, _json(Path(work.job.base) / "generation_config.json"))
    train = _dataset(work, "rows", tokenizer, stops, config)
    order = _order(Path(work.job.order), train.place)
    work.note("data", **_shares(train.arrow, order), left_out=dict(train.left_out))
    parts = _by_task(_dataset(work, "held_out", tokenizer, stops, config).arrow)
    check_alone(model, train.arrow, tokenizer)
    lora = LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    adapted = get_peft_model(model, lora)
    arguments = SFTConfig(
        output_dir=str(work.checkpoints),
        max_steps=config.steps,
        learning_rate=config.learning_rate,
        per_device_train_batch_size=config.batch,
        per_device_eval_batch_size=config.batch,
        gradient_accumulation_steps=config.accumulate,
        warmup_steps=config.warmup,
        lr_scheduler_type=config.schedule,
        weight_decay=config.weight_decay,
        gradient_checkpointing=config.checkpoint_gradients,
        eval_strategy="steps" if config.eval_every and parts else "no",
        eval_steps=config.eval_every or None,
        save_strategy="steps" if config.save_every else "no",
        save_steps=config.save_every or 500,
        save_total_limit=2,
        logging_steps=1,
        logging_nan_inf_filter=False,  # it would log a loss that is no number as one that is
        seed=work.job.seed,
        data_seed=work.job.seed,
        full_determinism=True,
        train_sampling_strategy="sequential",
        dataset_kwargs={"skip_prepare_dataset": True},
        max_length=None,
        packing=False,
        remove_unused_columns=False,
        dataloader_num_workers=0,
        report_to="none",
        disable_tqdm=True,
        use_cpu=not torch.cuda.is_available(),
        bf16=False,
    )
    trainer = SFTTrainer(
        model=adapted,
        args=arguments,
        train_dataset=train.arrow.select(order),
        eval_dataset=parts or None,
        processing_class=tokenizer,
        data_collator=_padded(tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0),
        callbacks=[_diary(work)],
    )
    held_out = HeldOutRows(work, tokenizer, stops, config.max_length)
    held_out.measure_before(adapted)  # the adapter is still nothing: the base itself
    trainer.train(resume_from_checkpoint=_last(work.checkpoints))
    adapted.save_pretrained(work.adapter, safe_serialization=True)
    (work.adapter / "README.md").unlink(
        missing_ok=True
    )  # an empty card: ours comes from the decision
    _in_order(work.adapter / "adapter_config.json")
    if work.job.merge:
        _merge(work, tokenizer)
    held_out.write(adapted, (work.adapter, work.merged) if work.job.merge else (work.adapter,))
    work.note("trained", steps=trainer.state.global_step)


def _in_order(path: Path) -> None:
    """Writes the adapter's configuration with its modules in order: peft keeps them as a set, and equal adapters would differ."""
    config = json.loads(path.read_bytes())
    config["target_modules"] = sorted(config["target_modules"])
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _merge(work: Workshop, tokenizer: Any) -> None:
    """The base with the adapter added in float32 and cast to bfloat16 once, with tokenizer, template and generation config.

    The base is loaded anew in 16 bit, whatever it was trained over: 4-bit weights that are merged and quantised again lose
    most of a small adapter.
    """
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(
        work.job.base,
        dtype=torch.float32,
        local_files_only=True,
        trust_remote_code=False,
        use_safetensors=True,
    )
    merged = PeftModel.from_pretrained(base, work.adapter).merge_and_unload(safe_merge=True)
    merged.to(torch.bfloat16).save_pretrained(work.merged, safe_serialization=True)
    tokenizer.save_pretrained(work.merged)


def check_alone(model: Any, dataset: Any, tokenizer: Any) -> None:
    """Hard check: a row's logits are the same alone and padded beside a longer one. Raises UsageError (EG947).

    An attention backend that looks across the padding would train every row on its neighbours.
    """
    import torch

    short, long = _extremes(dataset)
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
    batch = _padded(pad)([short, long])
    with torch.no_grad():
        alone = model(input_ids=torch.tensor([short["input_ids"]], device=model.device)).logits[0]
        both = model(
            input_ids=batch["input_ids"].to(model.device),
            attention_mask=batch["attention_mask"].to(model.device),
        ).logits[0, : len(short["input_ids"])]
    far = (alone.float() - both.float()).abs().max().item()
    scale = alone.float().abs().max().item()
    if not far <= 0.05 * scale:  # rounding in bf16 stays below; a leak does not
        raise UsageError(
            f"found logits that differ by {far:.3g} (of at most {scale:.3g}) between a row alone and padded, expected the same. "
            "Use another attention backend.",
            where="the base model",
            code="EG947",
        )


def _extremes(dataset: Any) -> tuple[Any, Any]:
    lengths = [len(ids) for ids in dataset["input_ids"]]
    at = sorted(range(len(lengths)), key=lengths.__getitem__)
    return dataset[at[0]], dataset[at[min(len(at) - 1, len(at) // 2 + 1)]]


class _Rows(NamedTuple):
    """The rows of one file as arrow on disk. `place`: where a row stands there, by its number; those left out stand nowhere."""

    arrow: Any
    place: dict[int, int]
    left_out: Counter[str]


def _dataset(
    work: Workshop, name: str, tokenizer: Any, stops: dict[int, str], config: LoopConfig
) -> _Rows:
    """The tokens of the job's file `name`. Raises UsageError (EG948: too many of a task are too long)."""
    from datasets import Dataset, Features, Sequence, Value
    from datasets.arrow_writer import ArrowWriter

    ids = Sequence(Value("int32"))
    features = Features(input_ids=ids, labels=ids, task=Value("string"))
    seen: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    place: dict[int, int] = {}
    path = work.path / f"{name}.arrow"
    with ArrowWriter(path=str(path), features=features) as writer:
        examples = rendered(tokenizer, work.examples(name), stops, config.max_length)
        for number, one in enumerate(examples):
            seen[one.task] += 1
            if isinstance(one, LeftOut):
                lost[one.task] += 1
                continue
            place[number] = len(place)
            writer.write({"input_ids": one.ids, "labels": one.labels, "task": one.task})
        writer.finalize()
    for task, rows in sorted(seen.items()):
        if lost[task] > LEFT_OUT_MOST * rows:
            raise UsageError(
                f"found {lost[task]} of {rows} examples of {task} longer than {config.max_length} tokens, expected at most "
                f"{LEFT_OUT_MOST:.0%}: the task would be starved unseen. Raise max_length, or leave them out of the mixture.",
                where=work.job.recipe,
                code="EG948",
            )
    return _Rows(Dataset.from_file(str(path)), place, lost)


def _order(path: Path, place: Mapping[int, int]) -> list[int]:
    import numpy as np

    return [place[n] for n in np.fromfile(path, dtype="<i8").tolist() if n in place]


def _by_task(dataset: Any) -> dict[str, Any]:
    tasks = dataset["task"][:]
    return {
        task: dataset.select([n for n, other in enumerate(tasks) if other == task])
        for task in sorted(set(tasks))
    }


def _shares(dataset: Any, order: Iterable[int]) -> dict[str, dict[str, int]]:
    """Rows and trained tokens by task, as they are shown."""
    learnt = [sum(label != IGNORED for label in row["labels"]) for row in dataset]
    tasks = dataset["task"][:]
    rows: Counter[str] = Counter()
    tokens: Counter[str] = Counter()
    for n in order:
        rows[tasks[n]] += 1
        tokens[tasks[n]] += learnt[n]
    return {"rows": dict(sorted(rows.items())), "trained_tokens": dict(sorted(tokens.items()))}


def _padded(pad: int) -> Any:
    """A collator: right padding, a mask, no labels on padding."""
    import torch

    def collate(rows: list[dict[str, Any]]) -> dict[str, Any]:
        longest = max(len(row["input_ids"]) for row in rows)

        def filled(name: str, value: int) -> Any:
            return torch.tensor([row[name] + [value] * (longest - len(row[name])) for row in rows])

        mask = [[1] * len(r["input_ids"]) + [0] * (longest - len(r["input_ids"])) for r in rows]
        return {
            "input_ids": filled("input_ids", pad),
            "labels": filled("labels", IGNORED),
            "attention_mask": torch.tensor(mask),
        }

    return collate


def _diary(work: Workshop) -> Any:
    """A callback that writes what the trainer logs into the diary, and stops at a loss that is no number."""
    from transformers import TrainerCallback

    class Diary(TrainerCallback):  # type: ignore[misc]
        def on_log(self, _args: Any, state: Any, _control: Any, **more: Any) -> None:
            logs = more.get("logs")
            numbers = {k: v for k, v in (logs or {}).items() if isinstance(v, int | float)}
            for name, value in numbers.items():
                if name.endswith("loss") and not math.isfinite(value):
                    work.note("diverged", step=state.global_step)
                    raise UsageError(
                        f"found a loss that is no number at step {state.global_step}, expected one. Lower learning_rate, or look at "
                        "the rows of that step.",
                        where=work.job.recipe,
                        code="EG949",
                    )
            work.note("step", step=state.global_step, of=state.max_steps, **numbers)

    return Diary()


def _last(checkpoints: Path) -> str | None:
    """The newest whole checkpoint: one that a kill cut short lacks its last file."""
    whole = [p.parent for p in checkpoints.glob("checkpoint-*/trainer_state.json")]
    return str(max(whole, key=lambda p: int(p.name.rpartition("-")[2]))) if whole else None


def _json(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise _unusable("no generation_config.json beside the base model", path.parent) from None
    return found


def _unusable(found: str, base: Path) -> UsageError:
    return UsageError(
        f"found {found}, expected one: training text must be serving text. Put it there.",
        where=base.name,
        code="EG946",
    )
