"""evalgate.toml: where things are and run. Nothing in it decides, and no key or password may stand in it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, cast, get_args
from urllib.parse import urlsplit

from evalgate.authored.problems import Problems, describe, listing, nearest
from evalgate.authored.toml_file import Section, TomlFile, read_toml
from evalgate.errors import UsageError
from evalgate.records import ModelSpec, Record

FILE_NAME = "evalgate.toml"
MOST_CONCURRENT = 4096

Server = Literal["llamacpp", "transformers", "vllm", "endpoint"]
SERVERS: tuple[Server, ...] = get_args(Server)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET_KEY = re.compile(
    r"(?:.*_)?(?:api_?key|key|token|secret|password|authorization|bearer)", re.IGNORECASE
)
_SECRET_ARGUMENT = re.compile(
    r"--?[A-Za-z0-9_-]*(?:api[-_]?key|(?:hf|auth|access|bearer)[-_]?token|secret|password)(?:=.*)?",
    re.IGNORECASE | re.DOTALL,
)
_ONLY_ENDPOINT = ("url", "name", "api_key_env")
_ONLY_LOCAL = ("artifact", "base", "template", "args")
_ELSEWHERE = ("transformers", "vllm")  # servers that live in Python environments of their own
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Settings(Record, kw_only=True):
    """A valid evalgate.toml: models by name, the default candidate and the judge (each names a model), digest.

    `runs_days`: how long texts of runs may be kept, None for as long as somebody wants. `trainer_python`: the Python whose
    environment holds what training needs, None for evalgate's own.
    """

    path: str
    digest: str
    models: dict[str, ModelSpec]
    default_candidate: str | None = None
    judge_model: str | None = None
    runs_days: int | None = None
    trainer_python: str | None = None

    def model(self, name: str) -> ModelSpec:
        """The model called `name`. Raises UsageError (EG145) with the nearest name."""
        if name not in self.models:
            raise UsageError(_no_model(name, self.models), where=self.path, code="EG145")
        return self.models[name]


def find_project(start: Path) -> Path:
    """The nearest directory at or above `start` that holds an evalgate.toml. Raises UsageError (EG140)."""
    here = start.absolute()
    for directory in (here, *here.parents):
        if (directory / FILE_NAME).is_file():
            return directory
    message = f"found no {FILE_NAME} here or above, expected one at the top of the project. Run `evalgate init`, or change to the project."
    raise UsageError(message, where=start.as_posix(), code="EG140")


def load_settings(path: Path, root: Path, problems: Problems) -> Settings | None:
    """The settings, or None after noting every problem of the file (EG101 to EG109, EG114, EG141 to EG147).

    Whether an artifact exists is not looked at: only the models that a command uses must be there.
    """
    before = len(problems)
    file = read_toml(path, root, problems)
    if file is None:
        return None
    top = file.top()
    top.only(("models", "servers", "judge", "default", "retention", "training"))
    models = _models(top, _pythons(top))
    judge = _reference(top, "judge", "model", models)
    candidate = _reference(top, "default", "candidate", models)
    runs_days = _retention(top)
    trainer_python = _training(top)
    if judge is not None and judge in models:
        _check_judge(file, judge)
    if len(problems) > before:
        return None
    return Settings(
        path=file.name,
        digest=file.digest,
        models={name: spec for name, spec in models.items() if spec is not None},
        default_candidate=candidate,
        judge_model=judge,
        runs_days=runs_days,
        trainer_python=trainer_python,
    )


def _models(top: Section, pythons: dict[str, str]) -> dict[str, ModelSpec | None]:
    """Every named model; None where its table has problems."""
    tables = top.section("models", like="Write a table [models.NAME] for each model.")
    models: dict[str, ModelSpec | None] = {}
    for name in tables.table if tables else ():
        assert tables is not None
        if not _NAME.fullmatch(name):
            message = f"found the model name `{name}`, expected letters, digits, `.`, `_` and `-`. Rename it."
            tables.problem("EG114", message, name)
        section = tables.section(name, bracketed=2, like=f"Write [models.{name}].")
        models[name] = None if section is None else _model(section, pythons)
    return models


def _pythons(top: Section) -> dict[str, str]:
    """The interpreters that [servers.NAME] tables name."""
    tables = top.section("servers", like="Write a table [servers.vllm] with python.")
    if tables is None:
        return {}
    tables.only(_ELSEWHERE)
    found: dict[str, str] = {}
    for name in _ELSEWHERE:
        table = tables.section(name, bracketed=2, like=f"Write [servers.{name}].")
        if table is None:
            continue
        table.only(("python",))
        python = table.text("python", required=True)
        if python is not None:
            found[name] = python
    return found


def _model(table: Section, pythons: dict[str, str]) -> ModelSpec | None:
    before = len(table.file.problems)
    _refuse_secrets(table)
    known = tuple(name for name in ModelSpec.__struct_fields__ if name != "python")
    for name in table.table:
        if name not in known and not _SECRET_KEY.fullmatch(name):
            hint = nearest(name, known) or " Remove it."
            message = f"found an unknown key, expected one of {', '.join(known)}.{hint}"
            table.problem("EG105", message, name)
    server = _server(table)
    values = {
        name: table.text(name)
        for name in (
            "artifact",
            "base",
            "template",
            "licence",
            "url",
            "name",
            "family",
            "api_key_env",
        )
    }
    args = table.texts("args")
    concurrency = table.whole("concurrency", None, low=1, high=MOST_CONCURRENT)
    timeout_s = _seconds(table, "timeout_s", 300.0)
    patience_s = _seconds(table, "patience_s", 60.0)
    if server is not None:
        _check_kind(table, server)
    if values["template"] is not None and not _DIGEST.fullmatch(values["template"]):
        message = f"found {describe(values['template'])}, expected sha256: and 64 hex digits. Write what sha256sum says of chat_template.jinja."
        table.problem("EG147", message, "template", value=True)
    if values["url"] is not None:
        _check_url(table, values["url"])
    if len(table.file.problems) > before:
        return None
    return ModelSpec(
        server=cast("Server", server),
        args=args,
        concurrency=concurrency,
        timeout_s=timeout_s,
        patience_s=patience_s,
        python=pythons.get(cast("Server", server)),
        **values,
    )


def _server(table: Section) -> Server | None:
    server = table.text("server", required=True)
    for known in SERVERS:
        if server == known:
            return known
    if server is not None:
        hint = nearest(server, SERVERS) or " Write one of them."
        message = f"found {describe(server)}, expected one of {', '.join(SERVERS)}.{hint}"
        table.problem("EG141", message, "server", value=True)
    return None


def _check_kind(table: Section, server: Server) -> None:
    """An endpoint is a url and a name; every other server serves an artifact that evalgate has digested."""
    endpoint = server == "endpoint"
    for name in ("url", "name") if endpoint else ("artifact",):
        if name not in table.table:
            message = f'found no key `{name}`, which server = "{server}" needs. Add it.'
            table.problem("EG142", message)
    for name in _ONLY_LOCAL if endpoint else _ONLY_ENDPOINT:
        if name in table.table:
            what = "runs elsewhere" if endpoint else "is started by evalgate"
            message = f'found `{name}`, expected none: server = "{server}" {what}. Remove it.'
            table.problem("EG142", message, name)


def _check_url(table: Section, url: str) -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    if parts.username is not None or parts.password is not None:
        message = (
            "found a user name or password in the address, expected none. Use api_key_env instead."
        )
        table.problem("EG144", message, "url", value=True)
    elif parts.scheme not in {"http", "https"} or not host or parts.query or parts.fragment:
        message = f"found {describe(url)}, expected the base address of an API, such as http://judge.internal:8000/v1. Correct it."
        table.problem("EG143", message, "url", value=True)
    elif parts.path.rstrip("/").endswith(("/completions", "/models", "/embeddings")):
        message = f"found {describe(url)}, expected the base address. Leave off what follows /v1."
        table.problem("EG143", message, "url", value=True)


def _refuse_secrets(table: Section) -> None:
    """Note EG144 wherever a key seems to stand in the file; its value is never repeated."""
    for name in table.table:
        if name != "api_key_env" and _SECRET_KEY.fullmatch(name):
            message = "found a key or password in the file, expected none: files are read by many. Put it into the environment and write api_key_env."
            table.problem("EG144", message, name)
    variable = table.table.get("api_key_env")
    if isinstance(variable, str) and variable.strip() and not _VARIABLE.fullmatch(variable):
        message = "found a text that is no variable's name, expected the name of an environment variable such as JUDGE_API_KEY. Write the name, never the key."
        table.problem("EG144", message, "api_key_env", value=True)
    args = table.table.get("args")
    for arg in args if isinstance(args, list) else ():
        if isinstance(arg, str) and _SECRET_ARGUMENT.fullmatch(arg):
            option = arg.split("=", 1)[0]
            message = f"found the argument {option}, expected no keys in files. Remove it: evalgate makes its own key for servers it starts."
            table.problem("EG144", message, "args", value=True)


def _seconds(table: Section, name: str, default: float) -> float:
    value = table.number(name, default)
    if value <= 0:
        table.range(name, "a number of seconds above 0")
    return value


def _reference(
    top: Section, table_name: str, key: str, models: dict[str, ModelSpec | None]
) -> str | None:
    """The model that `[table_name] key` names."""
    table = top.section(table_name)
    if table is None:
        return None
    table.only((key,))
    name = table.text(key, required=True)
    if name is not None and name not in models:
        table.problem("EG145", _no_model(name, models), key, value=True)
    return name


def _retention(top: Section) -> int | None:
    """The days of `[retention] runs_days`."""
    table = top.section("retention", like="Write [retention] with runs_days.")
    if table is None:
        return None
    table.only(("runs_days",))
    table.has("runs_days", required=True)
    return table.whole("runs_days", None, low=1, high=36_500)


def _training(top: Section) -> str | None:
    """The `[training] python`."""
    table = top.section("training", like='Write [training] with python = "PATH".')
    if table is None:
        return None
    table.only(("python",))
    return table.text("python", required=True)


def _no_model(name: str, models: dict[str, ModelSpec | None] | dict[str, ModelSpec]) -> str:
    hint = nearest(name, models) or " Add its [models.NAME] table."
    return f"found `{name}`, expected a model of {FILE_NAME} ({listing(models)}).{hint}"


def _check_judge(file: TomlFile, judge: str) -> None:
    table = file.data["models"][judge]
    if isinstance(table, dict) and "family" not in table:
        message = f'[models.{judge}]: found no key `family`, which a judge needs, because it must differ from the candidate\'s. Add family = "NAME".'
        file.add("EG146", message, file.places.key(("models", judge)))
