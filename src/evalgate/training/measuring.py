"""What held-out rows cost a model before it was trained and after: row by row, for comparisons with other candidates."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from evalgate.files import write_whole
from evalgate.training.job import Workshop
from evalgate.training.rendering import LeftOut, Tokenizer, rendered

HELD_OUT: Final = "held_out.json"
SCHEMA: Final = "evalgate.held_out/1"


class HeldOutRows:
    """The held-out rows of a job that are short enough. Losses are means over a row's trained tokens, in nats."""

    def __init__(
        self, work: Workshop, tokenizer: Tokenizer, stops: Mapping[int, str], max_length: int
    ) -> None:
        self._before = work.path / "held_out_before.json"
        examples = rendered(tokenizer, work.examples("held_out"), stops, max_length)
        self._rows = [
            (row, tokens)
            for row, tokens in zip(work.examples("held_out"), examples, strict=True)
            if not isinstance(tokens, LeftOut)
        ]

    def measure_before(self, model: Any) -> None:
        """Measures the model as it is before its first step; a training that was resumed keeps what its first start measured."""
        if self._rows and not self._before.exists():
            write_whole(self._before, json.dumps(self._losses(model)).encode())

    def write(self, model: Any, folders: Sequence[Path]) -> None:
        """Measures the trained model and writes both losses into each of `folders`: ids and numbers, no texts."""
        if not self._rows:
            return
        losses = zip(json.loads(self._before.read_bytes()), self._losses(model), strict=True)
        rows = [
            {
                "id": row.id,
                "task": row.task,
                "unit": row.unit or row.id,
                "tokens": tokens.trained,
                "before": before,
                "after": after,
            }
            for (row, tokens), (before, after) in zip(self._rows, losses, strict=True)
        ]
        told = json.dumps({"schema": SCHEMA, "rows": rows}, sort_keys=True, indent=0).encode()
        for folder in folders:
            write_whole(folder / HELD_OUT, told + b"\n")

    def _losses(self, model: Any) -> list[float | None]:
        """Each row alone, so that no row depends on its neighbours; None for what is no number."""
        import torch

        training = model.training
        model.eval()
        found = []
        with torch.no_grad():
            for _, tokens in self._rows:
                ids = torch.tensor([tokens.ids], device=model.device)
                labels = torch.tensor(tokens.labels[1:], device=model.device)
                logits = model(input_ids=ids).logits[0, :-1].float()
                loss = torch.nn.functional.cross_entropy(logits, labels).item()
                found.append(loss if math.isfinite(loss) else None)
        model.train(training)
        return found
