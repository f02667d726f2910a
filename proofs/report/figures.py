"""Figures of the networks that a verification trained, with captions that state the finding."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from epsrank.proofs.report.words import number, show
from epsrank.theory.words import plural

if TYPE_CHECKING:
    from epsrank.proofs.instances.networks import TrainedNetwork

#: Kinds of figures per network, with the claim that each stands beside.
KINDS = {
    "staircase": "loss-floor",
    "floor": "rank-budget",
    "spectra": "tail",
    "tightness": "reachable-loss",
}

# The page stays below 4 MB: figures beyond this many bytes are named, and not shown.
_MOST_BYTES = 3_200_000


@dataclass(frozen=True)
class Figure:
    """A figure on the page."""

    path: str
    #: As data, so that the page stands by itself; None where it would be too large with it.
    uri: str | None
    caption: str


def figure_path(network: str, kind: str) -> str:
    """Return the path of a figure relative to the report."""
    return f"figures/{network.replace(' ', '-').replace('×', 'x')}-{kind}.svg"


def draw_figures(network: TrainedNetwork, folder: Path) -> list[str]:
    """Draw and save the figures of one network."""
    from epsrank.numerics.plots.run_figures import figure_of_run
    from epsrank.numerics.plots.save import save_figure

    run = network.run()
    drawn = []
    for kind in KINDS:
        figure: Any = figure_of_run(run, kind)
        path = figure_path(network.name, kind)
        save_figure(figure, folder / path)
        # Figures hold their data, and circles of references keep them for long.
        figure.clear()
        drawn.append(path)
    return drawn


def figures_of(ledger: Mapping[str, Any], folder: Path) -> dict[str, list[Figure]]:
    """Return by claim the figures that stand beside it, of networks that the ledger speaks of."""
    claims = {entry["id"]: entry for entry in ledger["claims"]}
    measured = _measured(claims.values())
    # A ledger that does not say which figures are its own is of a version that drew all.
    own = ledger["environment"].get("figures")
    found: dict[str, list[Figure]] = {}
    used = 0
    for kind, wanted in KINDS.items():
        # Where a run tests a few claims only, the figures go to the one that has the networks.
        claim = wanted if wanted in claims else "loss-floor"
        for name, rows in measured.items():
            relative = figure_path(name, kind)
            path = folder / relative
            shown = claim in claims and (own is None or relative in own) and path.is_file()
            if not shown or _says_nothing(kind, rows):
                continue
            # In base64, as in an address most of SVG's characters would have to be escaped.
            data = base64.b64encode(path.read_bytes()).decode("ascii")
            used += len(data)
            uri = f"data:image/svg+xml;base64,{data}" if used <= _MOST_BYTES else None
            figure = Figure(relative, uri, _finding(kind, name, rows))
            found.setdefault(claim, []).append(figure)
    return found


def _measured(claims: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Return the measurements of each network, by its name, in order of steps."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for entry in claims:
        for item in entry["evidence"]:
            name = item["figures"].get("network")
            rows = [row for row in item.get("rows", ()) if "reachable" in row and "step" in row]
            if isinstance(name, str) and rows:
                found.setdefault(name, rows)
    return found


def _says_nothing(kind: str, rows: list[Mapping[str, Any]]) -> bool:
    """Whether a figure is degenerate: a floor against a rank that never changes is one point."""
    return kind == "floor" and len({show(row["rank"]) for row in rows}) < 3


def _finding(kind: str, name: str, rows: list[Mapping[str, Any]]) -> str:
    """Say in a sentence what a figure shows, from the measurements it is drawn from."""
    eps = rows[0]["eps"]
    own = sorted((row for row in rows if row["eps"] == eps), key=lambda row: row["step"])
    first, last = own[0], own[-1]
    ranks = f"{show(first['rank'])} to {show(last['rank'])}"
    ratio = number(last["loss"] / last["reachable"]) if last["reachable"] else "∞"
    moved = (
        f"the ε-rank at ε = {show(eps)} goes from {ranks}"
        if show(first["rank"]) != show(last["rank"])
        else f"the ε-rank at ε = {show(eps)} is {show(last['rank'])} first and last"
    )
    said = {
        "staircase": f"the loss falls from {show(first['loss'])} to {show(last['loss'])} while "
        f"{moved}, and never goes below its floor",
        "floor": f"{moved}, and the floor from {show(first['floor'])} to {show(last['floor'])}",
        "spectra": f"over {plural(last['step'], 'step')} {moved}",
        "tightness": f"at step {last['step']} the loss is {ratio} times V, which no output "
        "layer of its norm goes below",
    }
    return f"{name}: {said[kind]}."
