"""An experiment: which trials it plans, and what it makes of their outcomes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from epsrank.numerics.experiments.analysis import Analysis
from epsrank.numerics.sweeps.trial import Outcome, Trial

Size = Literal["quick", "full"]


@dataclass(frozen=True)
class Request:
    """What the user asks of an experiment.

    Attributes
    ----------
    size : {"quick", "full"}
        ``quick`` takes a minute or so of a core and still has at least five seeds; ``full`` has
        the settings of the source.
    seeds : int or None
        Seeds per setting; None leaves the number to the experiment.
    first_seed : int
        The seeds are first_seed, first_seed + 1, …
    device : {"cpu", "cuda"}
        Where networks are trained.
    datasets : tuple of str
        Which of ``"mnist"`` and ``"cifar10"`` the user has; experiments on others leave their
        trials out and say so. Where the files are stands in EPSRANK_DATA and EPSRANK_CIFAR10, and
        never in the settings of a trial, so that its hash is the same on every machine.
    """

    size: Size = "quick"
    seeds: int | None = None
    first_seed: int = 0
    device: str = "cpu"
    datasets: tuple[str, ...] = ()

    def seed_range(self, usual: int) -> range:
        """Return the seeds.

        Parameters
        ----------
        usual : int
            How many there are where the user does not say.

        Returns
        -------
        range
            The seeds.
        """
        count = usual if self.seeds is None else self.seeds
        return range(self.first_seed, self.first_seed + count)


@dataclass(frozen=True)
class Experiment:
    """One entry of the list of experiments.

    Attributes
    ----------
    id : str
        Such as ``"A2"``.
    title : str
        What is done, in words.
    source : str
        Where its settings come from.
    claims : tuple of str
        Claims of the ledger on which it gives findings.
    plan : callable
        From the request to trials; the same request gives the same trials.
    analyse : callable
        From outcomes, in the order of the plan, to findings, tables and figures. A pure function:
        it is applied again to recorded outcomes. Failed trials are among them.
    batched : bool
        Whether its trainings of one shape are computed together (`numerics.ensemble`), several
        times faster where measurements are rare.
    """

    id: str
    title: str
    source: str
    claims: tuple[str, ...]
    plan: Callable[[Request], Sequence[Trial]]
    analyse: Callable[[Sequence[Outcome]], Analysis]
    batched: bool = False
