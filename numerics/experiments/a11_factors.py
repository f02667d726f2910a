"""The factors of A11: what is varied around the setting of A1, one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from epsrank.numerics.experiments.experiment import Size

#: What the claim on robustness is about; the other factors are mapped beside it.
CLAIMED = ("base", "rate", "batch", "optimiser")


@dataclass(frozen=True)
class Level:
    """One level of one factor.

    Attributes
    ----------
    factor : str
        What is varied: ``"rate"``, ``"batch"``, ``"optimiser"``, ``"width"``, ``"depth"``,
        ``"activation"``, ``"scale"``; ``"base"`` where nothing is.
    name : str
        The level.
    settings : mapping
        Entries of `RunConfig` that it changes, in both arms.
    structured : mapping
        Entries that it changes in the arm with the structured first layer alone.
    share : float
        Share of the steps of the other levels that it takes.
    """

    factor: str
    name: str
    settings: Mapping[str, Any]
    structured: Mapping[str, Any] = field(default_factory=dict)
    share: float = 1.0

    @property
    def label(self) -> str:
        """Factor and level in words."""
        return self.name if self.factor == "base" else f"{self.factor} {self.name}"


_RATES = {"quick": (3e-4, 1e-2), "full": (1e-4, 3e-4, 3e-3, 1e-2, 3e-2)}
_BATCHES = {"quick": (20,), "full": (10, 50, 200)}
#: Optimiser, rate and share of the steps. The rates of plain descent are ours: beyond 2/λ_1 of the
#: Hessian, λ_1 near 2n, the output layer alone diverges. A step of L-BFGS searches along a line.
_OPTIMISERS = (
    ("sgd", 1e-2, 1.0),
    ("momentum", 1e-2, 1.0),
    ("adamw", 1e-3, 1.0),
    ("lbfgs", 1.0, 0.1),
)
_WIDTHS, _DEPTHS = (10, 25, 100, 200), (1, 3, 4, 6)
_ACTIVATIONS = ("relu", "elu", "cosine", "sine", "gelu")
#: Factors on the initial weights: deviation s/√fan-in of all weights by default, slopes times s.
_SCALES = (0.25, 0.5, 2.0, 4.0)


def levels(size: Size, width: int) -> Iterator[Level]:
    """Give the levels of all factors.

    Parameters
    ----------
    size : {"quick", "full"}
        Quick leaves out the factors that the claim is not about.
    width : int
        Width of the base setting.

    Yields
    ------
    Level
        The base first, then factor by factor.
    """
    yield Level("base", "Adam 1e-3, all samples", {})
    for rate in _RATES[size]:
        yield Level("rate", f"{rate:g}", {"learning_rate": rate})
    for batch in _BATCHES[size]:
        yield Level("batch", f"{batch}", {"batch_size": batch})
    for name, rate, share in _OPTIMISERS:
        settings = {"optimizer": name, "learning_rate": rate}
        yield Level("optimiser", name, settings, share=share)
    if size == "quick":
        return
    for other in _WIDTHS:
        yield Level("width", f"{other}", {"width": other})
    for depth in _DEPTHS:
        yield Level("depth", f"{depth}", {"depth": depth})
    for activation in _ACTIVATIONS:
        yield Level("activation", activation, {"activation": activation})
    for scale in _SCALES:
        yield Level(
            "scale",
            f"{scale:g}",
            {"init": "normal", "init_scale": scale / width**0.5},
            {"init": "structured", "init_scale": scale},
        )
