"""Whether a reply that could not be parsed is a refusal. A coarse detector by phrases; its error is not measured.

It only names the cause of a wrong answer: an unparseable reply is wrong whether or not it is called a refusal.
"""

from __future__ import annotations

import re

_OPENING = 240  # characters: a refusal says so at once
_REFUSAL = re.compile(
    r"""\b(?:
      i(?:['’]m|\ am)\ (?:(?:very|so|really)\ )?sorry | i\ apologi[sz]e | my\ apologies
    | (?:i|we)\ (?:can(?:no|['’])t|can\ not|could\ not|won['’]t|will\ not|must\ decline|have\ to\ decline)
    | i(?:['’]m|\ am)\ (?:not\ able|unable|not\ allowed|not\ permitted)
    | as\ an?\ (?:ai|a\.i\.|language\ model|artificial)
    | lo\ siento | no\ puedo | me\ temo\ que
    )""",
    re.VERBOSE | re.IGNORECASE,
)


def is_refusal(text: str) -> bool:
    """True if the opening of `text` reads as a refusal to do the task (English or Spanish)."""
    return _REFUSAL.search(text[:_OPENING]) is not None
