"""Who may watch a training step: nobody, RankMonitor, ndtracker, or what one writes by hand."""

from __future__ import annotations

import importlib
import logging
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from epsrank.numerics.monitor import RankMonitor
from epsrank.numerics.monitor.model.capture import Capture
from epsrank.numerics.monitor.model.find import find_layers
from epsrank.numerics.monitor.model.plan import LayerPlan
from epsrank.theory.errors import InputError


class Watcher:
    """Nobody: a training step alone.

    `measures` says what a measurement gives.
    """

    measures = "nothing"
    #: Where.
    layers: tuple[str, ...] = ()

    def before(self) -> None:
        """Do what there is to do before a step."""

    def after(self, loss: Tensor) -> None:
        """Do what there is to do after a step."""

    @property
    def counts(self) -> dict[str, int]:
        """How often each layer was measured without failure."""
        return {}

    def close(self) -> None:
        """Let go of the model."""


class Monitored(Watcher):
    """`RankMonitor`."""

    def __init__(self, model: nn.Module, **settings: Any) -> None:
        self.monitor = RankMonitor(model, warn=False, **settings)
        self.layers = self.monitor.layers
        self.measures = "certified ε-rank; loss"
        if settings.get("quantities") != "ranks":
            self.measures += (
                "; spectrum with its error, trace, stable rank, participation ratio, RankMe "
                "and two other entropy ranks, condition number, dormant and dead neurons"
            )

    def after(self, loss: Tensor) -> None:
        """Count a step."""
        self.monitor.step(loss)

    @property
    def counts(self) -> dict[str, int]:
        """How often each layer was measured without failure."""
        good = Counter(record.layer for record in self.monitor.history if record.failure is None)
        return {name: good[name] for name in self.layers}

    def close(self) -> None:
        """Let go of the model."""
        self.monitor.close()


class NDTracked(Watcher):
    """The ``ndtracker`` package."""

    measures = "stable rank, participation ratio, cumulative energy, nuclear norm ratio; loss"

    def __init__(
        self, model: nn.Module, every: int, modules: list[nn.Module] | None = None
    ) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the packages that it imports
            ndt: Any = importlib.import_module("ndt")

        # It warns at every measurement of a layer that no forward pass calls.
        logging.getLogger("ndt").addHandler(logging.NullHandler())
        self._tracker = ndt.HighFrequencyTracker(model, layers=modules, sampling_frequency=every)
        self.layers = tuple(self._tracker.layer_names)
        self._steps = 0

    def after(self, loss: Tensor) -> None:
        """Log a step."""
        self._steps += 1
        self._tracker.log(self._steps, loss.item())

    @property
    def counts(self) -> dict[str, int]:
        """How often each layer was measured; failures are logged by it, and leave no row."""
        return {name: len(rows) for name, rows in self._tracker.metrics_history.items()}

    def close(self) -> None:
        """Let go of the model."""
        self._tracker.close()


class ByHand(Watcher):
    """A number of every layer's activations, from hooks that are there when they are needed."""

    def __init__(
        self, model: nn.Module, every: int, number: Callable[[Tensor], Any], measures: str
    ) -> None:
        self.measures = measures
        plan = find_layers(model)
        self.layers = plan.names
        self.found: dict[str, list[Any]] = {name: [] for name in plan.names}
        self._every = every
        self._number = number
        self._seen: dict[str, list[Tensor]] = {}
        self._capture = Capture(plan, self._consume)
        self._steps = 0

    def _consume(self, name: str, features: Tensor) -> None:
        self._seen.setdefault(name, []).append(features)

    def before(self) -> None:
        """Put the hooks in place where a measurement is due."""
        self._steps += 1
        if self._steps % self._every == 0:
            self._capture.start()

    def after(self, loss: Tensor) -> None:
        """Compute the numbers, if the step was watched."""
        # Hooks are there in watched steps alone: the others cost nothing.
        if not self._capture.active:
            return
        self._capture.stop()
        with torch.no_grad():
            for name, pieces in self._seen.items():
                rows = pieces[0] if len(pieces) == 1 else torch.cat(pieces)
                self.found[name].append(self._number(rows))
        self._seen.clear()

    @property
    def counts(self) -> dict[str, int]:
        """How often each layer was measured."""
        return {name: len(numbers) for name, numbers in self.found.items()}

    def close(self) -> None:
        """Let go of the model."""
        self._capture.stop()


def watchers_at(every: int) -> dict[str, Callable[[nn.Module], Watcher]]:
    """Return all that can watch every k-th step, by name; the first is nobody."""
    return {
        "no monitor": lambda model: Watcher(),
        "RankMonitor": lambda model: Monitored(model, every=every),
        "RankMonitor, counts only": lambda model: Monitored(model, every=every, quantities="ranks"),
        "ndtracker": lambda model: NDTracked(model, every),
        "ndtracker, the monitor's layers": lambda model: NDTracked(
            model, every, _modules(find_layers(model))
        ),
        "SVD of the activations": lambda model: ByHand(
            model, every, torch.linalg.svdvals, "singular values, unverified"
        ),
        "torch.linalg.matrix_rank": lambda model: ByHand(
            model, every, _matrix_rank, "number of singular values above the default tolerance"
        ),
    }


def _matrix_rank(features: Tensor) -> int:
    return int(torch.linalg.matrix_rank(features))


def _modules(plan: LayerPlan) -> list[nn.Module]:
    """Return the modules whose outputs are the planned layers."""
    for layer in plan.layers:
        if layer.at != "output":
            raise InputError(
                layer.name, "is no output of a module", "hook the outputs of modules alone"
            )
    return [layer.module for layer in plan.layers]
