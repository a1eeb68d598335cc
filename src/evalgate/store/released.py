"""What has been promoted: the ledger's word, which the alias files only repeat."""

from __future__ import annotations

from pathlib import Path

from evalgate.records import Record

DEFAULT_ALIAS = "production"


class Released(Record, kw_only=True):
    """The last promotion under an alias. `digest`: the model's; `certificate`: digest of the certificate's bytes, `path` its place."""

    alias: str
    model: str
    digest: str
    certificate: str
    path: str
    plan: str
    at: str
    seq: int


def released(root: Path, alias: str | None = None) -> Released | None:
    """What was promoted last under `alias` (None: under "production", else under any alias); None if nothing was.

    Raises IntegrityError where the ledger is not what was written, FileProblems for keys.toml.
    """
    path = root / "reports" / "ledger.jsonl"
    try:  # a look that costs nothing where nothing was promoted: most commands then need no cryptography
        if b'"kind":"promotion"' not in path.read_bytes():
            return None
    except OSError:
        return None
    from evalgate.store.signer import ledger_of

    last: dict[str, Released] = {}
    for entry in ledger_of(root).of_kind("promotion"):
        body = {k: v for k, v in entry.body.items() if k in Released.__struct_fields__}
        last.pop(entry.body["alias"], None)
        last[entry.body["alias"]] = Released(**body, at=entry.at, seq=entry.seq)
    if alias is not None:
        return last.get(alias)
    return last.get(DEFAULT_ALIAS) or next(reversed(last.values()), None)
