"""What a reading costs: guessed before the first one, and estimated anew whenever it grows."""

from __future__ import annotations

#: How the cause of a reading begins that was not made because the budget does not allow it yet.
PUT_OFF = "no reading yet"

# An iterative reading: evaluations of loss and gradient, and what one takes. Measured on one core
# at shapes from 100 × 8 × 3 to 2048 × 256 × 100; a guess that serves until the first is made.
_EVALUATIONS = 800
_CALL = 5e-5
_RATE = 2e9

# A trained network needs more steps than a fresh one: what a price may grow by until the next.
_GROWTH = 2.0


class ReadingPrice:
    """The seconds that the next reading is expected to take."""

    def __init__(self) -> None:
        self._seconds: float | None = None
        self._work = 0.0

    def expected(self, samples: int, features: int, outputs: int) -> float:
        """Return the price at N samples, n features and k outputs."""
        work = _work(samples, features, outputs)
        if self._seconds is None:
            return _EVALUATIONS * (_CALL + work / _RATE)
        # Never less for fewer samples, whose overhead stays.
        return _GROWTH * self._seconds * max(1.0, work / self._work)

    def paid(self, seconds: float, samples: int, features: int, outputs: int) -> None:
        """Take note of what one has taken."""
        self._seconds, self._work = seconds, _work(samples, features, outputs)


def _work(samples: int, features: int, outputs: int) -> float:
    """Return operations of one evaluation: two products with N × n × k, and exponentials."""
    return max(1.0, samples * outputs * (4.0 * features + 40.0))


class PutOff(Exception):
    """A reading that has to wait."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"{PUT_OFF}: it takes some {seconds:.2g} s, which the overhead does not allow before "
            "the training is longer; monitor.measure() reads at once, overhead= allows more"
        )
