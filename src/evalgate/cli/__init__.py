"""The command `evalgate`. Results go to stdout, progress to stderr; exit codes as in `evalgate.errors.Exit`.

Sub-commands are imported when they are called, so that `evalgate --help` stays instant.
"""

from __future__ import annotations

import sys
from importlib import import_module

import click

_COMMANDS = {
    "data": ("evalgate.cli.data:data", "training data: synthesize, import, check, mix, withdraw"),
    "doctor": ("evalgate.cli.doctor:doctor", "what is missing, and what is due"),
    "explain": ("evalgate.cli.explain:explain", "what an error code means and what to do about it"),
    "gate": (
        "evalgate.cli.gate:gate",
        "the gate: check a model; refuses unless every threshold is met",
    ),
    "gold": ("evalgate.cli.gold:gold", "gold sets: check them, or import annotations"),
    "init": ("evalgate.cli.init:init", "write a small complete project to start from"),
    "judge": (
        "evalgate.cli.judge:judge",
        "judges: what their verdicts are worth beside clinicians'",
    ),
    "keys": ("evalgate.cli.keys:keys", "keys: make, show, rotate and revoke them"),
    "ledger": ("evalgate.cli.ledger:ledger", "the ledger: show, verify, anchor"),
    "models": (
        "evalgate.cli.models:models",
        "models: import packaged weights, list what is defined",
    ),
    "plan": ("evalgate.cli.plan:plan", "is every threshold reachable, and with what power?"),
    "report": (
        "evalgate.cli.report:report",
        "a kept decision as a page, JUnit XML, Markdown or JSON",
    ),
    "review": (
        "evalgate.cli.review:review",
        "people's labels: draw, label, import, export, agreement",
    ),
    "rubric": (
        "evalgate.cli.rubric:rubric",
        "rubrics: check, show, compare, to and from spreadsheets",
    ),
    "run": ("evalgate.cli.run:run", "runs on disk: list, show and compare them"),
    "serve": ("evalgate.cli.verify:serve", "verify what an alias stands for, then serve it"),
    "verify": ("evalgate.cli.verify:verify", "is this certificate true, and of these bytes?"),
}


class LazyGroup(click.Group):
    """A group whose members are named with their one-line help and imported when called."""

    def __init__(
        self, *args: object, members: dict[str, tuple[str, str]], **kwargs: object
    ) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self._members = members

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return sorted(self._members)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in self._members:
            return None
        module, _, name = self._members[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self._members and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], self._members, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"found no command {args[0]!r}.{hint} See 'evalgate --help'.")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in sorted(self._members.items())])


@click.group(
    cls=LazyGroup,
    members=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="evalgate-release", prog_name="evalgate")
def cli() -> None:
    """The release gate for fine-tuned language models: closed when in doubt, and it says why."""


def main() -> None:
    """Entry point of the console script. Never returns."""
    verbose = "-v" in sys.argv[1:] or "--verbose" in sys.argv[1:]
    try:
        code = cli.main(prog_name="evalgate", standalone_mode=False)
    except click.exceptions.Exit as e:
        code = e.exit_code
    except click.Abort:
        code = 130
    except click.ClickException as e:
        e.show()
        code = 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the next start goes on from here\n")
        code = 130
    except BrokenPipeError:  # the reader of our output went away
        sys.stderr.close()
        code = 1
    except SystemExit as e:
        # click's own answer to a reader who went away; any other exit is a suite's, and no success
        gone = type(sys.stdout).__name__.endswith("PacifyFlushWrapper")
        code = 1 if gone else _report(e, verbose=verbose)
    except BaseException as e:
        code = _report(e, verbose=verbose)
    sys.exit(code if isinstance(code, int) else 0)


def _report(error: BaseException, *, verbose: bool) -> int:
    from evalgate.errors import EvalgateError, Exit

    if isinstance(error, EvalgateError):
        sys.stderr.write(f"{error}\n")
        return int(error.exit)
    if verbose:
        import traceback

        traceback.print_exception(error)
    sys.stderr.write(
        f"evalgate: internal error, {type(error).__name__}. This is no verdict. "
        "Run again with -v and report the traceback, but read it first: it may quote items.\n"
    )
    return int(Exit.INTERNAL)
