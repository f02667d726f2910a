"""Where features come from: a file, a run of the suite, or a network of the user."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from epsrank.cli.options import read_array, read_features, read_weights

if TYPE_CHECKING:
    from epsrank.numerics.checkpoint.layer import CheckpointLayer

F = TypeVar("F", bound=Callable[..., Any])


def checkpoint_options(command: F) -> F:
    """Add ``--model``, ``--data``, ``--layer`` and ``--sample-weights``."""
    for option in (
        click.option(
            "--sample-weights",
            metavar="F",
            help="File with one weight w ≥ 0 per sample, with --model too.",
        ),
        click.option(
            "--layer",
            metavar="NAME",
            help="Layer of a run (1, 2, …) or network; by default the one before the output.",
        ),
        click.option("--data", metavar="F", help="With --model: file of its inputs."),
        click.option(
            "--model",
            metavar="MODULE:NAME",
            help="Import MODULE, call NAME() and measure that network.",
        ),
    ):
        command = option(command)
    return command


def read_source(
    file: str | None,
    *,
    key: str | None,
    weights: str | None,
    measure: str,
    model: str | None,
    data: str | None,
    layer: str | None,
    sample_weights: str | None,
) -> CheckpointLayer:
    """Return the features that a command line names, with all that is known about them."""
    if model is not None:
        if file is not None:
            raise click.UsageError("give either FILE or --model; inputs of the network are --data")
        return _of_model(model, data, layer, weights, sample_weights, measure, key)
    if file is None:
        raise click.UsageError("name a FILE of features, the folder of a run, or --model")
    if data is not None:
        raise click.UsageError("--data holds the inputs of a network: name it with --model")
    if weights is not None and sample_weights is not None:
        raise click.UsageError("--weights and --sample-weights mean the same here: give one")
    place = split_record(file)
    if place is None and layer is not None:
        raise click.UsageError("--layer needs a run or a network: FILE holds features already")
    if place is not None:
        if key is not None:
            raise click.UsageError("--key names an array of a FILE, not of a run")
        return _of_run(*place, layer, weights or sample_weights, measure)
    from epsrank.numerics.checkpoint.layer import CheckpointLayer
    from epsrank.theory.data.measure import as_measure

    features = read_features(file, key)
    own = read_weights(weights or sample_weights, features.n_samples)
    return CheckpointLayer(file, features, as_measure(measure, own, features.n_samples))


def split_record(name: str) -> tuple[Path, int] | None:
    """Return folder and index that ``RUN`` or ``RUN@index`` names.

    `name`: A path; the index may be negative, and is −1 (the last measurement) where left out.
    Returns None where it names no folder.
    """
    # Asked first: "@" may be part of a folder's name.
    if Path(name).is_dir():
        return Path(name), -1
    from epsrank.theory.errors import InputError

    folder, mark, record = name.rpartition("@")
    if not mark or not Path(folder).is_dir():
        return None
    try:
        return Path(folder), int(record)
    except ValueError:
        raise InputError(
            name, f"names record {record!r}", "pass the index of a measurement, such as @0 or @-1"
        ) from None


def _of_run(
    folder: Path, record: int, layer: str | None, weights: str | None, measure: str
) -> CheckpointLayer:
    """Return a layer of a run, in the run's own measure unless another one is asked for."""
    from dataclasses import replace

    from epsrank.numerics.checkpoint.runs import layer_of_run
    from epsrank.theory.data.measure import as_measure

    found = layer_of_run(folder, record, layer)
    # The default of --measure must not replace the run's own measure.
    if weights is None and not _given("measure"):
        return found
    n_samples = len(found.features)
    own = found.measure.weights if weights is None else read_weights(weights, n_samples)
    return replace(found, measure=as_measure(measure, own, n_samples))


def _of_model(
    model: str,
    data: str | None,
    layer: str | None,
    weights: str | None,
    sample_weights: str | None,
    measure: str,
    key: str | None,
) -> CheckpointLayer:
    """Return a layer of a network of the user."""
    from dataclasses import replace

    from epsrank.cli.console import notice
    from epsrank.numerics.checkpoint.factory import make_model
    from epsrank.numerics.checkpoint.models import layer_of_model
    from epsrank.numerics.checkpoint.weights import load_weights
    from epsrank.theory.data.inputs import as_features
    from epsrank.theory.data.measure import as_measure

    if data is None:
        raise click.UsageError("--model needs the inputs of the network: --data F")
    inputs = _inputs(data if key is None else f"{data}::{key}")
    network = make_model(model)
    if weights is not None:
        load_weights(network, weights)
    found = layer_of_model(network, inputs, layer, label=model)
    features = as_features(found.features, name=found.label)
    own = read_weights(sample_weights, features.n_samples)
    if weights is None:
        notice(f"no --weights: {model} is measured as it was made")
    return replace(found, features=features, measure=as_measure(measure, own, features.n_samples))


def _inputs(path: str) -> Any:
    """Return the inputs in a file: one array, or all arrays of an archive by name."""
    names = [] if "::" in path else _names(Path(path))
    if len(names) < 2:
        return read_array(path, "--data")
    return {name: read_array(f"{path}::{name}", "--data") for name in names}


def _names(file: Path) -> list[str]:
    """Return the names of the arrays in an archive; empty where it is none, or damaged."""
    from epsrank.numerics.boundary import parsing
    from epsrank.numerics.npy import npz_members
    from epsrank.theory.errors import InputError

    suffix = file.suffix.lower()
    # What is wrong with it is reported when it is read.
    with contextlib.suppress(InputError), parsing(str(file), "write it again"):
        if suffix == ".npz":
            with zipfile.ZipFile(file) as archive:
                return list(npz_members(archive))
        if suffix == ".safetensors":
            from safetensors import safe_open

            with safe_open(file, framework="np") as tensors:
                return list(tensors.keys())
    return []


def _given(name: str) -> bool:
    """Tell whether an option was given on the command line."""
    source = click.get_current_context().get_parameter_source(name)
    return source is click.core.ParameterSource.COMMANDLINE
