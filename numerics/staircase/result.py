"""What was found in a series: plateaus, steps, and how likely chance makes them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from epsrank.theory.shown import Shown


@dataclass(frozen=True)
class Step:
    """A drop between two plateaus."""

    #: First measurement beyond the middle of the drop.
    index: int
    #: Last measurement of the plateau before, first one of the plateau after.
    start: int
    end: int
    #: How far the series falls (rises, where steps go up), on its scale: nats under ``"log"``.
    size: float


@dataclass(frozen=True)
class Plateau:
    """A stretch between drops."""

    #: Its first and last measurement.
    start: int
    end: int
    #: Mean (geometric, under ``"log"``) of the series there, in the units of the series.
    level: float


@dataclass(frozen=True)
class Staircase(Shown):
    """Steps of a series, tested against smooth descent with autocorrelated noise.

    Attributes
    ----------
    is_staircase : bool
        Whether there are two steps or more. One smooth sigmoid is one step, and no staircase.
    found : tuple of Step
        The steps, in the order of time; there may be one without a staircase.
    plateaus : tuple of Plateau
        The plateaus between them.
    steps_pvalue : float
        Probability that noise on a descent of at most one step looks as much like two or more;
        1 where there are not two. At most 0.05 in a staircase.
    step_pvalue : float
        Probability that noise on a descent without a step looks as much like one or more.
    transient : int
        Measurements at the start that were left out as a first fall: it has no plateau before it.
    outliers : int
        Entries that were left out as spikes of either sign.
    coupling_pvalue : float or None
        Probability that growth of the rank meets the falls of the series as well as it does when
        one is shifted against the other; None where it is not known, see `coupling_reason`.
    coupling_lift : float or None
        Fall at growth of the rank over what shifted series have; 1 where they have nothing to do
        with each other.
    noise, correlation : float
        Standard deviation of the noise on the scale, and its ρ.
    scale : {"log", "linear"}
        The scale.
    direction : {"down", "up"}
        Where steps go.
    length, used : int
        Entries given, and those that could be used.
    reason : str
        One sentence: why this was decided.
    coupling_reason : str
        One sentence on the coupling.
    """

    is_staircase: bool
    found: tuple[Step, ...]
    plateaus: tuple[Plateau, ...]
    steps_pvalue: float
    step_pvalue: float
    transient: int
    outliers: int
    coupling_pvalue: float | None
    coupling_lift: float | None
    noise: float
    correlation: float
    scale: str
    direction: str
    length: int
    used: int
    reason: str
    coupling_reason: str

    @property
    def steps(self) -> tuple[int, ...]:
        """Indices of the steps: the first measurement beyond the middle of each drop."""
        return tuple(step.index for step in self.found)

    def __str__(self) -> str:
        head, p = "no staircase", self.step_pvalue
        if self.is_staircase:
            head, p = "staircase", self.steps_pvalue
        elif self.found:
            head = "one step"
        text = f"{head}, p = {p:.2g}: {self.reason}"
        if self.coupling_pvalue is not None:
            text += f"; coupling p = {self.coupling_pvalue:.2g}, lift {self.coupling_lift:.2f}"
        return text

    def to_json(self) -> dict[str, Any]:
        """Return the staircase as plain values.

        Returns
        -------
        dict
            One entry per attribute, and ``steps``, the indices.
        """
        return asdict(self) | {"steps": list(self.steps)}
