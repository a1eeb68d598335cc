"""The approval of a locked plan's code. Suites see sealed items in plain text, so somebody reads them first and signs.

Nothing of the project is imported here: the code that is to be approved must not run beside the approver's key.
"""

from __future__ import annotations

from pathlib import Path

from evalgate import digest
from evalgate.authored.keyring import GATE, SUITES, Key, Keyring
from evalgate.errors import Refused, Undecided
from evalgate.gate.plan import REVIEWED_LATER, Locked, code_digests, locks
from evalgate.store.ledger import Entry, Ledger
from evalgate.store.signer import keyring_of, signer


def approve_plan(root: Path, *, name: str | None, comment: str) -> tuple[Locked, Entry]:
    """Signs the code of the last locked plan with the key at hand for the role `suites` (`name`: that key).

    Raises Undecided (EG934: nothing is locked, or the files are no longer what was locked), Refused (EG936: the key's
    holder runs the gate), UsageError (no key: EG708, EG709), IntegrityError (the ledger).
    """
    keyring = keyring_of(root)
    last = _locked(root)
    who = signer(root, keyring, SUITES, name=name)
    if _runs_the_gate(keyring, who.key):
        raise Refused(
            f"found that {who.key.holder} runs the gate, expected another person. Let somebody else read the suites and sign.",
            code="EG936",
        )
    body = {
        "plan": last.digest,
        "code": _code(last),
        "holder": who.key.holder,
        "comment": " ".join(comment.split()),
    }
    return last, Ledger(root, keyring).append("approval", body, who.private)


def require_approved(root: Path) -> Entry:
    """The approval of the code of the last locked plan, which the files still are.

    An approval is of the code, not of the plan around it: a threshold may be raised without another. Raises Undecided
    (EG934; EG935: nobody has approved this code), IntegrityError.
    """
    keyring = keyring_of(root)
    code = _code(_locked(root))
    given = [e for e in Ledger(root, keyring).of_kind("approval") if e.body.get("code") == code]
    given = [e for e in given if not _runs_the_gate(keyring, keyring.keys[e.by])]
    if not given:
        raise Undecided(
            "found no approval of the suites as they are locked, expected one by somebody who does not run the gate: their code "
            "sees sealed items. Who holds a key of the role 'suites' reads them and runs: evalgate plan --approve",
            where="the plan",
            code="EG935",
        )
    return given[-1]


def _locked(root: Path) -> Locked:
    """The last locked plan, if the files are what it says. Raises Undecided (EG934)."""
    found = locks(root)
    if not found:
        raise _not_locked("no locked plan")
    then = found[-1].plan.files
    now = code_digests(root)
    now = {name: value for name, value in now.items() if not name.endswith(REVIEWED_LATER)}
    for name in then.keys() - now.keys():  # a prompt may lie anywhere in the project
        if (root / name).is_file():
            now[name] = digest.of_file(root / name)
    other = sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))
    if other:
        more = f" and {len(other) - 3} more" if len(other) > 3 else ""
        raise _not_locked(f"other files than were locked ({', '.join(other[:3])}{more})")
    return found[-1]


def _not_locked(found: str) -> Undecided:
    return Undecided(
        f"found {found}, expected the suites as they are locked. Run 'evalgate plan --lock'.",
        where="the plan",
        code="EG934",
    )


def _code(lock: Locked) -> str:
    """Digest of every file that runs or is read beside sealed items."""
    return digest.of_value(lock.plan.files)


def _runs_the_gate(keyring: Keyring, key: Key) -> bool:
    return any(
        GATE in other.roles and other.person == key.person for other in keyring.keys.values()
    )
