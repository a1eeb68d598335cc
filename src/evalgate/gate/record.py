"""Keeping decisions: `<time>-<model>` .json, .evidence.json, .html, .xml and .md side by side in reports/decisions/.

The .json is the decision (schema evalgate.decision/1), the .evidence.json what it rests on; the others are rendered from
the two and can be again. A checksum over both tells an edit by accident or by hand; it is no signature.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

import msgspec

from evalgate import digest
from evalgate.errors import InfrastructureError, IntegrityError, UsageError
from evalgate.files import write_whole
from evalgate.gate.decide import borne_out
from evalgate.gate.evidence import now
from evalgate.gate.signed import signed
from evalgate.records import Decision, Evidence, Finding, Record, Status
from evalgate.report.html import render_html
from evalgate.report.json import SCHEMA, json_text
from evalgate.report.junit import render_junit
from evalgate.report.markdown import render_markdown
from evalgate.report.signatures import Signatures
from evalgate.report.trend import Earlier
from evalgate.report.words import NO_BASELINE

Format = Literal["html", "junit", "md", "json"]
FORMATS: tuple[Format, ...] = get_args(Format)

_EVIDENCE = ".evidence.json"
_SUFFIXES = (_EVIDENCE, ".json", ".html", ".xml", ".md")
_EARLIER = 30  # decisions that a page looks back on
_CODES = {"open": (0,), "closed": (1, 5), "undecided": (3, 4)}


class _Claim(Record, kw_only=True):
    """What a finding knows beyond the fixed schema of the decision."""

    suite: str
    test: str
    reason: str
    worst: tuple[str, ...]
    answers: dict[Status, int]


class _Stored(Record, kw_only=True):
    """The .evidence.json. `decision`: digest of the .json's bytes. `sum`: digest of the rest of this object."""

    schema: Literal["evalgate.evidence/1"] = "evalgate.evidence/1"
    sum: str = ""
    decision: str
    evidence: Evidence
    claims: tuple[_Claim, ...]

    @property
    def own_sum(self) -> str:
        """What `sum` has to be."""
        return digest.of_value(msgspec.structs.replace(self, sum=""))


class Recorded(Record, kw_only=True):
    """A decision as it was kept, with what it rests on. `stem` is the name its files share."""

    stem: str
    decision: Decision
    evidence: Evidence


def record(
    decision: Decision,
    root: Path,
    evidence: Evidence | None = None,
    *,
    copy: Path | None = None,
    stem: str | None = None,
) -> Path:
    """Writes the decision in every format, readable by its owner only; returns the page's path.

    `stem` names the files (default: a new name). `copy` is a directory that gets the same files under the stem `decision`, for a caller who must not mistake another
    process's decision for this one. All files are kept or none: raises InfrastructureError (EG501) if one cannot be
    written, since a decision that leaves no trace is not one.
    """
    evidence = evidence or now()
    folder = _folder(root)
    stem = stem or new_stem(decision.model.get("name", ""))
    kept = Recorded(stem=stem, decision=decision, evidence=evidence)
    text = render(kept, root, "json")
    files = {
        _EVIDENCE: _seal(kept, text),
        ".xml": render(kept, root, "junit"),
        ".md": render(kept, root, "md"),
        ".html": render(kept, root, "html"),
        ".json": text,  # the last one: where it lies, the others do
    }
    page = where = folder / f"{stem}.html"
    try:
        for where in _pages(page, copy):
            where.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            for suffix, content in files.items():
                write(where.with_suffix(suffix), content)
    except OSError as e:
        withdraw(page, copy=copy)
        raise InfrastructureError(
            f"found {e.strerror or e}, expected to be able to write the report. Free some space or mend the permissions.",
            where=str(where.parent),
            code="EG501",
        ) from None
    except BaseException:  # a job that is cancelled right now
        withdraw(page, copy=copy)
        raise
    return page


def new_stem(model: str) -> str:
    """A name for the files of a decision about `model`: such names sort by time, and no two are the same."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    return f"{stamp}-{_safe(model)}-{secrets.token_hex(3)}"


def withdraw(page: Path, *, copy: Path | None = None) -> None:
    """Removes the decision whose page `record` returned: one that could not be told in full must not be found later."""
    for where in _pages(page, copy):
        for suffix in (".json", *_SUFFIXES):  # without its .json nothing counts as a decision
            with suppress(OSError):
                where.with_suffix(suffix).unlink()


def _pages(page: Path, copy: Path | None) -> list[Path]:
    """The pages of one decision, that in its own folder last: it is not kept before everything else is."""
    return [*([copy / "decision.html"] if copy else []), page]


def render(
    kept: Recorded, root: Path, format_: Format, signatures: Signatures | None = None
) -> str:
    """A kept decision as a page, JUnit XML, Markdown or JSON. Equal input gives equal text.

    `signatures`: what people signed about it; by default what its certificate says of itself.
    """
    if format_ == "json":
        return json_text(kept.decision)
    if format_ == "junit":
        return render_junit(kept.decision, kept.evidence)
    signatures = signatures or signed(root, kept.decision)
    if format_ == "md":
        return render_markdown(kept.decision, kept.evidence, signatures=signatures)
    return render_html(
        kept.decision,
        kept.evidence,
        stem=kept.stem,
        earlier=_earlier(root, kept.stem),
        signatures=signatures,
    )


def _seal(kept: Recorded, text: str) -> str:
    claims = tuple(
        _Claim(suite=f.suite, test=f.test, reason=f.reason, worst=f.worst, answers=f.answers)
        for f in kept.decision.findings
    )
    stored = _Stored(decision=digest.of_bytes(text.encode()), evidence=kept.evidence, claims=claims)
    sealed = msgspec.structs.replace(stored, sum=stored.own_sum)
    return msgspec.json.format(msgspec.json.encode(sealed), indent=1).decode() + "\n"


def find(root: Path, name: str | None) -> Path:
    """The .json of the decision meant by `name`: a path, a stem, the beginning of one, or a model (then its latest).

    None means the latest of all. Raises UsageError: none kept (EG510), none or several meant (EG511).
    """
    if name is not None and name.endswith(_SUFFIXES) and Path(name).is_file():
        return Path(name).with_name(f"{_stem(Path(name).name)}.json")
    paths = _kept(root)
    if not paths:
        raise UsageError(
            "found no decision, expected one to render. Run 'evalgate gate check' first.",
            where=str(_folder(root).relative_to(root)),
            code="EG510",
        )
    if name is None:
        return paths[-1]
    stem = _stem(name)
    meant = (
        [p for p in paths if p.stem == stem]
        or [p for p in paths if _model(p) == _safe(name)][-1:]
        or [p for p in paths if p.stem.startswith(stem)]
    )
    if len(meant) == 1:
        return meant[0]
    known = sorted({_model(p) for p in paths})
    found = f"{len(meant)} decisions" if meant else "no decision"
    raise UsageError(
        f"found {found} under {name!r}, expected one. Name a file of reports/decisions/, more of its name, or a model "
        f"({', '.join(known[:5])}).",
        code="EG511",
    )


def _safe(model: str) -> str:
    """A model's name as it stands in file names."""
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in model) or "model"


def _stem(name: str) -> str:
    suffix = next((s for s in _SUFFIXES if name.endswith(s)), "")
    return name.removesuffix(suffix)


def _model(path: Path) -> str:
    """The model's name in a file's name: between the time and the random digits."""
    return path.stem.partition("-")[2].rpartition("-")[0]


def _folder(root: Path) -> Path:
    return root / "reports" / "decisions"


def _kept(root: Path) -> list[Path]:
    """The .json files of all decisions, oldest first: their names begin with the time (UTC)."""
    found = _folder(root).glob("*.json")
    return sorted(
        (p for p in found if not p.name.endswith(_EVIDENCE) and not p.name.startswith(".")),
        key=lambda p: p.name,
    )


def read(path: Path) -> Recorded:
    """The decision kept in the .json at `path`, with the evidence beside it.

    Raises IntegrityError: a file that cannot be read (EG512) or is not what was written, or is there alone (EG513).
    """
    beside = path.with_name(f"{path.stem}{_EVIDENCE}")
    try:
        text = path.read_bytes()
        decision = _decode(text)
        stored = msgspec.json.decode(beside.read_bytes(), type=_Stored) if beside.exists() else None
    except (
        OSError,
        ValueError,
        RecursionError,
    ) as e:  # msgspec's errors are ValueErrors; they name keys and types
        kind = e.strerror if isinstance(e, OSError) else e
        raise IntegrityError(
            f"found a file that cannot be read ({kind}), expected a decision as it was kept. Restore it, or decide again.",
            where=str(path),
            code="EG512",
        ) from None
    if (
        stored is None
        or stored.sum != stored.own_sum
        or stored.decision != digest.of_bytes(text)
        or _contradicts_itself(decision)
    ):
        found = "no evidence beside it" if stored is None else "another content than was kept"
        raise IntegrityError(
            f"found {found}, expected the decision and its evidence as they were written. "
            "Find out who edited them, then decide again.",
            where=str(path),
            code="EG513",
        )
    return Recorded(
        stem=path.stem, decision=_with_claims(decision, stored.claims), evidence=stored.evidence
    )


def _decode(text: bytes) -> Decision:
    """A decision in the form of `to_json`. Raises ValueError."""
    value = msgspec.json.decode(text, type=dict)
    if value.pop("schema", None) != SCHEMA:
        raise ValueError(f"no object of the schema {SCHEMA}")
    return msgspec.convert(value, Decision)


def _contradicts_itself(decision: Decision) -> bool:
    """Whether no decision could have come out like this: open above a finding that is not, a pass against its numbers."""
    open_ = decision.decision == "open"
    clean = not decision.reasons and all(f.status == "pass" for f in decision.findings)
    baseless = any(
        f.status == "pass" and not borne_out(f, first_release=f.method == NO_BASELINE)
        for f in decision.findings
    )
    return decision.exit not in _CODES[decision.decision] or open_ != clean or baseless


def _with_claims(decision: Decision, claims: tuple[_Claim, ...]) -> Decision:
    known = {(c.suite, c.test): c for c in claims}

    def whole(f: Finding) -> Finding:
        claim = known.get((f.suite, f.test))
        if claim is None:
            return f
        return msgspec.structs.replace(
            f, reason=claim.reason, worst=claim.worst, answers=claim.answers
        )

    return msgspec.structs.replace(decision, findings=tuple(map(whole, decision.findings)))


def _earlier(root: Path, stem: str) -> list[Earlier]:
    """The decisions kept before `stem`, oldest first; those that cannot be read, or were edited, tell nothing."""
    found = []
    for path in [p for p in _kept(root) if p.stem < stem][-_EARLIER:]:
        try:
            kept = read(path)
        except IntegrityError:
            continue
        found.append(Earlier(when=kept.evidence.decided, decision=kept.decision))
    return found


def latest_of(root: Path, model: str) -> Recorded | None:
    """The latest decision kept about the model with the digest `model`; what was edited is passed over."""
    for path in reversed(_kept(root)):
        try:
            kept = read(path)
        except IntegrityError:
            continue
        if kept.decision.findings and kept.decision.model.get("digest") == model:
            return kept
    return None


def write(path: Path, text: str) -> None:
    """Writes `text` to `path` as a whole or not at all, readable by its owner only. Raises OSError."""
    write_whole(path, text.encode())
