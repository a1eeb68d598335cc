import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalgate.report.numbers import (
    NONE,
    ceil4,
    exact_text,
    floor4,
    high_text,
    low_text,
    present,
    shown,
    value_text,
)

FLOATS = st.floats(-2, 2)
ANY = st.floats(allow_nan=True, allow_infinity=True)


@given(FLOATS)
def test_a_shown_end_never_flatters_and_is_near(x):
    assert x - 1.0001e-4 < floor4(x) <= x <= ceil4(x) < x + 1.0001e-4


@given(st.integers(-10_000, 10_000))
def test_four_decimals_stay_what_they_are(ticks):
    x = ticks / 10_000
    assert floor4(x) == ceil4(x) == x


@given(FLOATS)
def test_rounding_twice_changes_nothing(x):
    assert floor4(floor4(x)) == floor4(x)
    assert ceil4(ceil4(x)) == ceil4(x)


@given(FLOATS, FLOATS)
def test_rounding_keeps_the_order(x, y):
    x, y = sorted((x, y))
    assert floor4(x) <= floor4(y)
    assert ceil4(x) <= ceil4(y)


@given(ANY)
def test_every_float_can_be_shown(x):
    assert low_text(x)
    assert high_text(x)
    assert value_text(x)
    assert exact_text(x)
    assert isinstance(floor4(x), float)


def test_one_bit_below_the_threshold_is_not_shown_as_the_threshold():
    below = math.nextafter(0.85, 0)
    assert low_text(below) == "0.8499"
    assert low_text(0.85) == "0.8500"
    assert high_text(math.nextafter(0.05, 1)) == "0.0501"
    assert high_text(0.05) == "0.0500"


def test_an_interval_is_rounded_outward():
    assert shown(0.85999, 0.91001) == "0.8599 to 0.9101"
    assert shown(-0.05001, -0.04999) == "-0.0501 to -0.0499"


@pytest.mark.parametrize("x", [-0.0, -1e-9])
def test_no_number_is_minus_zero(x):
    assert high_text(x) == value_text(x) == "0.0000"
    assert exact_text(-0.0) == "0"


@pytest.mark.parametrize("x", [None, math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_a_dash(x):
    assert present(x) is None
    assert low_text(x) == high_text(x) == value_text(x) == NONE


@pytest.mark.parametrize(
    ("x", "places", "text"),
    [
        (0.85, 0, "0.85"),
        (0.8, 2, "0.80"),
        (1.0, 0, "1"),
        (1, 2, "1.00"),
        (-0.05, 2, "-0.05"),
        (1e-5, 2, "0.00001"),
        (0.8512345678, 2, "0.8512345678"),
        (100.0, 0, "100"),
        (5e22, 0, "5" + "0" * 22),
    ],
)
def test_a_threshold_is_shown_with_every_decimal(x, places, text):
    assert exact_text(x, places=places) == text


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 4))
def test_a_threshold_reads_back_as_itself(x, places):
    assert float(exact_text(x, places=places)) == x
