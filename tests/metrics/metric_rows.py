"""Answers made by hand for the metric tests."""

from evalgate.records import Answer, Entity


def entity(label="DX", text="asthma", start=None, end=None):
    return Entity(label=label, text=text, start=start, end=end)


def entities(words, label="DX"):
    """`entities("asthma gout")` are two entities."""
    return [entity(label, word) for word in words.split()]


def answer(name="1", *, unit=None, expected="A", parsed=None, status="ok", correct=None, tags=()):
    """An answer; right if `parsed` equals `expected`, unless `correct` says otherwise."""
    parsed = parsed if status == "ok" else None
    return Answer(
        id=str(name),
        unit=f"unit-{name}" if unit is None else unit,
        tags=tags,
        input="SECRET TEXT",
        expected=expected,
        text="SECRET TEXT",
        parsed=parsed,
        status=status,
        correct=(status == "ok" and parsed == expected) if correct is None else correct,
    )


def binary(right, wrong, **kwargs):
    """`right` right answers and `wrong` wrong ones of class A, one to a unit."""
    return [answer(i, parsed="A" if i < right else "B", **kwargs) for i in range(right + wrong)]
