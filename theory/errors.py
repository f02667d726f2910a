"""The one error that bad input raises: it names the argument, the value and the remedy."""

from __future__ import annotations


class InputError(ValueError):
    """An argument that cannot be used, described in one line.

    Parameters
    ----------
    argument : str
        Name of the offending argument, as the caller knows it (``"features"``, ``"--eps"``).
    problem : str
        What is wrong, with the value: ``"has 3 NaN entries, first at row 2, column 0"``.
    remedy : str
        What to do about it: ``"drop those samples or fix the layer that made them"``.

    Notes
    -----
    The command line prints ``str(error)`` and exits with code 2; nothing else is needed to obey
    the contract for bad input.
    """

    def __init__(self, argument: str, problem: str, remedy: str) -> None:
        # A name of blanks, as a file may have.
        self.argument = argument if argument.strip() else repr(argument)
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{argument} {problem}; {remedy}")

    def __reduce__(self) -> tuple[type[InputError], tuple[str, str, str]]:
        """Rebuild from the three parts, so that worker processes can hand the error back."""
        return (InputError, (self.argument, self.problem, self.remedy))


def described(error: BaseException) -> str:
    """Return an exception as one line, with its type where that says more than the line."""
    line = (str(error).splitlines() or [""])[0]
    return line if isinstance(error, InputError) else f"{type(error).__name__}: {line}"
