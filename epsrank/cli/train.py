"""``epsrank train``: train a network and watch its ε-rank."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from epsrank.cli.console import live_progress, notice
from epsrank.cli.cost import consent_option, weigh_training
from epsrank.cli.front import Command, Interrupted, is_data_file, is_number
from epsrank.cli.naming import normal
from epsrank.cli.train_result import print_run
from epsrank.cli.train_words import offered, parse_net, refuse_sizes

if TYPE_CHECKING:
    from epsrank.numerics.training import RunConfig, StepRecord


def is_column(word: str) -> bool:
    """Tell whether a word of the command line may be one more name of a column: always."""
    return True


# Options whose value is one of a few words.
_WORDS = frozenset({"network", "init", "optimizer", "loss", "bias", "dtype", "device"})


@click.command(
    cls=Command,
    lists={
        "--eps": is_number,
        "--domain": is_number,
        "--data": is_data_file,
        "--target-columns": is_column,
        "--input-columns": is_column,
    },
    groups={
        "Network": [
            "net",
            "network",
            "depth",
            "width",
            "activation",
            "init",
            "init_scale",
            "slope",
        ],
        "Optimisation": ["optimizer", "learning_rate", "batch_size", "loss", "steps", "seed"],
        "Data": ["n_train", "data", "target_columns", "input_columns", "domain", "boundary_weight"],
        "Measurement": ["eps", "measure_every", "probe", "n_test", "bias", "keep_features"],
        "Machine and folder": ["dtype", "device", "threads", "out", "resume", "yes", "help"],
    },
)
@click.argument("task", required=False, shell_complete=offered)
@click.option(
    "--net",
    metavar="KIND:DxW",
    help="Network in one word, mlp:2x50 is 2 layers of 50; or your own, module:factory.",
)
@click.option(
    "--network",
    metavar="KIND",
    shell_complete=offered,
    help="mlp, resnet, modified, adaptive, cnn, transformer, bottleneck, or module:factory."
    "  [default: mlp]",
)
@click.option("--depth", type=int, metavar="N", help="Hidden layers.  [default: 2]")
@click.option("--width", type=int, metavar="N", help="Neurons of each hidden layer.  [default: 50]")
@click.option(
    "--activation",
    metavar="NAME",
    shell_complete=offered,
    help="tanh, relu, elu, cosine, sine, sigmoid, gelu, gaussian, erf, any function of torch "
    "(softplus), or module:name.  [default: tanh]",
)
@click.option(
    "--init",
    metavar="NAME",
    shell_complete=offered,
    help="default, structured or transnet (first layer), xavier, he, orthogonal, uniform, normal."
    "  [default: default]",
)
@click.option(
    "--init-scale", type=float, metavar="S", help="Scale of the initialisation.  [default: its own]"
)
@click.option(
    "--slope",
    metavar="G",
    help="Slope of the placed layer: a number, auto (largest predicted ε-rank) or auto:R."
    "  [default: by rule]",
)
@click.option(
    "--optimizer",
    metavar="NAME",
    shell_complete=offered,
    help="sgd, momentum, adam, adamw or lbfgs.  [default: adam]",
)
@click.option(
    "--learning-rate",
    type=float,
    metavar="R",
    help="Step size.  [default: 0.001; sgd, momentum 0.01; lbfgs 1]",
)
@click.option("--batch-size", type=int, metavar="N", help="Samples per step.  [default: all]")
@click.option(
    "--loss", metavar="NAME", shell_complete=offered, help="mse or cross-entropy.  [default: mse]"
)
@click.option("--steps", type=int, metavar="N", help="Updates.  [default: 15000]")
@click.option(
    "--eps",
    type=float,
    multiple=True,
    metavar="E …",
    help="Thresholds ε > 0.  [default: 1e-06 0.0001 0.01]",
)
@click.option(
    "--measure-every",
    type=int,
    metavar="N",
    help="Steps between measurements.  [default: dense at first]",
)
@click.option(
    "--probe",
    type=int,
    metavar="N",
    help="Samples that measurements look at.  [default: at most 2000]",
)
@click.option("--n-test", type=int, metavar="N", help="Test samples they look at.  [default: all]")
@click.option(
    "--keep-features",
    type=float,
    metavar="C",
    help="Keep last layers in DIR/features, one per band of the loss, bands shrinking by C < 1.",
)
@click.option(
    "--bias",
    metavar="NAME",
    shell_complete=offered,
    help="Output bias in the floor: feature or fixed.  [default: feature]",
)
@click.option(
    "--boundary-weight",
    type=float,
    metavar="K",
    help="κ of a PINN's boundary term.  [default: the task's]",
)
@click.option("--n-train", type=int, metavar="N", help="Training samples.  [default: the task's]")
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
@click.option("--seed", type=int, metavar="N", help="Seed of every random choice.  [default: 0]")
@click.option(
    "--dtype",
    metavar="NAME",
    shell_complete=offered,
    help="float64 or float32.  [default: float64]",
)
@click.option(
    "--device", metavar="NAME", shell_complete=offered, help="auto, cpu or cuda.  [default: auto]"
)
@click.option("--threads", type=int, metavar="N", help="Threads to compute with.  [default: 1]")
@click.option("--out", metavar="DIR", help="Folder of the run.  [default: a new one in runs/]")
@click.option("--resume", is_flag=True, help="Go on with the run in DIR.")
@consent_option
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
    # Words of ours have no capitals and no underscores; names of a user's stay as they are.
    settings |= {
        name: normal(settings[name])
        for name in _WORDS & settings.keys()
        if ":" not in settings[name]
    }
    if net is not None:
        # What an option says by itself goes before the one word.
        settings = parse_net(net) | settings
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
    refuse_sizes(settings, net)
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
        print_run(run, folder)


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
