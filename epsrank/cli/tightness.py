"""``epsrank tightness``: how tight the bounds are on a network of one's own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from epsrank.cli.console import notice, number, print_json, print_table, say
from epsrank.cli.cost import consent_option
from epsrank.cli.figures import kinds_of, own_theory
from epsrank.cli.front import Command, is_number
from epsrank.cli.options import read_array, read_target
from epsrank.cli.paper import paper_of, paper_options
from epsrank.cli.sources import split_record
from epsrank.theory.words import plural

if TYPE_CHECKING:
    from epsrank.numerics.tightness import Tightness
    from epsrank.theory.floor.tightness.enclosed import Enclosed
    from epsrank.theory.floor.tightness.result import LayerTightness

_KINDS = ("chain", "ratios", "norms", "eps", "spectrum", "floors", "selection", "budget")
_LOSSES = ("mse", "cross_entropy", "bce", "huber", "smooth_l1", "l1")

# An inequality of a theorem that does not hold on the numbers: like a regression of `verify`.
_VIOLATED = 1


@click.command(cls=Command, lists={"--eps": is_number, "--norms": is_number,
                                   "--checkpoints": lambda word: True},
               names={"targets": "--target", "weights": "--sample-weights"})  # fmt: skip
@click.argument("run", required=False)
@click.option("--model", metavar="MODULE:NAME", help="A network, or a function that makes it.")
@click.option(
    "--data",
    metavar="D",
    help="Its data: MODULE:NAME, a file of inputs (with --target), or a task of the suite.",
)
@click.option("--target", metavar="F", help="File of targets or labels, beside a file of inputs.")
@click.option("--weights", metavar="F", help="Weights of the network: .safetensors, .pt, …")
@click.option(
    "--checkpoints", metavar="F …", multiple=True,
    help="Weights over training; the last number in a file's name is its step.",
)  # fmt: skip
@click.option("--sample-weights", metavar="F", help="File with one weight w ≥ 0 per sample.")
@click.option(
    "--measure", type=click.Choice(["mean", "raw", "volume"]), default="mean", show_default=True,
    help="Normalisation of these weights.",
)  # fmt: skip
@click.option("--loss", type=click.Choice(_LOSSES), help="Loss of --model.  [default: mse]")
@click.option("--head", metavar="NAME", help="Output layer, where it is not found by itself.")
@click.option("--output", metavar="NAME", help="Output that has the targets, of several.")
@click.option(
    "--bias", type=click.Choice(["feature", "fixed", "free"]),
    help="Output bias: part of B, held, or unpenalised.  [default: the run's, or feature]",
)  # fmt: skip
@click.option(
    "--eps", type=float, multiple=True, metavar="E …", help="Thresholds.  [default: 1e-2 … 1e-10]"
)
@click.option(
    "--norms", type=float, multiple=True, metavar="B …",
    help="Further norms at which V is wanted.  [default: multiples of the network's]",
)  # fmt: skip
@click.option(
    "--moments", type=int, default=12, show_default=True, metavar="N",
    help="Measurements of the run that are rebuilt.",
)  # fmt: skip
@click.option(
    "--max-samples", type=int, default=2000, show_default=True, metavar="N",
    help="Of more samples of --data some are drawn.",
)  # fmt: skip
@click.option("--certified", is_flag=True, help="Decide the last moment in ball arithmetic.")
@click.option("--seed", type=int, default=0, show_default=True, metavar="N", help="Of all draws.")
@click.option("--out", metavar="DIR", help="Folder for figures.  [default: none are drawn]")
@click.option(
    "--kind", metavar="NAME", default="all", show_default=True,
    help=f"Which figure: {', '.join(_KINDS)}.",
)  # fmt: skip
@click.option(
    "--format", "file_format", type=click.Choice(["svg", "png", "pdf"]), default="svg",
    show_default=True,
)  # fmt: skip
@paper_options
@consent_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, and nothing else.")
def tightness(run: str | None, out: str | None, as_json: bool, **given: Any) -> None:
    """Show how tight  loss ≥ V(B) ≥ envelope ≥ floor  is on a run, or on a network of yours.

    RUN is the folder of a run; RUN@record is one measurement of it. With --model the network is
    made by code that you name, and --data are its samples, or a BoundaryProblem for a PINN. What
    the output layer computes is checked on the samples; where the output is not φW + b, the reason
    is said.

    V(B) is the least loss of any output layer of the network's norm B; the floor at ε is what the
    ε-rank alone says. Exit code 1 if an inequality is violated.
    """
    names, style = kinds_of(given["kind"], _KINDS), paper_of(given)
    found = _found(run, given)
    for reason in found.left_out:
        notice(f"left out {reason}")
    if as_json:
        print_json(found.to_json())
    else:
        _print(found)
    if out is not None:
        with style:
            _draw(found, names, Path(out), given["file_format"], quiet=as_json)
    if found.state == "violated":
        bad = [link.name for one in found.records for link in one.links if link.state == "violated"]
        notice(f"violated: {', '.join(dict.fromkeys(bad))}")
        click.get_current_context().exit(_VIOLATED)


def _found(run: str | None, given: dict[str, Any]) -> Tightness:
    """Return the numbers."""
    from epsrank.cli.estimates import weigh_balls, weigh_model, weigh_run
    from epsrank.numerics.tightness import tightness as compute
    from epsrank.theory.errors import InputError

    settings: dict[str, Any] = {
        "eps": given["eps"] or None,
        "norms": given["norms"] or None,
        "bias": given["bias"],
        "moments": given["moments"],
        "certified": given["certified"],
    }
    settings = {name: value for name, value in settings.items() if value is not None}
    of_model = {
        name: given[name]
        for name in ("data", "target", "weights", "checkpoints", "sample_weights", "loss", "head",
                     "output")
        if given[name]
    }  # fmt: skip
    if given["model"] is None:
        if run is None:
            raise click.UsageError("name a RUN, or a network with --model and its --data")
        if of_model:
            option = f"--{next(iter(of_model)).replace('_', '-')}"
            raise click.UsageError(f"{option} belongs to --model: a run has its own")
        place = split_record(run)
        if place is None:
            raise InputError("run", f"is {run}, which is no folder", "pass the folder of a run")
        from epsrank.numerics.training import load_run

        folder, record = place
        if Path(run) != folder:
            settings["index"] = record
        kept = load_run(folder)
        weigh_run(kept, given["moments"], yes=given["yes"])
        if given["certified"]:
            shape = (len(kept.task.x), kept.config.width)
            weigh_balls("--certified", shape, yes=given["yes"])
        return compute(kept, **settings)
    if run is not None:
        raise click.UsageError("give either RUN or --model; data of the network are --data")
    if "data" not in of_model:
        raise click.UsageError("--model needs its data: --data D")
    from epsrank.numerics.checkpoint.factory import find_model

    find_model(given["model"])  # a wrong name first: data may take long to read
    data = _data(given)
    model = _network(given, data)
    weigh_model(
        model, data["data"], samples=given["max_samples"], moments=len(given["checkpoints"]),
        yes=given["yes"],
    )  # fmt: skip
    return compute(
        model, label=given["model"], max_samples=given["max_samples"], seed=given["seed"],
        measure=given["measure"], loss=given["loss"] or "mse", head=given["head"] or "auto",
        output=given["output"], checkpoints=_checkpoints(given["checkpoints"]), **data, **settings,
    )  # fmt: skip


def _network(given: dict[str, Any], data: dict[str, Any]) -> Any:
    """Return the network of the user, of the sizes of its data, with its weights."""
    from epsrank.numerics.checkpoint.factory import make_model
    from epsrank.numerics.checkpoint.weights import load_weights
    from epsrank.numerics.tightness.named import sizes_of

    sizes = sizes_of(data["data"], data.get("targets"), loss=given["loss"] or "mse")
    network = make_model(given["model"], sizes=sizes, seed=given["seed"])
    if given["weights"] is not None:
        if given["checkpoints"]:
            raise click.UsageError("--weights and --checkpoints both give weights: pass one")
        load_weights(network, given["weights"])
    elif not given["checkpoints"]:
        notice(f"no --weights: {given['model']} is measured as it was made")
    return network


def _checkpoints(files: tuple[str, ...]) -> dict[int, str] | None:
    """Return files by step: the last number in the name, or the place in the list."""
    if not files:
        return None
    from epsrank.theory.errors import InputError

    found: dict[int, str] = {}
    for place, file in enumerate(files):
        numbers = re.findall(r"\d+", Path(file).stem)
        step = int(numbers[-1]) if numbers else place
        if step in found:
            raise InputError(
                "--checkpoints", f"have step {step} twice, {found[step]} and {file}",
                "let every file's name end in its step",
            )  # fmt: skip
        found[step] = file
    return found


def _data(given: dict[str, Any]) -> dict[str, Any]:
    """Return data, targets and weights of the samples."""
    from epsrank.numerics.named import is_name
    from epsrank.numerics.tasks.load import TASKS
    from epsrank.numerics.tightness.named import named_data

    spec, target = given["data"], given["target"]
    weights = None
    if given["sample_weights"] is not None:
        weights = read_array(given["sample_weights"], "--sample-weights")
    if is_name(spec) or spec in TASKS:
        if target is not None:
            raise click.UsageError(f"--target belongs to a file of inputs: {spec} brings its own")
        data = named_data(spec, argument="--data", seed=given["seed"])
        return {"data": data, "weights": weights}
    if target is None:
        raise click.UsageError("--data is a file of inputs: name the targets with --target F")
    inputs = read_array(spec, "--data")
    goal = read_target(target, len(inputs))
    if given["loss"] == "cross_entropy" and goal.shape[1] == 1:
        from epsrank.theory.errors import InputError

        labels = goal[:, 0].astype("int64")
        if (labels != goal[:, 0]).any():
            raise InputError("--target", "has labels that are no whole numbers", "pass 0 … k − 1")
        goal = labels
    return {"data": inputs, "targets": goal, "weights": weights}


def _draw(
    found: Tightness, names: tuple[str, ...], folder: Path, file_format: str, *, quiet: bool
) -> None:
    """Draw figures, and name their files."""
    from epsrank.numerics.papers.axes import save_plot

    for name, axes in own_theory(names, lambda _: found):
        file = save_plot(axes, folder / f"tightness-{name}.{file_format}")
        say(str(file), err=quiet)


def _print(found: Tightness) -> None:
    """Print the tables for people."""
    last = found.last
    loss = "squared error" if last.squares else f"mean {last.loss_name.replace('_', '-')}"
    at = "" if last.step is None else f" at step {last.step}"
    rows = [
        ["loss", number(last.loss.value), "of the network"],
        ["V(B)", _cell(last.reachable), f"least of any output layer of norm B = {last.norm:.4g}"],
    ]
    if last.envelope is not None:
        rows.append(["envelope", _cell(last.envelope), "max over p of (d_p − √λ_{p+1} B)²"])
    rows.append(["loss/V", _cell(last.loss_over_reachable), "1: no such layer does better"])
    if last.reachable_over_envelope is not None:
        rows.append(["V/envelope", _cell(last.reachable_over_envelope), "1: the theorem says all"])
    kind = "certified in ball arithmetic" if last.certified else "float64 with rounding bounds"
    notes = [f"output: {found.form}", f"reading: {last.verdict}", f"chain: {found.state}, {kind}"]
    if found.scale != 1:
        notes.insert(1, f"the loss as it is trained is {found.scale:.6g} times these numbers")
    print_table(
        [loss, "value", "meaning"], rows,
        title=f"{found.label}{at}: {plural(last.n_samples, 'sample')} × "
              f"{plural(last.n_features, 'feature')}, "
        f"{last.dtype}, {last.measure} measure",
        note="\n".join(notes),
    )  # fmt: skip
    say()
    _print_eps(last)
    if last.by_norm:
        say()
        _print_norms(last)
    if len(found.records) > 1:
        say()
        _print_moments(found)


def _print_eps(last: LayerTightness) -> None:
    """Print the floors over ε."""
    rows = []
    for at in last.by_eps:
        rows.append(
            [
                f"{at.eps:g}",
                at.rank,
                "–" if at.budget is None else str(at.budget),
                "–" if at.floor is None else number(at.floor.lower),
                _ratio(last.loss_over_floor(at)),
            ]
        )
    reason = next((at.reason for at in last.by_eps if at.reason), "")
    print_table(["ε", "ε-rank", "this loss needs", "floor", "loss/floor"], rows, note=reason)


def _print_norms(last: LayerTightness) -> None:
    """Print V and the envelope at other norms."""
    envelope = ["envelope"] if last.squares else []
    rows = [
        [number(at.norm).replace("inf", "∞"), _cell(at.reachable)]
        + ([] if at.envelope is None else [_cell(at.envelope)])
        for at in last.by_norm
    ]
    print_table(["norm B", "V(B)", *envelope], rows)


def _print_moments(found: Tightness) -> None:
    """Print the chain over training."""
    chosen = found.last.by_eps[len(found.last.by_eps) // 2].eps
    slack = ["V/envelope"] if found.last.squares else []
    rows = []
    for record in found.records:
        at = next(own for own in record.by_eps if own.eps == chosen)
        above = record.reachable_over_envelope
        rows.append(
            [
                "–" if record.step is None else str(record.step),
                number(record.loss.value),
                number(record.norm),
                number(record.reachable.value),
                _ratio(record.loss_over_reachable),
                *([] if above is None else [_ratio(above)]),
                at.rank,
                "–" if at.floor is None else number(at.floor.lower),
            ]
        )
    columns = ["step", "loss", "B", "V(B)", "loss/V", *slack]
    print_table([*columns, f"ε-rank at {chosen:g}", "floor"], rows)


def _cell(value: Enclosed) -> str:
    if value.unknown:
        return "not known, 0/0 to rounding"
    return str(value).replace("inf", "∞")


def _ratio(value: Enclosed | None) -> str:
    if value is None or value.unknown:
        return "–"
    return number(value.value).replace("inf", "∞")
