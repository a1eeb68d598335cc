"""`evalgate models licences`: what may be done with a model, by its licence and those of everything it comes from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalgate.cli.common import project_root, verbose_option

if TYPE_CHECKING:
    from evalgate.authored.licence import Licence
    from evalgate.authored.licence_rules import Purpose
    from evalgate.release.licensing import Verdict

_PURPOSES: tuple[Purpose, ...] = ("finetune", "merge", "distil", "serve")
_MEANS = {
    "finetune": "train it",
    "merge": "merge it",
    "distil": "train others on its answers",
    "serve": "let it answer, inside",
}


@click.command()
@click.argument("model", required=False)
@click.option("--purpose", type=click.Choice(_PURPOSES), help="ask for one purpose [all]")
@click.option("--student", metavar="MODEL", help="(distil) which model is to learn from it")
@click.option("--counsel", is_flag=True, help="demand that a lawyer has reviewed every record")
@click.option("--json", "as_json", is_flag=True, help="print one JSON object")
@click.option(
    "--notice",
    type=click.Path(dir_okay=False, path_type=Path),
    help="write the NOTICE that MODEL's licences oblige to",
)
@click.option(
    "--text",
    type=click.Path(dir_okay=False, path_type=Path),
    help="the digest of a licence text, and which record knows it",
)
@verbose_option
def licences(
    model: str | None,
    *,
    purpose: str | None,
    student: str | None,
    counsel: bool,
    as_json: bool,
    notice: Path | None,
    text: Path | None,
    verbose: bool,
) -> None:
    """What MODEL (or every model of evalgate.toml) may be used for: its licence, its bases', its teachers', its data's terms.

    Unknown means no. The shipped records are the project's reading of the texts and no legal advice. Exit codes: 0 what was
    asked is allowed, 1 something of it is not, 2 a model or a file cannot be used.
    """
    del verbose
    from evalgate.errors import UsageError
    from evalgate.release.admission import settings_of
    from evalgate.release.licensing import known_text, licences_of, verdict

    root = project_root()
    if text is not None:
        found, known = known_text(root, text)
        click.echo(f"{found}  {known or 'no record knows this text'}")
        return
    settings = settings_of(root)
    if notice is not None and model is None:
        raise UsageError("found --notice, expected a MODEL with it. Name one.", code="EG845")
    if student is not None and purpose != "distil":
        raise UsageError(
            "found --student, expected it with --purpose distil. Leave it out, or name the purpose.",
            code="EG845",
        )
    names = [model] if model is not None else sorted(settings.models)
    asked = [p for p in _PURPOSES if purpose in (None, p)]
    verdicts = [
        verdict(root, name, one, settings, student=student, counsel=counsel)
        for name in names
        for one in asked
    ]
    records = {name: licences_of(root, name, settings) for name in names}
    if notice is not None and model is not None:
        _write_notice(notice, model, records[model])
    if as_json:
        click.echo(json.dumps(_as_json(verdicts, records)))
    else:
        for name in names:
            _tell(name, [v for v in verdicts if v.model == name], records[name])
    raise click.exceptions.Exit(0 if all(v.allowed for v in verdicts) else 1)


def _write_notice(path: Path, model: str, records: tuple[Licence, ...]) -> None:
    from evalgate.authored.licence_rules import notice
    from evalgate.errors import InfrastructureError
    from evalgate.files import write_whole

    try:
        write_whole(path, notice(model, records).encode(), mode=0o644)
    except OSError as e:
        raise InfrastructureError(
            f"found that it cannot be written ({e.strerror or e}), expected a place for the NOTICE. Correct the path.",
            where=str(path),
            code="EG846",
        ) from e


def _tell(model: str, verdicts: list[Verdict], records: tuple[Licence, ...]) -> None:
    from evalgate.authored.licence_rules import obligations

    click.secho(f"{model}: {', '.join(verdicts[0].licences) or 'no licence known'}", bold=True)
    told: set[str] = set()
    for one in verdicts:
        mark, colour = ("✓", "green") if one.allowed else ("✗", "red")
        click.secho(f"  {mark} {one.purpose}: {_MEANS[one.purpose]}", fg=colour)
        for reason in one.reasons:
            # a reason that stands under an earlier purpose of this model is not quoted again
            click.echo(f"      {reason if reason not in told else f'{reason[:60]}… (as above)'}")
            told.add(reason)
    for note in verdicts[0].notes:
        click.echo(f"  note  {note}")
    for licence, due in obligations(records):
        click.echo(f"  duty  {due.text} ({due.when}; {licence.id}, {due.where})")
    for record in records:
        click.echo(f"  read  {record.id}: {record.reviewed_by}, {record.reviewed_on}")


def _as_json(verdicts: list[Verdict], records: dict[str, tuple[Licence, ...]]) -> dict[str, object]:
    import msgspec

    from evalgate.authored.licence_rules import obligations

    return {
        "schema": "evalgate.licences/1",
        "allowed": all(v.allowed for v in verdicts),
        "verdicts": msgspec.to_builtins(verdicts),
        "obligations": {
            name: [
                {"licence": licence.id, **msgspec.to_builtins(due)}
                for licence, due in obligations(found)
            ]
            for name, found in records.items()
        },
        "records": {
            record.id: {
                "name": record.name,
                "digest": record.digest,
                "checked": record.checked,
                "verified": record.verified,
                "counsel": record.counsel,
                "reviewed_by": record.reviewed_by,
                "reviewed_on": record.reviewed_on.isoformat(),
            }
            for found in records.values()
            for record in found
        },
    }
