"""Whether a merge took: an adapter that was added to a base has to have changed a weight of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from evalgate.errors import IntegrityError
from evalgate.models.artifact import Tensor, shards, tensors

_DTYPES: Final = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
_CHUNK: Final = 1 << 22
"""Numbers that are compared at a time."""


def check_merge(base: Path, merged: Path, *, where: str) -> None:
    """Returns if a weight of `merged` differs from the base's of that name, rounded to the same number format.

    It ends at the first that does. Weights that the other side has not, in another shape or another kind of number, count as
    different. Nothing is asked of a base without safetensors. Raises IntegrityError (EG983), UsageError (EG341, EG342: cut short).
    """
    if not any(base.glob("*.safetensors")):
        return
    before, after = _found(base, where), _found(merged, where)
    if not any(_differs(before.get(name), one) for name, one in sorted(after.items())):
        raise IntegrityError(
            f"found all {len(after)} weights of the merge equal to the base's, expected the training in them: the merge changed "
            "nothing. Look at the loss in trainer.log: learning_rate and steps may be too small to change a 16-bit number.",
            where=where,
            code="EG983",
        )


def _found(model: Path, where: str) -> dict[str, tuple[Path, Tensor]]:
    """Every tensor of a model, with the file that it is in."""
    return {
        name: (model / shard, tensor)
        for shard in shards(model, where)
        for name, tensor in tensors(model / shard, where=where).items()
    }


def _differs(before: tuple[Path, Tensor] | None, after: tuple[Path, Tensor]) -> bool:
    if before is None or before[1].shape != after[1].shape:
        return True
    kinds = before[1].dtype, after[1].dtype
    if not all(kind in _DTYPES for kind in kinds):
        return True
    import numpy as np

    old, new = _numbers(*before), _numbers(*after)
    for start in range(0, len(new), _CHUNK):
        part = slice(start, start + _CHUNK)
        if not np.array_equal(_as(old[part], *kinds), new[part]):
            return True
    return False


def _numbers(file: Path, tensor: Tensor) -> Any:
    """The numbers of a tensor as they lie on disk, bfloat16 as its 16 bits."""
    import numpy as np

    if tensor.start == tensor.end:
        return np.empty(0)
    kind = np.dtype(_DTYPES[tensor.dtype])
    size = (tensor.end - tensor.start) // kind.itemsize
    return np.memmap(file, kind, "r", tensor.start, (size,))


def _as(numbers: Any, kind: str, wanted: str) -> Any:
    """Numbers in another format, rounded to the nearest, halves to even, as torch does."""
    import numpy as np

    if kind == wanted:
        return numbers
    if kind == "BF16":
        numbers = (numbers.astype("<u4") << 16).view("<f4")
    if wanted != "BF16":
        with np.errstate(over="ignore"):
            return numbers.astype(_DTYPES[wanted])
    bits = numbers.astype("<f4").view("<u4")
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")
