"""Bounds, paired comparisons, agreement and planning: numpy and scipy only, seeds passed in, no state.

Every function is keyword-callable and raises ValueError, with the offending value in the message, for input that is
not data (NaN, values outside their declared range, k > n, unequal lengths). Names are imported on first use, so that
importing this package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evalgate.stats.agreement import (
        cohen_kappa,
        gwet_ac1,
        krippendorff_alpha,
        weighted_kappa,
    )
    from evalgate.stats.classification import macro_f1, worst_atom_macro_f1_bounds
    from evalgate.stats.multiplicity import alpha_for_attempt, bh_adjust, holm_adjust
    from evalgate.stats.paired import mcnemar_exact_p, tango_lower, tango_upper
    from evalgate.stats.planning import (
        effective_n,
        feasible_bound,
        gate_power,
        iut_pass_prob,
        joint_power,
        macro_f1_feasible_bound,
        mean_gate_power,
        mean_required_n,
        min_n_feasible,
        min_successes_to_pass,
        more_units_needed,
        noninferiority_feasible_bound,
        noninferiority_power,
        noninferiority_required_n,
        ratio_feasible_bound,
        required_n,
    )
    from evalgate.stats.ppi import (
        ppi_mean_lower,
        ppi_mean_point,
        ppi_power_tuning,
        worst_atom_ppi_lower,
        worst_atom_ppi_upper,
    )
    from evalgate.stats.proportions import cp_lower, cp_upper, stratified_lower
    from evalgate.stats.units import unit_means, unit_totals
    from evalgate.stats.worst_atom import (
        worst_atom_lower,
        worst_atom_ratio_lower,
        worst_atom_ratio_upper,
        worst_atom_upper,
    )

__all__ = [
    "alpha_for_attempt",
    "bh_adjust",
    "cohen_kappa",
    "cp_lower",
    "cp_upper",
    "effective_n",
    "feasible_bound",
    "gate_power",
    "gwet_ac1",
    "holm_adjust",
    "iut_pass_prob",
    "joint_power",
    "krippendorff_alpha",
    "macro_f1",
    "macro_f1_feasible_bound",
    "mcnemar_exact_p",
    "mean_gate_power",
    "mean_required_n",
    "min_n_feasible",
    "min_successes_to_pass",
    "more_units_needed",
    "noninferiority_feasible_bound",
    "noninferiority_power",
    "noninferiority_required_n",
    "ppi_mean_lower",
    "ppi_mean_point",
    "ppi_power_tuning",
    "ratio_feasible_bound",
    "required_n",
    "stratified_lower",
    "tango_lower",
    "tango_upper",
    "unit_means",
    "unit_totals",
    "weighted_kappa",
    "worst_atom_lower",
    "worst_atom_macro_f1_bounds",
    "worst_atom_ppi_lower",
    "worst_atom_ppi_upper",
    "worst_atom_ratio_lower",
    "worst_atom_ratio_upper",
    "worst_atom_upper",
]

_HOME = {
    "agreement": ("cohen_kappa", "gwet_ac1", "krippendorff_alpha", "weighted_kappa"),
    "classification": ("macro_f1", "worst_atom_macro_f1_bounds"),
    "multiplicity": ("alpha_for_attempt", "bh_adjust", "holm_adjust"),
    "paired": ("mcnemar_exact_p", "tango_lower", "tango_upper"),
    "planning": (
        "effective_n",
        "feasible_bound",
        "gate_power",
        "iut_pass_prob",
        "joint_power",
        "macro_f1_feasible_bound",
        "mean_gate_power",
        "mean_required_n",
        "min_n_feasible",
        "min_successes_to_pass",
        "more_units_needed",
        "noninferiority_feasible_bound",
        "noninferiority_power",
        "noninferiority_required_n",
        "ratio_feasible_bound",
        "required_n",
    ),
    "ppi": (
        "ppi_mean_lower",
        "ppi_mean_point",
        "ppi_power_tuning",
        "worst_atom_ppi_lower",
        "worst_atom_ppi_upper",
    ),
    "proportions": ("cp_lower", "cp_upper", "stratified_lower"),
    "units": ("unit_means", "unit_totals"),
    "worst_atom": (
        "worst_atom_lower",
        "worst_atom_ratio_lower",
        "worst_atom_ratio_upper",
        "worst_atom_upper",
    ),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> Any:
    """The function `name`, imported from its module on first use."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
