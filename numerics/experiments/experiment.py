"""An experiment: which trials it plans, and what it makes of their outcomes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from epsrank.numerics.experiments.analysis import Analysis
from epsrank.numerics.experiments.rules import Size, shared_rules
from epsrank.numerics.sweeps.trial import Outcome, Trial


@dataclass(frozen=True)
class Request:
    """What the user asks of an experiment."""

    #: ``quick`` takes a minute or so and shows that all runs; ``standard`` is what a verdict is to
    #: rest on; ``full`` has the settings of the source.
    size: Size = "quick"
    #: Seeds per setting; None leaves the number to the experiment.
    seeds: int | None = None
    #: The seeds are first_seed, first_seed + 1, …; None takes exploratory seeds for the quick size,
    #: and the present block of confirmatory seeds for the others.
    first_seed: int | None = None
    #: Where networks are trained.
    device: str = "cpu"
    #: Which of ``"mnist"`` and ``"cifar10"`` the user has; experiments on others leave their trials
    #: out and say so. Where the files are stands in EPSRANK_DATA and EPSRANK_CIFAR10, and never in
    #: the settings of a trial, so that its hash is the same on every machine.
    datasets: tuple[str, ...] = ()

    @property
    def first(self) -> int:
        """The first seed."""
        return self.first_of(None)

    def first_of(self, block: int | None) -> int:
        """Return the first seed for an experiment whose rules name a block of its own."""
        if self.first_seed is not None:
            return self.first_seed
        rules = shared_rules("seeds")
        if self.size == "quick":
            return int(rules["exploratory_from"])
        # Block b begins b − 1 lengths further on: no seed of an earlier block comes again.
        past = (block or rules["block"]) - 1
        return int(rules["confirmatory_from"] + rules["block_length"] * past)

    def seed_range(self, usual: int, block: int | None = None) -> range:
        """Return the seeds, of a block of the experiment's own where it has one."""
        count, first = usual if self.seeds is None else self.seeds, self.first_of(block)
        return range(first, first + count)


@dataclass(frozen=True)
class MainPicture:
    """The figure that shows the answer at a glance, as the first screen of the page has it."""

    #: Name of the figure, or how it begins; where there is none of it, the first figure is shown.
    picture: str = ""
    #: How to read it, in a sentence or two.
    seen: str = ""
    #: Claim whose answer its caption repeats.
    claim: str | None = None
    #: Rows of panels that are shown; None for all.
    rows: int | None = None


@dataclass(frozen=True)
class Experiment:
    """One entry of the list of experiments."""

    #: Such as ``"A2"``.
    id: str
    #: What is done, in words.
    title: str
    #: Where its settings come from.
    source: str
    #: Claims of the ledger on which it gives findings.
    claims: tuple[str, ...]
    #: From the request to trials; the same request gives the same trials.
    plan: Callable[[Request], Sequence[Trial]]
    #: From outcomes, in the order of the plan, to findings, tables and figures. A pure function: it
    #: is applied again to recorded outcomes. Failed trials are among them.
    analyse: Callable[[Sequence[Outcome]], Analysis]
    #: Whether its trainings of one shape are computed together (`epsrank.numerics.ensemble`),
    #: several times faster where measurements are rare.
    batched: bool = False
    #: What is asked, in one sentence with a question mark; the page begins with it. Those of our
    #: own experiments stand in questions.toml, where words can change and no record goes stale.
    question: str = ""
    #: What its page shows first.
    main: MainPicture = MainPicture()
