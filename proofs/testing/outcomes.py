"""What a check can find: a counterexample, a question left open, or counts of what was decided."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import NoReturn

# Open questions that a search keeps in words; the others are counted.
_QUESTIONS = 5


class Counterexample(AssertionError):
    """The statement is false on this case; the message says by how much."""


class Undecided(AssertionError):
    """The arithmetic leaves open whether the statement holds: it did not fail, and did not pass."""


class UndecidedWarning(UserWarning):
    """What `Undecided` says, where ``undecided="warn"`` was asked for."""


def refute(message: str) -> NoReturn:
    """Report that the property is false on the case at hand.

    Parameters
    ----------
    message : str
        By how much.

    Raises
    ------
    Counterexample
        Always.
    """
    raise Counterexample(message)


@dataclass
class Tally:
    """How many cases ran, and how many comparisons in them the arithmetic decided.

    Attributes
    ----------
    examples : int
        Cases that ran to the end.
    decided, undecided : int
        Comparisons whose truth the intervals settled, and those they left open.
    questions : list of str
        The first few of the latter, in words.
    """

    examples: int = 0
    decided: int = 0
    undecided: int = 0
    questions: list[str] = field(default_factory=list)

    def count(self, decided: bool) -> None:
        """Count one comparison.

        Parameters
        ----------
        decided : bool
            Whether the intervals settled it.
        """
        if decided:
            self.decided += 1
        else:
            self.undecided += 1

    def leave_open(self, question: str) -> None:
        """Count one comparison that was left open.

        Parameters
        ----------
        question : str
            What is not known, with the numbers.
        """
        self.count(False)
        if len(self.questions) < _QUESTIONS:
            self.questions.append(question)


# The tally of the search that is under way, so that an assertion in its check is counted.
_TALLY: ContextVar[Tally | None] = ContextVar("tally", default=None)


@contextmanager
def counting(tally: Tally) -> Iterator[None]:
    """Count what assertions decide in a block."""
    token = _TALLY.set(tally)
    try:
        yield
    finally:
        _TALLY.reset(token)


def current_tally() -> Tally | None:
    """Return the tally of the search under way, None outside of one."""
    return _TALLY.get()
