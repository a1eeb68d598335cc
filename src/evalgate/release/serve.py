"""`serve`: admission. What an alias stands for is verified to the last byte, then served, and the ledger says since when."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evalgate.errors import EvalgateError, Exit, IntegrityError, Refused
from evalgate.models import Server, identify, serving
from evalgate.release.admission import check_bytes, check_expiry, code_of, failures, settings_of
from evalgate.release.promote import resolve
from evalgate.release.trained import check_trained
from evalgate.store.ledger import Ledger
from evalgate.store.released import Released
from evalgate.store.signer import gate_signer, keyring_of, ledger_of


@contextmanager
def admitted(root: Path, alias: str) -> Iterator[tuple[Released, Server]]:
    """Yields the promotion and a running server of exactly its bytes; stops the server at the end.

    The ledger gets an entry when the server answers, and one when it ends. Raises Refused (EG738: expired, or its data may no longer be used), IntegrityError
    (EG738: other bytes than were certified; EG739: another server or other arguments), and what `resolve` and `serving` raise.
    """
    promoted, found = resolve(root, alias)
    checks = [
        check_expiry(found.certificate),
        check_bytes(found.certificate, root),
        *check_trained(root, found.certificate, ledger_of(root)),
    ]
    if code := code_of(checks):
        kind: type[EvalgateError] = IntegrityError if code == Exit.INTEGRITY else Refused
        raise kind(
            f"found {'; '.join(failures(checks))}, expected what was promoted. Nothing is served.",
            where=alias,
            code="EG738",
        )
    name = promoted.model
    spec = settings_of(root).model(name)
    now, then = identify(name, spec, root), found.certificate.predicate.evidence.candidate
    if then is None or (now.digest, now.server, now.version, now.args) != (
        then.digest,
        then.server,
        then.version,
        then.args,
    ):
        raise IntegrityError(
            f"found {now.digest[:19]} on {now.server} {now.version} {' '.join(now.args)} for this model now, expected what was certified"
            f"{f' ({then.server} {then.version})' if then else ''}: answers depend on it. Install and configure that, or check "
            "the model again.",
            where=f"evalgate.toml: [models.{name}]",
            code="EG739",
        )
    keyring = keyring_of(root)
    key = gate_signer(root, keyring).private
    ledger = Ledger(root, keyring)
    body = {
        "alias": alias,
        "model": name,
        "digest": promoted.digest,
        "certificate": promoted.certificate,
    }
    with serving(name, spec, root, now, root / "reports" / "logs") as server:
        entry = ledger.append("serving", body | {"state": "began"}, key)
        try:
            yield promoted, server
        finally:
            ledger.append("serving", body | {"state": "ended", "began": entry.seq}, key)
