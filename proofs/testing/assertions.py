"""Assertions on ranks, floors and readings: a pass is proved, a failure tells its numbers.

What is compared are intervals. Where they overlap, nothing is known: that is neither a pass nor a
failure but `Undecided`, unless the caller says what else it is to be.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from hypothesis import reject

from epsrank.proofs.testing.outcomes import (
    Counterexample,
    Undecided,
    UndecidedWarning,
    current_tally,
)
from epsrank.theory.errors import InputError
from epsrank.theory.estimate import Estimate, as_number
from epsrank.theory.floor.chain import ChainLink, check_chain
from epsrank.theory.floor.loss_floor import loss_floor
from epsrank.theory.floor.reading import READINGS, Reading
from epsrank.theory.floor.result import LossFloor
from epsrank.theory.rank.bounds import RankBounds, rank_text
from epsrank.theory.rank.epsilon import epsilon_rank
from epsrank.theory.rank.interval import RankInterval
from epsrank.theory.words import plural

#: What an open question is: an error of its own kind, a warning, or a case that does not count.
WhenUndecided = Literal["raise", "warn", "reject"]

#: Which way numbers run.
Direction = Literal["non-increasing", "non-decreasing", "decreasing", "increasing"]

# Norms that agree to this share of the largest one count as equal where both ends are rounded.
_EQUAL = 1e-6


def assert_rank(
    features: Any,
    eps: float | None = None,
    expected: int | None = None,
    *,
    at_least: int | RankBounds | None = None,
    at_most: int | RankBounds | None = None,
    weights: Any = None,
    measure: Any = "mean",
    exact: bool = False,
    undecided: WhenUndecided = "raise",
) -> Any:
    """Assert that r_ε = expected, r_ε ≥ at_least or r_ε ≤ at_most, for certain.

    With l ≤ r_ε ≤ u certified, "≥ m" holds for l ≥ m, fails for u < m, and is undecided between.

    Parameters
    ----------
    features : array_like or tensor of shape (N, n), or an interval of a rank
        Φ; or what a function of this package found, such as a `RankInterval` or a
        `PopulationRank`, with nothing else but the bounds.
    eps : float
        ε > 0, in the measure.
    expected : int, optional
        The rank.
    at_least, at_most : int or an interval of a rank, optional
        Bounds; of an interval, such as the rank of another network, both ends count.
    weights : array_like, shape (N,), optional
        Sample weights w_i ≥ 0.
    measure : {"mean", "raw", "volume"} or Measure
        Normalisation.
    exact : bool
        Decide in integer arithmetic whatever the margin.
    undecided : {"raise", "warn", "reject"}
        What an open question is: `Undecided` (an AssertionError), an `UndecidedWarning`, or, inside
        a Hypothesis test, a case that does not count.

    Returns
    -------
    RankInterval
        What was found.

    Raises
    ------
    InputError
        If an argument cannot be used, or nothing is asked for.
    Counterexample
        If the assertion is false for certain.
    Undecided
        If the interval leaves it open.

    Examples
    --------
    >>> import numpy as np
    >>> int(assert_rank(np.eye(3), 0.1, 3))
    3
    """
    __tracebackhide__ = True
    _check_choice(undecided)
    if isinstance(features, RankBounds):
        if eps is not None:
            raise InputError("eps", f"is {eps!r} beside a rank", "pass features, or leave eps out")
        found: Any = features
    elif eps is None:
        raise InputError("eps", "is missing", "pass the threshold ε with the features")
    else:
        found = epsilon_rank(features, eps, weights=weights, measure=measure, exact=exact)
    low, high = (expected, expected) if expected is not None else (at_least, at_most)
    if expected is not None and (at_least is not None or at_most is not None):
        raise InputError("expected", "is given with at_least or at_most", "pass one or the other")
    if low is None and high is None:
        raise InputError("expected", "is missing", "pass expected, at_least or at_most")
    where = _of_rank(found)
    if low is not None:
        least = _as_bounds(low, "at_least")
        words = f"ε-rank ≥ {_text(*least)}"
        _decide(words, found.lower >= least[1], found.upper < least[0], where, undecided)
    if high is not None:
        most = _as_bounds(high, "at_most")
        words = f"ε-rank ≤ {_text(*most)}"
        _decide(words, found.upper <= most[0], found.lower > most[1], where, undecided)
    return found


def assert_chain(
    features: Any,
    target: Any = None,
    *,
    eps: float | None = None,
    coefficients: Any = None,
    norm: float | None = None,
    loss: float | None = None,
    weights: Any = None,
    measure: Any = "mean",
    bias: Any = None,
    bias_value: Any = None,
    undecided: WhenUndecided = "raise",
) -> LossFloor:
    """Assert that loss ≥ V(B) ≥ envelope ≥ floor (F2, F3) for the numbers of a network.

    The chain is a theorem: where it is broken, the features, the target, the measure or the loss do
    not belong together, as when features come from another mode, step or batch than the loss.

    Parameters
    ----------
    features : array_like or tensor of shape (N, n), or LossFloor
        Φ; or what `loss_floor` has found, with no other argument but `loss`.
    target : array_like or tensor, shape (N,) or (N, k)
        u*.
    eps : float
        ε > 0.
    coefficients : array_like or tensor, shape (n,) or (n, k), optional
        The head W, which gives loss and norm.
    norm : float, optional
        B = ‖W‖_F instead.
    loss : float, optional
        The loss as somebody else computed it, ‖u − u*‖² in the measure: it must not be below V(B),
        and with `coefficients` it must be theirs, to a millionth of ‖u*‖.
    weights, measure, bias, bias_value
        As for `loss_floor`.
    undecided : {"raise", "warn", "reject"}
        What an open question is, as for `assert_rank`.

    Returns
    -------
    LossFloor
        What was found.

    Raises
    ------
    InputError
        If an argument cannot be used.
    Counterexample
        If an inequality fails by more than its rounding bound.
    Undecided
        If rounding bounds are too wide to tell.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 50)
    >>> features = np.tanh(np.outer(x, np.arange(1, 5)))
    >>> found = assert_chain(features, np.sin(3 * x), eps=1e-6, coefficients=np.ones(4))
    >>> found.n_features
    4
    """
    __tracebackhide__ = True
    _check_choice(undecided)
    if isinstance(features, LossFloor):
        found = features
    elif target is None or eps is None:
        missing = "target" if target is None else "eps"
        raise InputError(missing, "is missing", "pass features, target and eps, or a LossFloor")
    else:
        found = loss_floor(
            features, target, eps=eps, norm=norm, coefficients=coefficients, weights=weights,
            measure=measure, bias=bias, bias_value=bias_value,
        )  # fmt: skip
    scale = max(float(found.distances[0]), 0.0)
    where = (
        f"loss {_number(found.loss)}, V(B) {found.reachable:.6g}, envelope {found.envelope:.6g}, "
        f"floor {found.floor:.6g}; B = {found.coefficient_norm:.6g}, ε = {found.eps:g}, "
        f"ε-rank {found.rank.ends} of {found.n_features}, {found.measure} measure, {found.dtype}, "
        f"route {found.route}, {plural(found.n_samples, 'sample')}"
    )
    for link in check_chain(found).links:
        _decide_link(link, scale, where, undecided)
    if loss is not None:
        _assert_loss(found, as_number("loss", loss), scale, where, undecided)
    return found


def _assert_loss(
    found: LossFloor, loss: float, scale: float, where: str, undecided: WhenUndecided
) -> None:
    """Assert that a reported loss is above V(B), and that of the head where there is one."""
    __tracebackhide__ = True
    if math.isnan(loss) or loss < 0:
        raise InputError("loss", f"is {loss!r}", "pass ‖u − u*‖² in the measure, 0 or more")
    root = math.sqrt(loss)
    where = f"reported loss {loss:.6g}; {where}"
    # What others compute is rounded too, by how much is theirs to know.
    slack = found.tolerance + _EQUAL * max(scale, root)
    if found.reachable_norm > root:
        state: Any = "rounding" if found.reachable_norm - root <= slack else "violated"
    else:
        state = "strict"
    link = ChainLink("V(B) ≤ reported loss", found.reachable_norm, root, slack, state)
    _decide_link(link, scale, where, undecided, equal=2 * _EQUAL)
    if found.loss_norm is not None:
        off = abs(found.loss_norm - root)
        words = "reported loss = ‖φ·W − u*‖²"
        known = slack <= 2 * _EQUAL * max(scale, root)
        _decide(words, known and off <= slack, off > slack, where, undecided)


def assert_monotone(
    values: Iterable[Any],
    direction: Direction = "non-increasing",
    *,
    along: Sequence[Any] | None = None,
    what: str = "value",
    undecided: WhenUndecided = "raise",
) -> None:
    """Assert that numbers, or intervals of them, run one way.

    v_i ≥ v_{i+1} holds for certain if the lower end of v_i is at least the upper end of v_{i+1},
    and fails if its upper end is below the lower end of v_{i+1}.

    Parameters
    ----------
    values : iterable
        Numbers, taken as exact; pairs (lower, upper); ranks of this package; or `Estimate`.
    direction : {"non-increasing", "non-decreasing", "decreasing", "increasing"}
        Which way; the last two exclude equal neighbours.
    along : sequence, optional
        What belongs to each value, such as thresholds or steps, for the message.
    what : str
        What the values are, for the message.
    undecided : {"raise", "warn", "reject"}
        What an open question is, as for `assert_rank`.

    Raises
    ------
    InputError
        If a value is no number, or there are fewer than two.
    Counterexample
        If two neighbours run the other way for certain.
    Undecided
        If two neighbours overlap.

    Examples
    --------
    >>> assert_monotone([9, 7, 7, 2], along=[1e-8, 1e-6, 1e-4, 1e-2], what="ε-rank")
    """
    __tracebackhide__ = True
    _check_choice(undecided)
    if direction not in get_args(Direction):
        remedy = f"choose {', '.join(get_args(Direction))}"
        raise InputError("direction", f"is {direction!r}", remedy)
    given = list(values)
    found = [_ends(value, place) for place, value in enumerate(given)]
    if len(found) < 2:
        raise InputError("values", f"has {plural(len(found), 'entry')}", "pass two or more")
    places = [f"place {k}" for k in range(len(found))] if along is None else list(map(str, along))
    if len(places) != len(found):
        raise InputError(
            "along", f"has {plural(len(places), 'entry')}", f"pass {len(found)}, one per value"
        )
    down = direction in ("non-increasing", "decreasing")
    strict = direction in ("decreasing", "increasing")
    for k, (first, second) in enumerate(pairwise(found)):
        large, small = (first, second) if down else (second, first)
        holds = large.lower > small.upper if strict else large.lower >= small.upper
        fails = large.upper <= small.lower if strict else large.upper < small.lower
        where = (
            f"{what} {_text(*first)} at {places[k]}, then {_text(*second)} at {places[k + 1]}"
            f"{_details(given[k])}"
        )
        _decide(f"{direction}", holds, fails, where, undecided)


def assert_reading(
    found: Reading | LossFloor, *expected: str, undecided: WhenUndecided = "raise"
) -> Reading:
    """Assert what holds a plateau up (F6): one of the words expected, for certain.

    Parameters
    ----------
    found : Reading or LossFloor
        What `read_plateau` or `loss_floor` has found.
    *expected : {"feature-limited", "norm-limited", "optimiser-limited", "between"}
        The word, or words of which one is right. "undetermined" is no word that can be expected:
        it says that nothing is known, and is `Undecided`.
    undecided : {"raise", "warn", "reject"}
        What an open question is, as for `assert_rank`.

    Returns
    -------
    Reading
        The reading.

    Raises
    ------
    InputError
        If a word is no reading.
    Counterexample
        If it is another word for certain.
    Undecided
        If the reading is undetermined.

    Examples
    --------
    >>> import numpy as np
    >>> from epsrank import read_plateau
    >>> x = np.linspace(-1, 1, 200)
    >>> features = np.tanh(np.outer(x, np.arange(1, 6)))
    >>> head = {"coefficients": np.zeros(5), "bias_value": 0.0}
    >>> assert_reading(read_plateau(features, np.sin(3 * x), **head), "norm-limited").norm
    0.0
    """
    __tracebackhide__ = True
    _check_choice(undecided)
    if not isinstance(found, Reading | LossFloor):
        remedy = "pass what read_plateau or loss_floor returns"
        raise InputError("found", f"is a {type(found).__name__}", remedy)
    words = [word for word in READINGS if word != "undetermined"]
    wrong = [word for word in expected if word not in words]
    if wrong or not expected:
        problem = f"has {wrong[0]!r}" if wrong else "is missing"
        raise InputError("expected", problem, f"choose from {', '.join(words)}")
    reading = found.verdict if isinstance(found, LossFloor) else found
    where = f"it is {reading}; loss {_number(reading.loss)}, B {_number(reading.norm)}"
    if isinstance(found, LossFloor):
        where += f", ε = {found.eps:g}, {found.measure} measure, {found.dtype}, route {found.route}"
    unknown = reading.name == "undetermined"
    _decide(
        f"the reading is {' or '.join(expected)}",
        reading.name in expected,
        not unknown and reading.name not in expected,
        where,
        undecided,
    )
    return reading


class _Ends(NamedTuple):
    """An interval."""

    lower: float
    upper: float


def _ends(value: Any, place: int) -> _Ends:
    """Return the ends of a number, a pair, a rank or an estimate."""
    if isinstance(value, RankBounds):
        return _Ends(value.lower, value.upper)
    if isinstance(value, Estimate):
        low = -math.inf if value.low is None else value.low
        return _Ends(low, math.inf if value.high is None else value.high)
    name = f"values[{place}]"
    pair = value if isinstance(value, tuple | list) else (value, value)
    if len(pair) != 2:
        raise InputError(
            name, f"has {plural(len(pair), 'entry')}", "pass a number or (lower, upper)"
        )
    low, high = (as_number(name, end) for end in pair)
    if not low <= high:
        raise InputError(name, f"is ({low!r}, {high!r})", "pass numbers with lower ≤ upper")
    return _Ends(low, high)


def _as_bounds(bound: Any, name: str) -> tuple[int, int]:
    """Return both ends of a bound on a rank."""
    if isinstance(bound, RankBounds):
        return bound.lower, bound.upper
    whole = isinstance(bound, int | np.integer) and not isinstance(bound, bool)
    if not whole or bound < 0:
        remedy = "pass a whole number of directions, or an interval of a rank"
        raise InputError(name, f"is {bound!r}", remedy)
    return int(bound), int(bound)


def _text(lower: float, upper: float) -> str:
    """Write an interval, one number where both ends agree."""
    if isinstance(lower, int) and isinstance(upper, int):
        return rank_text(lower, upper)
    return f"{lower:.6g}" if lower == upper else f"[{lower:.6g}, {upper:.6g}]"


def _number(value: float | None) -> str:
    return "not given" if value is None else f"{value:.6g}"


def _of_rank(found: Any) -> str:
    """Say what is known of a rank: interval, ε, measure, dtype, route, and why."""
    if not isinstance(found, RankInterval):
        return str(found)
    # The reason names the eigenvalues on both sides of ε.
    return f"{found}, {plural(found.n_samples, 'sample')}; {found.reason}"


def _details(value: Any) -> str:
    return f" ({value})" if isinstance(value, RankInterval) else ""


def _decide_link(
    link: ChainLink, scale: float, where: str, undecided: WhenUndecided, *, equal: float = _EQUAL
) -> None:
    """Judge one inequality of the chain: violated, known to rounding, or not known."""
    __tracebackhide__ = True
    norms = f"norms {link.smaller:.9g} and {link.larger:.9g}, rounding bound {link.tolerance:.2g}"
    # Equal to a millionth is what the end of a training looks like; a wider bound says nothing.
    known = link.margin > link.tolerance or link.tolerance <= equal * max(scale, link.larger)
    violated = link.state == "violated"
    _decide(link.name, known and not violated, violated, f"{norms}; {where}", undecided)


def _decide(words: str, holds: bool, fails: bool, where: str, undecided: WhenUndecided) -> None:
    """Pass, fail, or say that it is open."""
    __tracebackhide__ = True
    tally = current_tally()
    if fails:
        raise Counterexample(f"{words} is false: {where}")
    if holds:
        if tally is not None:
            tally.count(True)
        return
    question = f"{words} is undecided: {where}"
    if undecided == "reject":
        reject()
    if undecided == "warn":
        if tally is not None:
            tally.leave_open(question)
        warnings.warn(question, UndecidedWarning, stacklevel=3)
        return
    raise Undecided(question)


def _check_choice(undecided: object) -> None:
    if undecided not in get_args(WhenUndecided):
        raise InputError("undecided", f"is {undecided!r}", "choose 'raise', 'warn' or 'reject'")
