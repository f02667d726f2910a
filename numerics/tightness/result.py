"""The tightness of a network's bounds, at one or several moments of its training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from epsrank.theory.errors import InputError
from epsrank.theory.floor.chain import LinkState, worst_state
from epsrank.theory.floor.tightness.result import LayerTightness
from epsrank.theory.shown import Shown
from epsrank.theory.strict_json import nulled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Figures of a result.
TightnessKind = Literal[
    "chain", "ratios", "norms", "eps", "spectrum", "floors", "selection", "budget"
]


@dataclass(frozen=True, eq=False)
class Tightness(Shown):
    """loss ≥ V(B) ≥ envelope ≥ floor of a network, one `LayerTightness` for each moment.

    Attributes
    ----------
    label : str
        What was measured.
    records : tuple of LayerTightness
        In the order of training; the last one has V at several norms.
    form : str
        What the output of the network is, such as ``"u = φW + b"`` (F7).
    scale : float
        What the loss of the training is of the numbers here: ``nn.MSELoss`` on k outputs divides
        ‖u − u*‖² by k.
    left_out : tuple of str
        Moments that could not be read, each with its reason.
    """

    label: str
    records: tuple[LayerTightness, ...]
    form: str
    scale: float = 1.0
    left_out: tuple[str, ...] = ()

    @property
    def last(self) -> LayerTightness:
        """The last record."""
        return self.records[-1]

    @property
    def state(self) -> LinkState:
        """The worst state of any inequality: ``"strict"``, ``"rounding"`` or ``"violated"``."""
        found = worst_state(record.state for record in self.records)
        assert found is not None
        return found

    def tight(self, factor: float = 1.25) -> bool | None:
        """Return whether loss ≤ factor · V(B) at the last record: proved, disproved, or open.

        Parameters
        ----------
        factor : float
            At least 1.

        Returns
        -------
        bool or None
            True rests on the dual bound of V, False on a head that was found.
        """
        return self.last.tight(factor)

    def plot(self, kind: TightnessKind = "chain", *, ax: Axes | None = None) -> Axes:
        """Draw one figure and return its axes.

        Parameters
        ----------
        kind : str
            ``"chain"``: loss, V, envelope and floors over training (over ε for one moment);
            ``"ratios"``: loss/V and V/envelope; ``"norms"``: V, envelope and floors over B with
            the network's place; ``"eps"``: floor, ε-rank and budget over ε; ``"spectrum"``: λ_k
            with ε; ``"floors"``: the floor over p; ``"selection"``: neuron selection, new bound
            against old; ``"budget"``: the ε-rank that a loss asks for.
        ax : Axes, optional
            Where to draw; a new figure by default, in the style of `epsrank.plots.paper_style`.

        Returns
        -------
        Axes
            Its ``figure`` is saved with `epsrank.plots.save_plot`.

        Raises
        ------
        InputError
            If there is no such figure, or this loss has none.
        """
        if kind not in get_args(TightnessKind):
            known = ", ".join(get_args(TightnessKind))
            raise InputError("kind", f"is {kind!r}", f"choose one of {known}")
        # Here, since numbers alone need no matplotlib.
        from epsrank.numerics.plots.tightness_figures import TIGHTNESS_FIGURES

        axes: Axes = TIGHTNESS_FIGURES[kind](self.records, ax=ax, title=self.label)
        return axes

    def table(self) -> list[dict[str, Any]]:
        """Return one row per record and ε, for a data frame.

        Returns
        -------
        list of dict
            Keys ``step``, ``eps``, ``loss``, ``norm``, ``reachable_lower``, ``reachable_upper``,
            ``envelope``, ``floor``, ``rank_lower``, ``rank_upper``, ``budget``,
            ``loss_over_reachable``, ``reachable_over_envelope`` and ``loss_over_floor``; None where
            there is no such number.
        """
        return [row for record in self.records for row in _rows(record)]

    def __str__(self) -> str:
        count = len(self.records)
        more = "" if count == 1 else f" ({count} moments)"
        return f"{self.label}{more}: {self.last}"

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``epsrank tightness --json`` prints; null stands for ∞ or unknown.

        Returns
        -------
        dict
            Keys ``label``, ``loss_name``, ``measure``, ``dtype``, ``bias``, ``form``, ``scale``,
            ``n_samples``, ``n_features``, ``n_outputs``, ``state``, ``certified``, ``reading`` (of
            the last record, as in `Reading.to_json`), ``records`` and ``left_out``.
        """
        last = self.last
        names = (
            "loss_name", "measure", "dtype", "bias", "n_samples", "n_features", "n_outputs",
            "certified",
        )  # fmt: skip
        return {
            "label": self.label,
            **{name: getattr(last, name) for name in names},
            "form": self.form,
            "scale": self.scale,
            "state": self.state,
            "reading": last.verdict.to_json(),
            "records": [record.to_json() for record in self.records],
            "left_out": list(self.left_out),
        }


def _rows(record: LayerTightness) -> list[dict[str, Any]]:
    """Return one row per ε."""
    slack = record.reachable_over_envelope
    common = {
        "loss": record.loss.value,
        "norm": record.norm,
        "reachable_lower": record.reachable.lower,
        "reachable_upper": record.reachable.upper,
        "envelope": None if record.envelope is None else record.envelope.value,
        "loss_over_reachable": record.loss_over_reachable.value,
        "reachable_over_envelope": None if slack is None else slack.value,
    }
    rows = []
    for at in record.by_eps:
        ratio = record.loss_over_floor(at)
        own = {
            "floor": None if at.floor is None else at.floor.lower,
            "rank_lower": at.rank_lower,
            "rank_upper": at.rank_upper,
            "budget": at.budget,
            "loss_over_floor": None if ratio is None else ratio.value,
        }
        rows.append({"step": record.step, "eps": at.eps, **nulled(common | own)})
    return rows
