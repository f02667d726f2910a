"""``epsrank prune``: keep p neurons of a network or of a features file, with a guarantee."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from epsrank.cli.console import notice, number, print_json, print_table, say
from epsrank.cli.cost import consent_option
from epsrank.cli.front import Command
from epsrank.cli.options import measure_options, read_coefficients, read_features, read_weights
from epsrank.theory.words import plural

if TYPE_CHECKING:
    from epsrank.numerics.pruning import PrunedNetwork
    from epsrank.numerics.training import Run
    from epsrank.theory.selection import NeuronSelection

MethodName = Literal["auto", "minors", "exchange", "closest"]


@click.command(cls=Command, names={"features": "features of SOURCE"})
@click.argument("source")
@click.option("--neurons", type=int, metavar="P", help="Neurons to keep.")
@click.option(
    "--tolerance", type=float, metavar="T", help="Largest ‖u_p − u‖, the most √loss may grow by."
)
@click.option(
    "--coefficients", metavar="F", help="File with β (n) or W (n×k); needed for a features file."
)
@click.option(
    "--method",
    type=click.Choice(["auto", "minors", "exchange", "closest"]),
    default="auto",
    show_default=True,
    help="All minors, strong rank-revealing QR, or the closest of all spans.",
)
@click.option("--f", type=float, default=1.1, show_default=True, help="Bound f > 1 of exchange.")
@click.option("--step", type=int, metavar="N", help="Checkpoint of a run.  [default: the last]")
@click.option("--exact", is_flag=True, help="For a file: compute the error in integers.")
@click.option("--out", metavar="DIR", help="Folder of the result.  [default: RUN/pruned-P]")
@consent_option
@measure_options
def prune(
    source: str,
    neurons: int | None,
    tolerance: float | None,
    coefficients: str | None,
    method: MethodName,
    f: float,
    step: int | None,
    exact: bool,
    out: str | None,
    yes: bool,
    weights: str | None,
    measure: str,
    key: str | None,
    as_json: bool,
) -> None:
    """Keep P neurons of the last hidden layer of SOURCE, and say what that can cost.

    SOURCE is a run folder of `epsrank train`, or a file of features (then --coefficients gives the
    output layer). Of the pruned network √loss_p ≤ √loss + ‖u_p − u‖, and the distance is certified
    on the samples given. Writes weights.safetensors and pruned.json to DIR.

    Parameters
    ----------
    source : str
        Run folder or features file.
    neurons : int or None
        How many to keep.
    tolerance : float or None
        Largest distance.
    coefficients : str or None
        File of coefficients.
    method : str
        How neurons are chosen.
    f : float
        Bound of the exchange.
    step : int or None
        Checkpoint.
    exact : bool
        Integer arithmetic.
    out : str or None
        Folder of the result.
    weights : str or None
        File of weights.
    measure : str
        Name of the measure.
    key : str or None
        Array of the file.
    as_json : bool
        Print JSON.
    yes : bool
        Begin also what takes hours.

    Raises
    ------
    UsageError
        If options do not fit together.
    """
    if (neurons is None) == (tolerance is None):
        raise click.UsageError("give either --neurons P or --tolerance T")
    if Path(source).is_dir():
        if coefficients is not None or weights is not None or key is not None or exact:
            raise click.UsageError(
                "--coefficients, --weights, --key and --exact belong to a features file; a run "
                "brings its own"
            )
        _prune_run(source, neurons, tolerance, method, f, step, out, as_json)
        return
    if coefficients is None:
        raise click.UsageError("a features file needs --coefficients F, its output layer")
    if step is not None:
        raise click.UsageError("--step belongs to a run folder")
    chosen = _select(
        source, neurons, tolerance, coefficients, method, f, exact, weights, measure, key, yes
    )
    if out is not None:
        _write(chosen, source, Path(out))
    if as_json:
        print_json(chosen.to_json())
    else:
        _print_selection(source, chosen)


def _prune_run(
    source: str,
    neurons: int | None,
    tolerance: float | None,
    method: MethodName,
    f: float,
    step: int | None,
    out: str | None,
    as_json: bool,
) -> None:
    """Prune a run, write the network, and print the guarantee beside what was measured."""
    from epsrank.numerics.pruning import prune as prune_run
    from epsrank.numerics.training import load_run

    run = load_run(source)
    found = prune_run(
        run, neurons, tolerance=tolerance, index=_index(run, step), method=method, f=f
    )
    place = Path(source) / f"pruned-{found.selection.p}" if out is None else Path(out)
    folder = found.save(place)
    if not found.holds:  # it never has: a guarantee that fails is a defect, and must be seen
        notice(f"the measured loss exceeds its guarantee in {folder}; please report this")
    if as_json:
        print_json(found.to_json() | {"folder": str(folder)})
        return
    _print_pruned(source, found, folder)


def _index(run: Run, step: int | None) -> int:
    """Return the measurement made at a step."""
    from epsrank.theory.errors import InputError

    steps = [record.step for record in run.records]
    if not steps:
        raise InputError("SOURCE", "has no measurement yet", "train it first")
    if step is None:
        return run.last_whole()
    if step not in steps:
        near = min(steps, key=lambda have: abs(have - step))
        raise InputError("--step", f"{step} was not kept", f"choose a checkpoint, such as {near}")
    return steps.index(step)


def _select(
    source: str,
    neurons: int | None,
    tolerance: float | None,
    coefficients: str,
    method: MethodName,
    f: float,
    exact: bool,
    weights: str | None,
    measure: str,
    key: str | None,
    yes: bool,
) -> NeuronSelection:
    """Choose neurons of a features file."""
    from epsrank.cli.estimates import shape_of, weigh_features
    from epsrank.theory.selection import fewest_neurons, select_neurons

    features = read_features(source, key)
    weigh_features("SOURCE", shape_of(features), decompositions=4, exact=exact, yes=yes)
    head = read_coefficients(coefficients, features.n_features)
    law = read_weights(weights, features.n_samples)
    if neurons is not None:
        return select_neurons(
            features,
            neurons,
            coefficients=head,
            method=method,
            f=f,
            weights=law,
            measure=measure,
            exact=exact,
        )
    assert tolerance is not None
    return fewest_neurons(
        features,
        tolerance,
        coefficients=head,
        method=method,
        f=f,
        weights=law,
        measure=measure,
        exact=exact,
    )


def _write(chosen: NeuronSelection, source: str, folder: Path) -> None:
    """Write neurons and coefficients of a features file, and the guarantee beside them."""
    import torch

    from epsrank.numerics.files import write_json
    from epsrank.numerics.manifest import Manifest
    from epsrank.numerics.training.tensors import write_tensors
    from epsrank.theory.strict_json import nulled

    assert chosen.coefficients is not None
    tensors = {
        "neurons": torch.from_numpy(chosen.neurons.astype("int64")),
        "coefficients": torch.from_numpy(chosen.coefficients),
    }
    seals = Manifest(folder, "pruned")
    write_tensors(folder / "weights.safetensors", tensors, manifest=seals)
    record = nulled({"source": source, **chosen.to_json()})
    write_json(folder / "pruned.json", record, manifest=seals)


def _print_selection(source: str, chosen: NeuronSelection) -> None:
    """Print the neurons, the certified error and both constants."""
    print_table(
        ["‖u_p − u‖", "value", "meaning"],
        _distance_rows(chosen, chosen.error),
        title=f"{source}: {chosen.p} of {plural(chosen.n_features, 'neuron')} "
        f"kept by {chosen.method}, "
        f"{chosen.measure} measure",
        note="neurons " + ", ".join(str(j) for j in chosen.neurons.tolist()),
    )


def _distance_rows(chosen: NeuronSelection, error: float | None) -> list[list[str]]:
    """Return the lines of the table that every pruning has."""
    return [
        ["certified", number(error), f"for the coefficients found ({chosen.route})"],
        ["N1", number(chosen.ours), f"√((1 + p(n−p))·λ_{{p+1}})·‖W‖, p = {chosen.p}"],
        ["draft", number(chosen.draft), "√((p+1)(n−p)·Σ_{k>p} λ_k)·‖W‖"],
    ]


def _print_pruned(source: str, found: PrunedNetwork, folder: Path) -> None:
    """Print what the pruned network may lose and what it did lose."""
    print_table(
        ["‖u_p − u‖", "value", "meaning"],
        _distance_rows(found.selection, found.distance),
        title=f"{source}, step {found.step}: {found.selection.p} of "
        f"{plural(found.selection.n_features, 'neuron')} kept by {found.selection.method}, "
        f"{found.parameters[1]} of {plural(found.parameters[0], 'weight')}, "
        f"{found.selection.measure} measure on {plural(found.n_samples, 'sample')}",
    )
    say()
    rows = [
        ["squared error", number(found.loss), number(found.pruned_loss), number(found.loss_bound)]
    ]
    if found.cross_entropy is not None:
        most = found.cross_entropy + found.cross_entropy_increase
        rows.append(
            [
                "cross-entropy",
                number(found.cross_entropy),
                number(found.pruned_cross_entropy),
                number(most),
            ]
        )
    rows.append(["test loss", number(found.test_loss), number(found.pruned_test_loss), "–"])
    print_table(["loss", "before", "after", "guaranteed at most"], rows, note=f"written: {folder}")
