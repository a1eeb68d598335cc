"""What every trainer needs and none should write itself: the job, rendering and masks, hard checks, the loop, the diary."""

from evalgate.training.job import ADAPTER, JOB, MERGED, Job, Workshop, read_log, run_trainer
from evalgate.training.loop import (
    LoopConfig,
    check_config,
    quiet,
    tokenizer_of,
    train_adapter,
    unpacked,
)

__all__ = [
    "ADAPTER",
    "JOB",
    "MERGED",
    "Job",
    "LoopConfig",
    "Workshop",
    "check_config",
    "quiet",
    "read_log",
    "run_trainer",
    "tokenizer_of",
    "train_adapter",
    "unpacked",
]
