"""``epsrank train``: train a network and watch its ε-rank."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from epsrank.cli.console import live_progress, notice, number, print_table, say
from epsrank.cli.cost import weigh_training
from epsrank.cli.front import Command, Interrupted, is_data_file, is_number

if TYPE_CHECKING:
    from epsrank.numerics.training import Run, RunConfig, StepRecord


def is_column(word: str) -> bool:
    """Tell whether a word of the command line may be one more name of a column: always."""
    return True


_NET = re.compile(r"(?:(?P<network>[a-z]+):?)?(?:(?P<depth>\d+)x(?P<width>\d+))?")


@click.command(
    cls=Command,
    lists={
        "--eps": is_number,
        "--domain": is_number,
        "--data": is_data_file,
        "--target-columns": is_column,
        "--input-columns": is_column,
    },
)
@click.argument("task", required=False)
@click.option(
    "--net",
    metavar="KIND:DxW",
    help="Network in one word, mlp:2x50 is 2 layers of 50; or your own, module:factory.",
)
@click.option(
    "--network",
    metavar="KIND",
    help="mlp, resnet, modified, adaptive, cnn, transformer, bottleneck, or module:factory.",
)
@click.option("--depth", type=int, metavar="N", help="Hidden layers.")
@click.option("--width", type=int, metavar="N", help="Neurons of each hidden layer.")
@click.option(
    "--activation",
    metavar="NAME",
    help="tanh, relu, elu, cosine, sine, sigmoid, gelu, gaussian, erf, any function of torch "
    "(softplus), or module:name.",
)
@click.option(
    "--init",
    metavar="NAME",
    help="default, structured or transnet (first layer), xavier, he, orthogonal, uniform, normal.",
)
@click.option("--init-scale", type=float, metavar="S", help="Scale of the initialisation.")
@click.option(
    "--slope",
    metavar="G",
    help="Slope of the placed layer: a number, auto (largest predicted ε-rank) or auto:R.",
)
@click.option("--optimizer", metavar="NAME", help="sgd, momentum, adam, adamw or lbfgs.")
@click.option("--learning-rate", type=float, metavar="R", help="Step size.")
@click.option("--batch-size", type=int, metavar="N", help="Samples per step; all by default.")
@click.option("--loss", metavar="NAME", help="mse or cross-entropy.")
@click.option("--steps", type=int, metavar="N", help="Updates.")
@click.option("--eps", type=float, multiple=True, metavar="E …", help="Thresholds ε > 0.")
@click.option("--measure-every", type=int, metavar="N", help="Steps between measurements.")
@click.option("--probe", type=int, metavar="N", help="Samples that measurements look at.")
@click.option("--n-test", type=int, metavar="N", help="Test samples they look at; all by default.")
@click.option(
    "--keep-features",
    type=float,
    metavar="C",
    help="Keep last layers in DIR/features, one per band of the loss, bands shrinking by C < 1.",
)
@click.option("--bias", metavar="NAME", help="Output bias in the floor: feature or fixed.")
@click.option("--boundary-weight", type=float, metavar="K", help="κ of a PINN's boundary term.")
@click.option("--n-train", type=int, metavar="N", help="Training samples.")
@click.option(
    "--data",
    multiple=True,
    metavar="F …",
    help="Files: x.npy y.npy, an .npz, a .csv or .parquet; or module:dataset.",
)
@click.option(
    "--target-columns", multiple=True, metavar="NAME …", help="Columns of a table to be learned."
)
@click.option(
    "--input-columns", multiple=True, metavar="NAME …", help="Columns it is learned from."
    "  [default: all others]",
)  # fmt: skip
@click.option(
    "--domain",
    type=float,
    multiple=True,
    metavar="A B …",
    help="Box of a function of yours, two numbers for each input.",
)
@click.option("--seed", type=int, metavar="N", help="Seed of every random choice.")
@click.option("--dtype", metavar="NAME", help="float64 or float32.")
@click.option("--device", metavar="NAME", help="auto, cpu or cuda.")
@click.option("--threads", type=int, metavar="N", help="Threads to compute with.  [default: 1]")
@click.option("--out", metavar="DIR", help="Folder of the run.  [default: a new one in runs/]")
@click.option("--resume", is_flag=True, help="Go on with the run in DIR.")
@click.option("--yes", is_flag=True, help="Begin also what takes hours.")
def train(
    task: str | None, net: str | None, out: str | None, resume: bool, yes: bool, **given: Any
) -> None:
    """Train a network on TASK and measure loss, floors and ε-ranks on the way.

    TASK is a function target (cosines, …), a boundary-value problem for a PINN (poisson, helmholtz,
    heat, burgers, allen-cahn, …), digits, mnist, cifar10, or your own: module:name, a function of
    x, a problem, a data set or a factory, from this folder too. With files of --data it may be left
    out. DIR receives the settings, the history,
    spectra, weights and staircase.svg. After Ctrl-C, `--resume` goes on to the same numbers; it
    takes all settings from DIR.

    Parameters
    ----------
    task : str or None
        Name of the task.
    net : str or None
        Network in one word.
    out : str or None
        Folder of the run.
    resume : bool
        Go on with the run in the folder.
    yes : bool
        Begin also what takes hours.
    **given
        Settings of `RunConfig`; None or empty where not given.

    Raises
    ------
    Interrupted
        After Ctrl-C, with how to resume.
    """
    # Options left out stay out: RunConfig has the defaults, and a resumed run its own.
    settings = {name: value for name, value in given.items() if value not in (None, ())}
    if net is not None:
        # What an option says by itself goes before the one word.
        settings = _parse_net(net) | settings
    if "domain" in settings:
        settings["domain"] = _pairs(settings["domain"])
    if task is None and "data" in settings and not resume:
        task = "data"
    if task is not None:
        settings["task"] = task
    if task is None and not resume:
        raise click.UsageError("name a TASK, such as cosines or digits, or --data with your files")
    if resume and out is None:
        raise click.UsageError("--resume needs the folder of the run: --out DIR")
    config = _config(settings, Path(str(out)) if resume else None)
    weigh_training(config, Path(out or "runs"), yes=yes)
    from epsrank.numerics.training import train as run_training

    with _folder(config.task, out) as folder:
        try:
            with live_progress(config.task, unit="step") as bar:
                run = run_training(config, folder, resume=resume, progress=_Reporter(bar))
        except KeyboardInterrupt:
            raise Interrupted(_how_to_resume(folder)) from None
        if run.task.notice is not None:
            notice(run.task.notice)
        _print_run(run, folder)


def _pairs(ends: tuple[float, ...]) -> tuple[tuple[float, float], ...]:
    """Return the sides of a box from their ends."""
    if len(ends) % 2:
        given = " ".join(f"{end:g}" for end in ends)
        raise click.BadParameter(f"{given}; give two numbers per input", param_hint="'--domain'")
    return tuple(zip(ends[::2], ends[1::2], strict=True))


class _Reporter:
    """Moves the progress bar and shows the last measurement beside it."""

    def __init__(self, bar: Any) -> None:
        self._bar, self._text = bar, ""

    def __call__(self, step: int, total: int, record: StepRecord | None) -> None:
        if record is not None:
            self._text = f"loss {record.loss:.3g}  ε-rank {record.rank()}"
        self._bar(step, total, self._text)


def _parse_net(net: str) -> dict[str, Any]:
    """Read ``mlp:2x50``, ``resnet`` or ``4x25``, or the name of a user's factory."""
    from epsrank.numerics.named import is_name

    found = _NET.fullmatch(net.lower().replace("×", "x"))
    if found is None and is_name(net):
        return {"network": net}
    if not net or found is None:
        raise click.BadParameter(
            f"{net!r}; write it as mlp:2x50, or module:factory", param_hint="'--net'"
        )
    parts = {name: value for name, value in found.groupdict().items() if value is not None}
    return {name: int(value) if value.isdigit() else value for name, value in parts.items()}


@contextmanager
def _folder(task: str, out: str | None) -> Iterator[Path]:
    """Give the folder of the run: that asked for, or a new one, gone again if no run begins."""
    if out is not None:
        yield Path(out)
        return
    folder = _new_folder(re.sub(r"[^\w.-]+", "-", task))
    try:
        yield folder
    finally:
        # What holds a run stays.
        with suppress(OSError):
            folder.rmdir()
            folder.parent.rmdir()


def _new_folder(stem: str) -> Path:
    """Make a folder of its own in runs/: without --resume no run is written over."""
    from epsrank.theory.errors import InputError

    for index in range(1, 10**6):
        path = Path("runs") / (stem if index == 1 else f"{stem}-{index}")
        try:
            path.parent.mkdir(exist_ok=True)
            # Made and not just looked for: of several that start at once each gets another.
            path.mkdir()
        except FileExistsError:
            continue
        except OSError as error:
            problem = f"would be {path}, which cannot be made ({error.strerror})"
            raise InputError("--out", problem, "name a folder") from None
        return path
    raise InputError("--out", "would be a folder in runs/, which is full", "name a folder")


def _config(settings: dict[str, Any], resumed: Path | None) -> RunConfig:
    """Return the settings of the run."""
    from dataclasses import replace

    from epsrank.numerics.training import RunConfig
    from epsrank.numerics.training.folder import read_config
    from epsrank.theory.errors import InputError

    if resumed is not None and (resumed / "config.toml").is_file():
        return replace(read_config(resumed), **settings)
    if resumed is not None and "task" not in settings:
        raise InputError("--out", f"{resumed} holds no run", "check the folder, or name a TASK")
    return RunConfig(**settings)


def _how_to_resume(folder: Path) -> str:
    """Say what an interrupted run has kept."""
    from epsrank.numerics.training.folder import read_config
    from epsrank.numerics.training.state import read_progress
    from epsrank.theory.errors import InputError

    try:
        steps = read_config(folder).steps
        progress = read_progress(folder)
    except InputError:
        return f"interrupted before the first step; {folder} holds no run yet"
    again = f"go on with: epsrank train --resume --out {shlex.quote(str(folder))}"
    if progress is None:
        return f"interrupted before the first step; the settings are kept in {folder}; {again}"
    return f"interrupted at step {progress.step} of {steps}, kept in {folder}; {again}"


def _draw(run: Run, folder: Path) -> str:
    """Draw the staircase and name its file; what stands in the way costs the picture alone."""
    from epsrank.theory.errors import InputError
    from epsrank.theory.extras import optional_packages

    try:
        with optional_packages():
            from epsrank.numerics.plots.run_figures import figure_of_run
            from epsrank.numerics.plots.save import save_figure

            return str(save_figure(figure_of_run(run, "staircase"), folder / "staircase.svg"))
    except (InputError, OSError) as error:
        return f"none, {error}"


def _print_run(run: Run, folder: Path) -> None:
    """Draw the staircase and print the last measurement."""
    if run.status == "diverged":
        notice(f"the run diverged: {run.cause}")
    if not run.records:
        return
    picture = _draw(run, folder)
    last = run.records[-1]
    columns = ["hidden layer", *(f"ε-rank at {eps:g}" for eps in last.eps), "of"]
    rows = [
        [
            str(entry.layer),
            *map(str, entry.ranks),
            str(entry.n_features),
        ]
        for entry in last.layers
    ]
    print_table(columns, rows, title=f"{run.config.title}: step {last.step} of {run.config.steps}")
    measure = last.layers[-1].measure
    figures = [
        [f"loss ({run.config.loss}, {measure} measure)", number(last.loss)],
        # NaN where a problem of the user's has no solution to be tested against.
        *([] if math.isnan(last.test_loss) else [["test loss", number(last.test_loss)]]),
    ]
    if last.test_accuracy is not None:
        figures.append(["test accuracy", f"{last.test_accuracy:.2%}"])
    if last.reachable is not None:
        bound = "V(‖β‖)" if last.envelope is not None else "reachable, certified,"
        figures.append([f"{bound} at ‖β‖ = {last.coefficient_norm:.4g}", number(last.reachable)])
    if last.envelope is not None:
        figures += [
            ["envelope", number(last.envelope)],
            *(
                [f"floor at ε = {eps:g}", number(value)]
                for eps, value in zip(last.eps, last.floors, strict=True)
            ),
        ]
    say()
    reading = f"reading: {last.reading}: {last.reason}" if last.reading else last.reason
    print_table(["quantity", "value"], figures, note=f"{reading}\npicture: {picture}")
