"""When to measure: at every k-th step, or as often as a share of the training time pays for.

The budget is an account. A measurement of cost c is paid for afterwards: the next one is not due
before training itself has run for c/share seconds. So between the beginnings of any two
measurements the cost is at most share × the training time between them, whatever the costs are and
however they vary; over any window the share is exceeded by one measurement at most. The estimates
kept beside it only inform.

A part of a measurement whose price is known before, and which may cost many times the rest, is paid
for in advance instead: it waits until the training has earned it (`OverheadBudget.affords`), and
half of the share is saved for it meanwhile.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from statistics import median
from typing import Protocol, runtime_checkable

from epsrank.theory.data.inputs import as_whole
from epsrank.theory.errors import InputError

# Costs and step times kept for the running medians, which one slow step or one slow measurement
# does not move.
_KEPT = 25

# Seconds of training whose share may be spent in advance: what a first measurement lives on.
_CREDIT = 8.0

Clock = Callable[[], float]


@runtime_checkable
class Schedule(Protocol):
    """Decides at every step whether a measurement is due, and learns what measurements cost."""

    def step(self) -> bool:
        """Count one training step and return whether to measure after it."""
        ...

    def spent(self, seconds: float) -> None:
        """Take note of time that went into measuring since the last call."""
        ...

    @property
    def overhead(self) -> float:
        """Time spent on measuring as a share of the training time so far."""
        ...


class _Account:
    """Training time, measuring time, and what recent steps and measurements took."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._start = clock()
        self._steps = 0
        self._measuring = 0.0
        self._beside = 0.0
        self._costs: deque[float] = deque(maxlen=_KEPT)
        # Means over the steps between two measurements; the median of them is what is used.
        self._step_times: deque[float] = deque(maxlen=_KEPT)
        self._since = self._start
        self._steps_then = 0

    def spent(self, seconds: float) -> None:
        """Book measuring time that ends now."""
        now, cost = self._clock(), max(0.0, float(seconds))
        steps = self._steps - self._steps_then
        if steps:
            self._step_times.append(max(0.0, now - cost - self._since) / steps)
        self._since, self._steps_then = now, self._steps
        self._measuring += cost
        self._costs.append(cost)

    def beside(self, seconds: float) -> None:
        """Book measuring time of another thread, during which training went on."""
        self._beside += max(0.0, float(seconds))

    @property
    def training(self) -> float:
        """Seconds since the start that did not go into measuring."""
        return max(0.0, self._clock() - self._start - self._measuring)

    @property
    def overhead(self) -> float:
        """Measuring time over training time; 0 before either."""
        training = self.training
        return (self._measuring + self._beside) / training if training > 0 else 0.0

    @property
    def step_time(self) -> float | None:
        """Seconds of a recent training step; None before the first measurement."""
        return median(self._step_times) if self._step_times else None

    @property
    def cost(self) -> float | None:
        """Seconds of a recent measurement; None before the first."""
        return median(self._costs) if self._costs else None


class EveryStep(_Account):
    """Measures after steps k, 2k, 3k, …; deterministic."""

    def __init__(
        self, every: int, *, clock: Clock = time.perf_counter, first_step: int = 0
    ) -> None:
        super().__init__(clock)
        self.every = as_whole(every, "every", remedy="pass 'auto' or a whole number ≥ 1")
        self._steps = self._steps_then = as_steps(first_step)

    def step(self) -> bool:
        """Count one step."""
        self._steps += 1
        return self._steps % self.every == 0


class OverheadBudget(_Account):
    """Measures as often as `share` of the training time pays for; after the first step at once.

    Parameters
    ----------
    share : float
        In (0, 1]: seconds of measuring per second of training.
    clock : callable
        Seconds, monotone.

    Raises
    ------
    InputError
        If the share is not in (0, 1].
    """

    def __init__(self, share: float, *, clock: Clock = time.perf_counter) -> None:
        if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 < share <= 1:
            raise InputError("overhead", f"is {share!r}", "pass a share in (0, 1], such as 0.01")
        super().__init__(clock)
        self.share = float(share)
        # When training alone will have paid for all measurements so far.
        self._due = self._start
        #: Whether something waits until it is earned: then measurements come half as often.
        self.saving = False

    def step(self) -> bool:
        """Count one step; a comparison of two numbers at most steps.

        Returns
        -------
        bool
            Whether the measurements so far are paid for.
        """
        self._steps += 1
        return self._clock() >= self._due

    def spent(self, seconds: float) -> None:
        """Book measuring time that ends now, as debt.

        Parameters
        ----------
        seconds : float
            Its duration.
        """
        super().spent(seconds)
        now, cost = self._clock(), max(0.0, float(seconds))
        # No training was done while measuring, so what was owed before is owed still.
        owed = max(0.0, self._due - (now - cost))
        self._due = now + owed + self._price(cost)

    def beside(self, seconds: float) -> None:
        """Book measuring time of another thread, as debt: it takes a core from somebody.

        Parameters
        ----------
        seconds : float
            Its duration.
        """
        super().beside(seconds)
        self._due = max(self._due, self._clock()) + self._price(max(0.0, float(seconds)))

    def _price(self, cost: float) -> float:
        """Return the seconds of training that pay for a cost."""
        return (2 if self.saving else 1) * cost / self.share

    def affords(self, seconds: float) -> bool:
        """Return whether the training so far has earned something of a known price.

        Parameters
        ----------
        seconds : float
            The price.

        Returns
        -------
        bool
            Whether that and all that was spent stay within the share, or it is a trifle.
        """
        return seconds <= max(self.share * _CREDIT, self.earned)

    @property
    def earned(self) -> float:
        """Seconds of measuring that training has paid for and that were not spent."""
        return self.share * self.training - self._measuring - self._beside

    @property
    def debt(self) -> float:
        """Seconds of measuring that are not paid for."""
        return max(0.0, self._due - self._clock()) * self.share

    @property
    def steps_to_pay(self) -> float:
        """Training steps that the debt is expected to take."""
        return self.debt / (self.share * self.step_time) if self.step_time else 0.0

    @property
    def interval(self) -> float | None:
        """Training steps that one more measurement takes to pay for; None before it is known."""
        if self.cost is None or not self.step_time:
            return None
        return max(1.0, self.cost / (self.share * self.step_time))


def as_steps(first_step: object) -> int:
    """Return a number of steps made before."""
    return as_whole(first_step, "first_step", least=0)


def as_schedule(
    every: object,
    overhead: object,
    clock: Clock = time.perf_counter,
    *,
    first_step: int = 0,
) -> Schedule:
    """Return the schedule that the arguments of `RankMonitor` name."""
    before = as_steps(first_step)
    if isinstance(every, Schedule):
        return every
    if every == "auto":
        return OverheadBudget(overhead, clock=clock)  # type: ignore[arg-type]
    return EveryStep(every, clock=clock, first_step=before)  # type: ignore[arg-type]
