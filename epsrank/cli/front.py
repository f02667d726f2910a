"""The command group: one line on stderr and a telling exit code for all that goes wrong."""

from __future__ import annotations

import inspect
import io
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import click

from epsrank.cli.console import own_stdout
from epsrank.cli.naming import (
    COMMANDS,
    OPTIONS,
    hint_for,
    nearest,
    normal,
    renamed,
    sections,
    with_nearest,
    write_sections,
)

BAD_USE = 2
# 128 + SIGINT, as shells say it.
INTERRUPTED = 130


class Interrupted(Exception):
    """Ctrl-C or SIGTERM, with one line that says what was kept and how to go on."""


class Front(click.Group):
    """The group ``epsrank``: subcommands in a fixed order, errors in one line.

    Exit codes: 0 as asked, 1 a regression (``verify``), 2 bad use or input, 3 undecided
    (``rank --at-least``), 130 interrupted.
    """

    def __init__(
        self,
        *,
        commands: Sequence[click.Command],
        groups: dict[str, Sequence[str]] | None = None,
        **settings: Any,
    ) -> None:
        settings.setdefault(
            "context_settings",
            {"help_option_names": ["-h", "--help"], "token_normalize_func": normal},
        )
        self.groups = groups or {}
        super().__init__(
            commands={command.name or "": command for command in commands},
            invoke_without_command=True,
            callback=self._without_command,
            params=[click.Option(["--version"], is_flag=True, help="Print the version and exit.")],
            **settings,
        )

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the subcommands in the order given."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the first word names, by another word for it too."""
        word = normal(args[0])
        if word in self.commands or word.startswith("-"):
            return super().resolve_command(ctx, [word, *args[1:]])
        if word in COMMANDS:
            return super().resolve_command(ctx, [COMMANDS[word], *args[1:]])
        near = nearest(word, [*self.commands, *COMMANDS])
        remedy = f"did you mean {near}?" if near else f"choose one of {', '.join(self.commands)}"
        raise click.UsageError(f"no such command {args[0]!r}; {remedy}", ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands by what they are for, with their first sentences whole."""
        rows = [
            (name, (name, command.get_short_help_str(limit=400).rstrip(".")))
            for name, command in self.commands.items()
            if not command.hidden
        ]
        write_sections(formatter, sections(self.groups, rows))

    def _without_command(self, version: bool) -> None:
        """Answer ``epsrank --version``, and refuse a bare ``epsrank``."""
        context = click.get_current_context()
        if version:
            from epsrank import __version__

            click.echo(f"epsrank {__version__}")
            context.exit(0)
        if context.invoked_subcommand is None:
            names = ", ".join(self.commands)
            raise click.UsageError(f"no command given; choose one of {names}, or ask for --help")

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command line and exit with its code."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(
                stream, io.TextIOWrapper
            ):  # an ASCII terminal must not end in a traceback
                stream.reconfigure(errors="replace")
        # click's own handling of errors is left out: it prints usage, in several lines.
        run: Callable[..., Any] = super().main
        if not standalone_mode:
            return run(args, "epsrank", complete_var, standalone_mode=False, **extra)
        from epsrank.numerics.processes.signals import terminated_as_interrupted

        try:
            # What is finished is kept, and the exit code tells, whoever asks it to stop.
            with _remarks(), terminated_as_interrupted():
                code = run(args, "epsrank", complete_var, standalone_mode=False, **extra)
            if sys.stdout is not None:  # None: started with stdout closed
                sys.stdout.flush()
        except KeyboardInterrupt:  # before or after the command itself
            _leave(click.Abort())
        except Exception as error:
            _leave(error)
        sys.exit(code if isinstance(code, int) else 0)


@contextmanager
def _remarks() -> Iterator[None]:
    """Print what the package warns of as a remark, without the line of code that said it."""
    usual = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        if category is UserWarning and str(message).startswith("epsrank: "):
            click.echo(str(message), err=True)
        else:
            usual(message, category, *place, **more)

    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = usual


def _leave(error: Exception) -> NoReturn:
    """Print one line for an expected kind of failure and exit; a programming error goes on up."""
    # The reader has what it wanted, as of `epsrank rank … | head`.
    if isinstance(error, BrokenPipeError):
        _silence_stdout()
        sys.exit(1)
    if isinstance(error, Interrupted):
        _say(str(error))
        sys.exit(INTERRUPTED)
    if isinstance(error, click.Abort):
        _say("interrupted; nothing was written")
        sys.exit(INTERRUPTED)
    # None: a defect of ours, which a traceback shows best.
    text = _describe(error)
    if text is None:
        raise error
    _say(f"error: {with_nearest(text)}")
    sys.exit(BAD_USE)


def _describe(error: Exception) -> str | None:
    """Return one line for an expected kind of failure, None for a programming error."""
    if isinstance(error, click.ClickException):
        return error.format_message()
    from epsrank.theory.errors import InputError

    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, ImportError):
        from epsrank.theory.extras import named

        line = named(error)
        return None if line is None else str(line)
    if isinstance(error, OSError):
        reason = error.strerror or str(error)
        return f"{error.filename}: {reason}" if error.filename is not None else reason
    if isinstance(error, MemoryError):
        return (
            f"out of memory ({error}); use fewer samples or features"
            if str(error)
            else ("out of memory; use fewer samples or features")
        )
    return None


def _say(text: str) -> None:
    """Write one line to stderr."""
    click.echo("epsrank: " + " ".join(text.split()), err=True)


def _silence_stdout() -> None:
    """Point stdout at nothing, so that the interpreter's last flush does not fail aloud."""
    import os

    with open(os.devnull, "w") as nothing:
        try:
            os.dup2(nothing.fileno(), sys.stdout.fileno())
        except (OSError, ValueError):  # not a real file: nothing to silence
            return


class Command(click.Command):
    """A command whose list options take several values at once: ``--eps 1e-6 1e-8``.

    Errors name its options; `names` has those of arguments that functions call otherwise. `groups`
    sorts a long help page.
    """

    def __init__(
        self,
        *,
        lists: Mapping[str, Callable[[str], bool]] | None = None,
        names: Mapping[str, str] | None = None,
        groups: dict[str, Sequence[str]] | None = None,
        **settings: Any,
    ) -> None:
        self.lists = lists or {}
        self.groups = groups
        self.names = names or {}
        page = inspect.cleandoc(settings.get("help") or "")
        settings["help"] = page.split("\nParameters\n---")[0].rstrip()
        super().__init__(**settings)
        for param in self.params:
            if param.type is click.FLOAT:
                param.type = _Number()

    def invoke(self, ctx: click.Context) -> Any:
        """Carry out the command; stdout is its own, and errors are in its words."""
        from epsrank.cli.words import in_options
        from epsrank.theory.errors import InputError

        try:
            with own_stdout():
                return super().invoke(ctx)
        except InputError as error:
            raise in_options(error, self.params, self.names) from error.__cause__

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Give options the names they have here, repeat those of lists, then parse as usual."""
        options = [param for param in self.get_params(ctx) if isinstance(param, click.Option)]
        known = {name for option in options for name in (*option.opts, *option.secondary_opts)}
        words = list(renamed(args, known))
        try:
            return super().parse_args(ctx, list(_spread(words, self.lists)))
        except click.NoSuchOption as error:
            near = nearest(error.option_name, [*known, *OPTIONS])
            near = OPTIONS.get(near or "", near or "")
            remedy = f"did you mean {near}?" if near in known else f"see {ctx.command_path} --help"
            raise click.UsageError(f"no such option {error.option_name}; {remedy}", ctx) from None
        except click.UsageError as error:
            extra = re.search(r"unexpected extra arguments? \((\S+)", error.message)
            single = {name for o in options if not o.is_flag and not o.multiple for name in o.opts}
            if extra is None:
                raise
            hint = hint_for(extra[1].rstrip(")"), words, single)
            raise click.UsageError(error.message + hint, ctx) from None

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, in groups where there are many."""
        if self.groups is None:
            super().format_options(ctx, formatter)
            return
        rows = [
            ("help" if "--help" in param.opts else str(param.name), row)
            for param in self.get_params(ctx)
            if isinstance(param, click.Option) and (row := param.get_help_record(ctx)) is not None
        ]
        write_sections(formatter, sections(self.groups, rows))


class _Number(click.types.FloatParamType):
    """A number of the command line that float64 holds: 1e-400 would be taken for 0."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read one word."""
        from epsrank.theory.numbers.written import beyond_float64

        becomes = beyond_float64(value) if isinstance(value, str) else None
        if becomes is not None:
            self.fail(f"{value} is beyond float64, which takes it for {becomes}", param, ctx)
        return float(super().convert(value, param, ctx))


def _spread(args: list[str], lists: Mapping[str, Callable[[str], bool]]) -> Iterable[str]:
    """Yield the words with ``--eps a b`` written as ``--eps a --eps b``."""
    words = iter(args)
    current: str | None = None
    for word in words:
        if word == "--":
            yield word
            yield from words
            return
        if word in lists:
            current = word
            yield word
            # Whatever it is: also -1, and what is not of the list's kind, for click to refuse.
            yield from (value for value in [next(words, None)] if value is not None)
        # A further number may be negative.
        elif current is not None and is_number(word) and lists[current](word):
            yield from (current, word)
        elif word.startswith("-"):
            current = word.split("=", 1)[0] if word.split("=", 1)[0] in lists else None
            yield word
        elif current is not None and lists[current](word):
            yield from (current, word)
        else:
            current = None
            yield word


def is_data_file(word: str) -> bool:
    """Tell whether a word of the command line is a file of arrays, by its suffix."""
    return word.lower().endswith((".npy", ".npz", ".csv", ".parquet"))


def is_name(word: str) -> bool:
    """Tell whether a word goes on with a list of names: it is no path to a run."""
    return not Path(word).exists()


def is_pair(word: str) -> bool:
    """Tell whether a word of the command line is ``NAME=VALUE``."""
    return "=" in word


def is_number(word: str) -> bool:
    """Tell whether a word of the command line is a number."""
    try:
        float(word)
    except ValueError:
        return False
    return True
