"""The bounds on one's own network: over training, over ε, over the norm, and over the rank."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from epsrank.numerics.plots.rank_curves import (
    draw_budget,
    draw_floors,
    draw_selection,
    draw_spectrum,
)
from epsrank.numerics.plots.style import (
    COLOURS,
    FAINT,
    INK,
    drawing_into,
    dress,
    has_place,
    integer_axis,
    legend_below,
    log_axis,
    panel,
    positive,
    power,
    time_axis,
)
from epsrank.numerics.plots.tightness_parts import (
    Records,
    array,
    in_time,
    line,
    log_from,
    loss_label,
    norm_label,
    refuse_empty,
    some_eps,
    steps,
    told,
)
from epsrank.theory.floor.decomposed.bounds import envelope
from epsrank.theory.floor.decomposed.curve import SquaresCurve

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from epsrank.theory.floor.tightness.enclosed import Enclosed
    from epsrank.theory.floor.tightness.result import LayerTightness
    from epsrank.theory.numbers.arrays import Vector

# Norms of a curve, around that of the head.
_NORMS, _AROUND, _FARTHEST_SOLVED = 61, (1e-2, 1e4), 1e2
# Share of its upper bound that V has to have from below to be drawn.
_KNOWN = 0.5


def draw_chain(records: Records, *, title: str = "") -> Axes:
    """Draw loss ≥ V ≥ envelope ≥ floors over training; over ε where there is one moment."""
    over = _OverTime(records) if in_time(records) else _OverEps(records[-1])
    figure, axes = panel(6.8, 4.8)
    series: list[tuple[str, Vector]] = [
        ("loss", over.of(lambda record: told(record, record.loss))),
        ("V(B)", over.of(lambda record: told(record, record.reachable))),
    ]
    if records[-1].squares:
        series.append(
            ("envelope", over.of(lambda r: math.nan if r.envelope is None else r.envelope.lower))
        )
    series += over.floors()
    refuse_empty(series, "chain")
    for index, (name, values) in enumerate(series):
        line(axes, over.x, values, index, name)
    _band(axes, over, records)
    over.scale(axes)
    log_from(axes, [values for _, values in series])
    dress(axes, x=over.label, y=loss_label(records[-1]), title=title)
    legend_below(figure, axes, columns=3)
    return axes


def draw_ratios(records: Records, *, title: str = "") -> Axes:
    """Draw loss/V and V/envelope over training, or over ε beside loss/floor; 1 is tight."""
    last = records[-1]
    over = _OverTime(records) if in_time(records) else _OverEps(last)
    figure, axes = panel(6.8, 4.6)
    series = [("loss / V(B)", over.of(lambda record: _quotient(record.loss_over_reachable)))]
    if last.squares:
        series.append(("V(B) / envelope", over.of(_slack)))
    if not in_time(records):
        floors = positive(over.floors()[0][1])
        series.append(("loss / floor at the ε-rank", told(last, last.loss) / floors))
    refuse_empty(series, "ratios")
    for index, (name, values) in enumerate(series):
        line(axes, over.x, values, index, name)
    axes.axhline(1.0, color=INK, linestyle=(0, (6, 2)), linewidth=1.0, label="1: tight")
    over.scale(axes)
    log_axis(axes, "y", np.concatenate([v for _, v in series] + [np.array([1.0, 2.0])]))
    dress(axes, x=over.label, y=f"ratio of losses ({last.measure} measure)", title=title)
    legend_below(figure, axes, columns=2)
    return axes


def draw_norms(records: Records, *, title: str = "") -> Axes:
    """Draw V, envelope and floors over the norm B of the head, with the network's place."""
    last = records[-1]
    figure, axes = panel(6.8, 4.8)
    norms = _norms(last)
    ends = np.array([last.curve.sketch(float(norm)) for norm in norms])
    lower, upper = ends[:, 0], positive(ends[:, 1])
    # Where V is hardly known from below, an upper bound must not pass for it.
    value = np.where(lower > _KNOWN * upper, upper, np.nan)
    axes.plot(norms, value, color=INK, linewidth=1.6, label="V(B)")
    if bool((upper > 1.02 * lower).any()):
        axes.fill_between(
            norms, np.maximum(lower, 1e-3 * upper), upper, color=FAINT, alpha=0.35, linewidth=0,
            label="enclosure of V",
        )  # fmt: skip
    shown = [value]
    if isinstance(last.curve, SquaresCurve):
        data = last.curve.data
        top = array([envelope(data, float(norm)) ** 2 for norm in norms])
        line(axes, norms, top, 1, "envelope", marks=False)
        shown.append(top)
        assert last.distances is not None
        for index, at in enumerate(some_eps(last.by_eps), start=2):
            distance = float(last.distances[at.rank_upper])
            floors = np.maximum(distance - math.sqrt(at.eps) * norms, 0.0) ** 2
            line(axes, norms, floors, index, f"floor at ε = {power(at.eps)}", marks=False)
            shown.append(floors)
    loss = told(last, last.loss)
    if has_place(axes, array([loss]), "loss of this network"):
        axes.plot(
            [max(last.norm, float(norms[0]))], [loss], color=COLOURS[1], marker="o",
            markersize=6, linestyle="none", label="this network",
        )  # fmt: skip
    axes.axvline(max(last.norm, float(norms[0])), color=FAINT, linewidth=0.8)
    log_axis(axes, "x", norms)
    log_from(axes, [*shown, array([loss])])
    dress(axes, x=norm_label(last), y=loss_label(last), title=title)
    legend_below(figure, axes, columns=3)
    return axes


def draw_eps(records: Records, *, title: str = "") -> Axes:
    """Draw the ε-rank over ε, and the one that a loss as small as this needs (F5)."""
    last = records[-1]
    figure, axes = panel(6.4, 4.4)
    rows = sorted(last.by_eps, key=lambda at: at.eps)
    eps = array([at.eps for at in rows])
    lower, upper = (
        array([getattr(at, f"rank_{end}") for at in rows]) for end in ("lower", "upper")
    )
    axes.fill_between(eps, lower, upper, color=COLOURS[0], alpha=0.25, linewidth=0)
    line(axes, eps, upper, 0, "ε-rank of the features", every=1)
    budgets = array([math.nan if at.budget is None else at.budget for at in rows])
    if np.isfinite(budgets).any():
        line(axes, eps, budgets, 1, "least ε-rank for this loss", every=1)
    axes.axhline(last.n_features, color=FAINT, linewidth=1.0, label=f"n = {last.n_features}")
    log_axis(axes, "x", eps)
    # A budget of 0 is seen beside the axis.
    axes.set_ylim(bottom=-0.03 * last.n_features)
    integer_axis(axes, "y")
    dress(axes, x=f"threshold ε ({last.measure} measure)", y="ε-rank", title=title)
    legend_below(figure, axes, columns=3)
    return axes


class _OverTime:
    """Numbers of every moment over the step."""

    label = "training step"

    def __init__(self, records: Records) -> None:
        self._records = records
        self.x = steps(records)

    def of(self, number: Callable[[LayerTightness], float]) -> Vector:
        """Return one number of each moment."""
        return array([number(record) for record in self._records])

    def floors(self) -> list[tuple[str, Vector]]:
        """Return the floors at a few thresholds."""
        eps = [at.eps for at in some_eps(self._records[-1].by_eps)]
        return [
            (f"floor at ε = {power(value)}", self.of(lambda r, value=value: _floor(r, value)))  # type: ignore[misc]
            for value in eps
        ]

    def scale(self, axes: Axes) -> None:
        """Scale the axis."""
        time_axis(axes, self.x)


class _OverEps:
    """Numbers of one moment over ε."""

    def __init__(self, record: LayerTightness) -> None:
        self._record = record
        self._rows = sorted(record.by_eps, key=lambda at: at.eps)
        self.x = array([at.eps for at in self._rows])
        self.label = f"threshold ε ({record.measure} measure)"

    def of(self, number: Callable[[LayerTightness], float]) -> Vector:
        """Return a number that does not depend on ε."""
        return np.full(len(self.x), number(self._record))

    def floors(self) -> list[tuple[str, Vector]]:
        """Return the floors."""
        return [("floor at the ε-rank", array([_floor(self._record, eps) for eps in self.x]))]

    def scale(self, axes: Axes) -> None:
        """Scale the axis."""
        log_axis(axes, "x", self.x)


def _floor(record: LayerTightness, eps: float) -> float:
    """Return the proved end of a floor, NaN where there is none."""
    found = next((at.floor for at in record.by_eps if at.eps == eps), None)
    return math.nan if found is None else found.lower


def _band(axes: Axes, over: Any, records: Records) -> None:
    """Draw the enclosure of V where it is wide enough to be seen."""
    lower, upper = over.of(lambda r: r.reachable.lower), over.of(lambda r: r.reachable.upper)
    if bool((upper > 1.02 * lower).any()):
        axes.fill_between(
            over.x, positive(lower), positive(upper), color=FAINT, alpha=0.35, linewidth=0,
            label="enclosure of V",
        )  # fmt: skip


def _norms(record: LayerTightness) -> Vector:
    scale = record.norm or record.curve.natural_norm or 1.0
    # Solvers were asked no further than that.
    largest = _AROUND[1] if record.squares else _FARTHEST_SOLVED
    return np.geomspace(_AROUND[0] * scale, largest * scale, _NORMS)


def _slack(record: LayerTightness) -> float:
    """Return V/envelope, NaN for losses without an envelope."""
    found = record.reachable_over_envelope
    return math.nan if found is None else _quotient(found)


def _quotient(ratio: Enclosed) -> float:
    """Return a ratio, NaN where both of its parts may be 0."""
    return math.nan if ratio.unknown else ratio.value


def _into(draw: Callable[..., Axes]) -> Callable[..., Axes]:
    """Return a drawing that takes axes."""

    def drawn(records: Records, *, ax: Axes | None = None, title: str = "") -> Axes:
        with drawing_into(ax):
            return draw(records, title=title)

    return drawn


#: Figures of a result by name.
TIGHTNESS_FIGURES: dict[str, Callable[..., Axes]] = {
    "chain": _into(draw_chain),
    "ratios": _into(draw_ratios),
    "norms": _into(draw_norms),
    "eps": _into(draw_eps),
    "spectrum": _into(draw_spectrum),
    "floors": _into(draw_floors),
    "selection": _into(draw_selection),
    "budget": _into(draw_budget),
}
