from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest

from evalgate import stats


@pytest.mark.parametrize(
    ("call", "found"),
    [
        (lambda: stats.cp_lower(5, 4), "found 5"),
        (lambda: stats.cp_lower(-1, 4), "found -1"),
        (lambda: stats.cp_lower(1, -4), "found -4"),
        (lambda: stats.cp_lower(1.5, 4), "found 1.5"),
        (lambda: stats.cp_lower(math.nan, 4), "found nan"),
        (lambda: stats.cp_lower("1", 4), "found '1'"),
        (lambda: stats.cp_lower(None, 4), "found None"),
        (lambda: stats.cp_lower(1, 4, 0.0), "found 0.0"),
        (lambda: stats.cp_lower(1, 4, 1), "found 1"),
        (lambda: stats.cp_upper(1, 4, 1.2), "found 1.2"),
        (lambda: stats.worst_atom_lower([0.5, math.nan]), "nan at position 1"),
        (lambda: stats.worst_atom_lower([0.5, 1.25]), "1.25 at position 1"),
        (lambda: stats.worst_atom_lower([0.5, -0.1]), "-0.1 at position 1"),
        (lambda: stats.worst_atom_lower([0.5, math.inf], hi=math.inf), "hi: found inf"),
        (lambda: stats.worst_atom_lower(["0.5"]), "'0.5'"),
        (lambda: stats.worst_atom_lower([0.5, None]), "None"),
        (lambda: stats.worst_atom_lower([[0.5]]), "2 dimensions"),
        (stats.worst_atom_lower, "neither"),
        (lambda: stats.worst_atom_lower([1], x_counts=[[1, 1]]), "both"),
        (lambda: stats.worst_atom_lower(x_counts=[[1]]), r"\(1,\)"),
        (lambda: stats.worst_atom_lower(x_counts=[[1, -2]]), "-2"),
        (lambda: stats.worst_atom_lower(x_counts=[[1.5, 2]]), "1.5"),
        (lambda: stats.worst_atom_lower([0.5], lo=1.0, hi=1.0), "lo < hi"),
        (lambda: stats.worst_atom_lower([0.5, 0.6], draws=10), "found 10"),
        (lambda: stats.worst_atom_lower([0.5, 0.6], draws=0), "found 0"),
        (lambda: stats.worst_atom_lower([0.5, 0.6], seed=-1), "found -1"),
        (lambda: stats.worst_atom_upper([2.0]), "2.0"),
        (lambda: stats.worst_atom_ratio_lower([1, 2], [1]), "num has 2, den has 1"),
        (lambda: stats.worst_atom_ratio_lower([3, 1], [2, 1]), "3.0 of 2.0"),
        (lambda: stats.worst_atom_ratio_lower([-1, 1], [2, 1]), "-1.0"),
        (lambda: stats.worst_atom_ratio_lower([1, 1], [2, 9], den_max=8), "found 8"),
        (lambda: stats.worst_atom_ratio_lower([], [], den_max=0), "found 0"),
        (lambda: stats.worst_atom_ratio_upper([1, math.nan], [2, 1]), "nan"),
        (lambda: stats.unit_means([1.0, 2.0], ["a"]), "units has 1"),
        (lambda: stats.unit_means([math.nan], ["a"]), "nan"),
        (lambda: stats.holm_adjust([0.1, 1.1]), "1.1"),
        (lambda: stats.bh_adjust([0.1, math.nan]), "nan"),
        (lambda: stats.mcnemar_exact_p(-1, 2), "-1"),
        (lambda: stats.stratified_lower([1.0], [2], [1]), "found 2"),
        (lambda: stats.stratified_lower([0.5, 0.5], [1], [1]), "weights has 2"),
    ],
)
def test_what_is_no_data_is_refused_with_the_value_in_the_message(call, found):
    with pytest.raises(ValueError, match=found):
        call()


def test_counts_may_come_as_whole_floats_and_numpy_numbers():
    assert stats.cp_lower(np.int64(97), 100.0) == stats.cp_lower(97, 100)
    assert stats.worst_atom_lower(np.array([True, True, False])) == stats.cp_lower(2, 3)
    assert stats.worst_atom_lower(np.array([1, 1.0, 0], object)) == stats.cp_lower(2, 3)
    assert stats.worst_atom_lower([1, 0.5, np.float32(0.25)]) == stats.worst_atom_lower(
        [0.25, 0.5, 1]
    )


def test_negative_zero_is_zero():
    assert stats.worst_atom_lower([-0.0, 0.5, 1.0]) == stats.worst_atom_lower([0.0, 0.5, 1.0])


def test_every_public_name_is_there_sorted_and_documented():
    assert list(stats.__all__) == sorted(set(stats.__all__))
    for name in stats.__all__:
        assert getattr(stats, name).__doc__, name
    assert set(stats.__all__) <= set(dir(stats))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="wald_lower"):
        _ = stats.wald_lower


def test_importing_the_package_loads_neither_numpy_nor_scipy():
    code = "import sys, evalgate.stats; print(sorted({'numpy', 'scipy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
