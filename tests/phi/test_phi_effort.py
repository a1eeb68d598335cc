"""A scan takes time in proportion to the text, whatever the text: nobody can stop a check with one line."""

import time

import pytest

from evalgate.corpus.phi import scan

UNITS = [
    "Ab ",
    "1-",
    "a@",
    "a.",
    "1:",
    "1",
    " ",
    "\n",
    "A",
    "de ",
    "A. ",
    "12 Ab ",
    "member id ",
    "<",
    "a b. ",
    "O'",
    "王",
]


def seconds(text: str) -> float:
    start = time.process_time()
    scan(text)
    return time.process_time() - start


@pytest.mark.parametrize("unit", UNITS, ids=ascii)
def test_four_times_the_text_takes_about_four_times_the_time(unit):
    once = min(seconds(unit * 1_000) for _ in range(2))
    longer = seconds(unit * 4_000)
    assert longer < 8 * once + 0.25, (
        "four times the text, so sixteen times the time would be quadratic"
    )
