"""Draw the pictures of pages that show results: ``python docs/draw_images.py NAME …``.

`IMAGES` has them by name; each is that of the code or the command on its page. The sweep takes
some minutes, and the stages are those of a report of B6 (``epsrank reproduce B6 --out DIR``),
whose trials are on record; the others take seconds. Beside NAME.svg there is NAME-narrow.svg,
one column of a paper wide, which the site shows on a phone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from matplotlib.figure import Figure
from torch import nn

from epsrank import (
    SweepResults,
    Tightness,
    draw_training_stages,
    load_results,
    plateau_curve,
    tightness,
)
from epsrank.cli import main as epsrank
from epsrank.numerics.experiments.initial import b06_one_axis as b6
from epsrank.numerics.experiments.registry import experiment
from epsrank.numerics.plots.drop_proofs import draw_drop_proofs
from epsrank.numerics.plots.plateau import draw_plateau
from epsrank.numerics.plots.save import save_figure
from epsrank.numerics.plots.sweep_figures import Wishes, sweep_figures
from epsrank.numerics.stages.entry import stages_by_setting
from epsrank.plots import paper_style
from epsrank.proofs.experiments.answers import experiments_on
from epsrank.proofs.experiments.records import read_record
from epsrank.theory.floor.plateau import PlateauCurve

FOLDER = Path(__file__).parent / "images"

#: The sweep of docs/sweeps.md, longer and with three widths.
SPEC = """
seeds = 6
[fixed]
task = "cosines"
depth = 1
steps = 800
learning_rate = 0.01
n_train = 60
measure_every = 25
device = "cpu"
[grid]
width = [8, 16, 32]
init = ["default", "structured"]
"""


@cache
def _read() -> PlateauCurve:
    """Return V(B) of the network of README.md after 300 steps."""
    torch.manual_seed(0)
    x = torch.linspace(-1, 1, 500).reshape(-1, 1)
    y = torch.cos(6 * x)
    model = nn.Sequential(nn.Linear(1, 50), nn.Tanh(), nn.Linear(50, 1))
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(300):
        loss = (model(x) - y).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    head = model[2]
    assert isinstance(head, nn.Linear)
    features = model[:2](x).detach()
    bias = float(head.bias[0].detach())
    return plateau_curve(features, y[:, 0], coefficients=head.weight[0].detach(), bias_value=bias)


def reading() -> Figure:
    """Return the picture of docs/readings.md."""
    return draw_plateau(_read(), title="1-50-1 tanh, cos 6x, after 300 steps of Adam")


@cache
def _held() -> Tightness:
    """Return the chain of the network of docs/tightness.md over its training."""
    torch.manual_seed(0)
    x = torch.linspace(-1, 1, 200, dtype=torch.float64).reshape(-1, 1)
    y = torch.sin(3 * x) + 0.5 * torch.cos(11 * x)
    model = nn.Sequential(nn.Linear(1, 30), nn.Tanh(), nn.Linear(30, 1)).double()
    optimizer = torch.optim.Adam(model.parameters(), 2e-2)
    kept = {}
    for step in range(1001):
        if step % 200 == 0:
            kept[step] = {name: value.clone() for name, value in model.state_dict().items()}
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return tightness(
        model, (x, y), loss=nn.MSELoss(), checkpoints=kept, eps=(1e-2, 1e-4, 1e-6),
        label="sin 3x + ½ cos 11x, 30 tanh neurons",
    )  # fmt: skip


def chain() -> Figure:
    """Return the picture of docs/tightness.md."""
    figure = _held().plot("chain").figure
    assert isinstance(figure, Figure)
    return figure


@cache
def _swept() -> SweepResults:
    """Return the results of the sweep."""
    with TemporaryDirectory() as folder:
        spec = Path(folder, "SPEC.toml")
        spec.write_text(SPEC, "utf-8")
        epsrank(
            ["sweep", str(spec), "--out", str(Path(folder, "out")), "--jobs", "2"],
            standalone_mode=False,
        )
        return load_results(Path(folder, "out"))


def sweep() -> Figure:
    """Return the curves of a sweep: ``epsrank plot SWEEP --kind curves --y loss``."""
    made = dict(sweep_figures(_swept(), ["curves"], Wishes(y=("loss",)), strict=True))
    figure = next(iter(made.values()))
    assert isinstance(figure, Figure)
    return figure


def stages() -> Figure:
    """Return the runs of B6 on record that begin with small weights."""
    groups, _ = b6.read(read_record("B6").outcomes)
    group = next(each for each in groups if each.settings["sigma"] is not None)
    (found,) = stages_by_setting(group.name, group.runs, against=[group.layer])
    return draw_training_stages(found, along="log")


@cache
def _dropped() -> list[dict[str, object]]:
    """Return every drop of the loss in the runs on record that may decide what drops prove."""
    rows: dict[tuple[object, ...], dict[str, object]] = {}
    deciding, _ = experiments_on("coupling-change")
    for name in deciding:
        analysis = experiment(name).analyse(read_record(name).outcomes)
        tables = {table.name: table.rows for table in analysis.tables}
        for row in tables.get("drops", ()):
            # A run that stands in two experiments counts once.
            key = tuple(row[part] for part in ("seed", "from step", "to step", "loss before"))
            rows.setdefault(key, {**row, "arm": f"{name}, {row['arm']}"})
    return list(rows.values())


def drops() -> Figure:
    """Return the picture of docs/findings.md."""
    rows = _dropped()
    return draw_drop_proofs(rows, f"What {len(rows)} drops of the loss prove")


IMAGES: dict[str, Callable[[], Figure]] = {
    "reading.svg": reading,
    "tightness.svg": chain,
    "sweep.svg": sweep,
    "stages.png": stages,
    "drops.svg": drops,
}


def main() -> None:
    """Draw the images that are named, or all."""
    for name in sys.argv[1:] or IMAGES:
        figure = IMAGES[name]()
        if name.endswith(".png"):  # for the screen: 300 dots per inch are for paper
            figure.savefig(FOLDER / name, dpi=100)
        else:
            save_figure(figure, FOLDER / name)
            with paper_style(columns=1):
                save_figure(IMAGES[name](), FOLDER / name.replace(".svg", "-narrow.svg"))


if __name__ == "__main__":
    main()
