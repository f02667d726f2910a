"""A rank that a run must have: certified ends of a measurement against what is asked for.

A lower end above the number asked for decides for, an upper end below it against; all else is
undecided, and says why. Of quantities that are no counts the ends follow from |λ̃_k − λ_k| ≤ e:
with T = Σ λ̃ and S = Σ λ̃²,

    (T − ne)/(λ̃_1 + e) ≤ Σλ/λ_1,     (T − ne)²/(S + 2eT + ne²) ≤ (Σλ)²/Σλ²,

and with the signs the other way upper ends. Entropies of p and p̃ that differ by t in total
variation differ by at most t log(n − 1) + h(t), h the binary entropy (Audenaert, "A sharp
continuity estimate for the von Neumann entropy", 2007), where t ≤ ne/T for shares of λ, and
t ≤ n√e/√T for shares of σ, since |√a − √b| ≤ √|a − b| and Σσ ≥ √T.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from epsrank.numerics.monitor.numbers.quantities import Quantities
from epsrank.numerics.monitor.numbers.sketched import with_offset
from epsrank.numerics.monitor.records.record import LayerRecord
from epsrank.theory.data.inputs import as_whole
from epsrank.theory.errors import InputError
from epsrank.theory.rank.bounds import Decided, decided
from epsrank.theory.shown import Shown
from epsrank.theory.words import plural

#: What can be asked for.
GateDefinition = Literal[
    "epsilon", "stable_rank", "participation_ratio", "effective_rank", "rankme", "entropy_rank"
]

# Covers the rounding of sums, quotients and logarithms of up to 10⁵ terms.
_SLACK = 1e-10


@dataclass(frozen=True)
class RankVerdict(Shown):
    """Whether a layer has the rank that was asked for; true where that is certified.

    Parameters
    ----------
    state : {"met", "missed", "undecided", "not due"}
        ``"met"``: lower ≥ required. ``"missed"``: upper < required. ``"undecided"``: neither.
        ``"not due"``: the step asked about is still to come.
    required : float
        The least rank.
    layer, definition : str
        Of which layer, and of which quantity: ``"epsilon"`` is the ε-rank.
    eps : float or None
        ε; None for other quantities.
    lower, upper : float or None
        Certified ends for the samples measured; None where there are none.
    step, n_samples : int or None
        Of the measurement.
    reason : str
        One sentence.

    Examples
    --------
    >>> verdict = RankVerdict("met", 3, "1", "epsilon", 1e-6, 4, 4, 100, 50, "4 ≥ 3")
    >>> bool(verdict)
    True
    """

    state: Decided | Literal["not due"]
    required: float
    layer: str
    definition: str
    eps: float | None
    lower: float | None
    upper: float | None
    step: int | None
    n_samples: int | None
    reason: str

    def __bool__(self) -> bool:
        return self.state == "met"

    def __str__(self) -> str:
        what = "ε-rank" if self.eps is not None else self.definition
        at = "" if self.eps is None else f" at ε = {self.eps:g}"
        return f"{what} ≥ {self.required:g}{at} of {self.layer}: {self.state}; {self.reason}"


class RankRequirementError(RuntimeError):
    """A required rank is not there, or not known to be; see `RankTooLow` and `RankUndecided`.

    Parameters
    ----------
    verdict : RankVerdict
        What was found.
    """

    def __init__(self, verdict: RankVerdict) -> None:
        self.verdict = verdict
        super().__init__(str(verdict))

    def __reduce__(self) -> tuple[type[RankRequirementError], tuple[RankVerdict]]:
        return (type(self), (self.verdict,))


class RankTooLow(RankRequirementError):
    """The rank is certified to be below what was required.

    Parameters
    ----------
    verdict : RankVerdict
        What was found.
    """


class RankUndecided(RankRequirementError):
    """Nothing certifies the rank that was required, nor that it is missing.

    Parameters
    ----------
    verdict : RankVerdict
        What was found, with the reason.
    """


@dataclass(frozen=True)
class Requirement:
    """What is asked for, checked."""

    #: The least rank.
    rank: float
    #: Layer and quantity.
    layer: str
    definition: GateDefinition
    #: None for other quantities than the ε-rank.
    eps: float | None
    #: First step whose measurement decides; None for the latest.
    at_step: int | None

    @classmethod
    def of(
        cls,
        rank: Any,
        layer: Any,
        definition: Any,
        eps: Any,
        at_step: Any,
        *,
        layers: Sequence[str],
        last: str | None,
        measured: Sequence[float],
    ) -> Requirement:
        """Check the arguments of `RankMonitor.require`, and fill in what is left out."""
        number = isinstance(rank, (int, float)) and not isinstance(rank, bool)
        if not (number and math.isfinite(rank) and rank > 0):
            raise InputError("rank", f"is {rank!r}", "pass the least rank, a number > 0")
        layer = layer or last or (layers[0] if len(layers) == 1 else None)
        if layer not in layers:
            problem = "is missing" if layer is None else f"is {layer!r}"
            raise InputError("layer", problem, f"choose one of: {', '.join(layers)}")
        if definition not in get_args(GateDefinition):
            named = ", ".join(repr(choice) for choice in get_args(GateDefinition))
            raise InputError("definition", f"is {definition!r}", f"choose one of {named}")
        if definition != "epsilon" and eps is not None:
            problem = f"is {eps!r}, of which definition={definition!r} knows nothing"
            raise InputError("eps", problem, "leave one of them out")
        if definition == "epsilon":
            eps = measured[0] if eps is None else eps
            if eps not in measured:
                known = ", ".join(f"{value:g}" for value in measured)
                remedy = f"choose one of {known}, or make the monitor with eps={eps!r}"
                raise InputError("eps", f"is {eps!r}, which is not measured", remedy)
        if at_step is not None:
            at_step = as_whole(at_step, "at_step", least=0)
        return cls(rank, layer, definition, eps, at_step)

    def find(self, records: Sequence[LayerRecord]) -> LayerRecord | None:
        """Return the record that decides: the first due one, or the latest, of the whole probe."""
        found = None
        for record in records:
            due = record.step >= (self.at_step or 0)
            if record.layer == self.layer and due and record.probe_part in (None, 1):
                if self.at_step is not None:
                    return record
                found = record
        return found

    def without(self, state: Literal["undecided", "not due"], reason: str) -> RankVerdict:
        """Return the verdict where there is no measurement to judge."""
        return RankVerdict(
            state, self.rank, self.layer, self.definition, self.eps, None, None, None, None, reason
        )

    def judge(self, record: LayerRecord) -> RankVerdict:
        """Return the verdict on a measurement."""
        ends, why = self._ends(record)
        if ends is None:
            state: Decided = "undecided"
            reason = f"step {record.step}: {why}"
        else:
            state = decided(self.rank, *ends)
            shown = f"{ends[0]:.6g}" if ends[0] == ends[1] else f"[{ends[0]:.6g}, {ends[1]:.6g}]"
            reason = f"{shown} at step {record.step}, on {plural(record.n_samples, 'sample')}"
            if state == "undecided":
                reason += f" ({why})"
        lower, upper = (None, None) if ends is None else ends
        return RankVerdict(
            state, self.rank, self.layer, self.definition, self.eps, lower, upper,
            record.step, record.n_samples, reason,
        )  # fmt: skip

    def _ends(self, record: LayerRecord) -> tuple[tuple[float, float] | None, str]:
        """Return certified ends, and why they may not decide."""
        if not record.ranks:
            return None, record.failure or "nothing was measured"
        if self.definition == "epsilon":
            found = record.rank(self.eps)
            return (found.lower, found.upper), found.reason
        if record.quantities is None:
            return None, "no quantities were computed; make the monitor with quantities='all'"
        ends = certified_ends(record.quantities, self.definition, record.n_features)
        if ends is None:
            remedy = "make the monitor with quantities='all'"
            return None, f"a sketch of the spectrum does not enclose it; {remedy}"
        return ends, "the rank asked for lies within the rounding of the spectrum"


def certified_ends(
    quantities: Quantities, definition: GateDefinition, n: int
) -> tuple[float, float] | None:
    """Return certified ends of a quantity of n neurons; None where a sketch leaves it open."""
    if quantities.trace == 0:
        return 0.0, 0.0
    below = getattr(quantities, f"{definition}_lower", None)
    above = getattr(quantities, f"{definition}_upper", None)
    if below is not None and above is not None:
        return float(below), float(above)
    if quantities.sketched is not None or quantities.spectrum_error is None:
        return None
    value = getattr(quantities, definition)
    # A layer of n neurons has no rank above n, and one that is not zero none below 1.
    ends = _ENDS[definition](quantities, float(value), quantities.spectrum_error, n)
    return max(1.0, ends[0] * (1 - _SLACK)), min(float(n), ends[1] * (1 + _SLACK))


def _stable(q: Quantities, _: float, e: float, n: int) -> tuple[float, float]:
    return (q.trace - n * e) / (q.largest + e), _over(q.trace + n * e, q.largest - e)


def _participation(q: Quantities, value: float, e: float, n: int) -> tuple[float, float]:
    squares, off = q.trace**2 / value, 2 * e * q.trace + n * e**2
    low, high = max(0.0, q.trace - n * e), q.trace + n * e
    return low**2 / (squares + off), _over(high**2, squares - off)


def _entropy(value: float, distance: float, n: int) -> tuple[float, float]:
    """Return the ends of exp H for shares that may be off by a total variation."""
    t = min(distance, 1 - 1 / n)
    if t <= 0:
        return value, value
    binary = -t * math.log(t) - (1 - t) * math.log1p(-t)
    off = t * math.log(max(n - 1, 1)) + binary
    return value * math.exp(-off), value * math.exp(off)


def _of_values(q: Quantities, value: float, e: float, n: int) -> tuple[float, float]:
    return _entropy(value, n * e / q.trace, n)


def _of_roots(q: Quantities, value: float, e: float, n: int) -> tuple[float, float]:
    return _entropy(value, n * math.sqrt(e / q.trace), n)


def _of_rankme(q: Quantities, _: float, e: float, n: int) -> tuple[float, float]:
    assert q.effective_rank is not None
    return with_offset(_of_roots(q, q.effective_rank, e, n), n)


def _over(above: float, below: float) -> float:
    return above / below if below > 0 else math.inf


_ENDS: dict[str, Callable[[Quantities, float, float, int], tuple[float, float]]] = {
    "stable_rank": _stable,
    "participation_ratio": _participation,
    "effective_rank": _of_roots,
    "rankme": _of_rankme,
    "entropy_rank": _of_values,
}
