"""The pruned network with its guarantee, on disk and back."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from epsrank.numerics.boundary import reason_of
from epsrank.numerics.files import read_json, write_json, write_text
from epsrank.numerics.manifest import Manifest, folder_kind, of_kind
from epsrank.numerics.networks import FeatureNetwork
from epsrank.numerics.pruning.shrink import shrink
from epsrank.numerics.tasks import Task
from epsrank.numerics.training.build import empty_network
from epsrank.numerics.training.config import RunConfig
from epsrank.numerics.training.folder import read_config
from epsrank.numerics.training.tensors import read_tensors, write_tensors
from epsrank.theory.errors import InputError
from epsrank.theory.selection.result import NeuronSelection
from epsrank.theory.shown import Shown
from epsrank.theory.words import plural

WEIGHTS, RECORD, CONFIG = "weights.safetensors", "pruned.json", "config.toml"


@dataclass(frozen=True, eq=False)
class PrunedNetwork(Shown):
    """u_p = φ_S·C + b with √loss_p ≤ √loss + `distance`, certified on the run's samples (N1)."""

    #: The smaller network.
    network: FeatureNetwork = field(repr=False)
    #: Neurons, coefficients and both constants.
    selection: NeuronSelection
    #: Settings of the run it came from.
    config: RunConfig = field(repr=False)
    #: Folder of that run.
    source: str
    #: Training step of the checkpoint.
    step: int
    #: Certified upper bound of ‖u_p − u‖ in the measure, for the coefficients as stored and for the
    #: features that the smaller network itself computes.
    distance: float
    #: What rounding can move a measured √loss by.
    rounding: float
    #: √2 · √mass · `distance`: cross-entropy is √2-Lipschitz in the outputs (L2).
    cross_entropy_increase: float
    #: Squared error of both networks on those samples, measured.
    loss: float
    pruned_loss: float
    #: Mean cross-entropy there, for classification.
    cross_entropy: float | None
    pruned_cross_entropy: float | None
    #: The run's loss on its test samples, where nothing is guaranteed.
    test_loss: float
    pruned_test_loss: float
    #: Numbers of weights before and after.
    parameters: tuple[int, int]
    #: Samples of the guarantee.
    n_samples: int
    #: The task, without which the architecture is not known.
    task: Task = field(repr=False)

    @property
    def loss_bound(self) -> float:
        """(√loss + distance)²: what the squared error cannot exceed."""
        return float((self.loss**0.5 + self.distance) ** 2)

    @property
    def holds(self) -> bool:
        """Whether the measured losses obey the guarantee, up to the rounding of measuring them."""
        # Twice: each of the two losses may be off by as much.
        squared = self.pruned_loss**0.5 <= self.loss**0.5 + self.distance + 2 * self.rounding
        if self.cross_entropy is None or self.pruned_cross_entropy is None:
            return bool(squared)
        slack = 2 * self.rounding + 1e-12 * (1 + self.cross_entropy)
        increase = self.cross_entropy_increase + slack
        return bool(squared and self.pruned_cross_entropy <= self.cross_entropy + increase)

    def __str__(self) -> str:
        chosen = self.selection
        return (
            f"{chosen.p} of {plural(chosen.n_features, 'neuron')}, {self.parameters[1]} of "
            f"{plural(self.parameters[0], 'weight')}: loss {self.loss:.4g} "
            f"becomes {self.pruned_loss:.4g}, "
            f"guaranteed at most {self.loss_bound:.4g} (‖u_p − u‖ ≤ {self.distance:.4g}, "
            f"{chosen.measure} measure, {plural(self.n_samples, 'sample')})"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the record that is kept beside the weights."""
        return {
            "source": self.source,
            "step": self.step,
            # The coefficients are the weights of the head, which lie in a file of their own.
            "selection": self.selection.to_json() | {"coefficients": None},
            "guarantee": {
                "measure": self.selection.measure,
                "n_samples": self.n_samples,
                "distance": self.distance,
                "rounding": self.rounding,
                "loss_at_most": self.loss_bound,
                "cross_entropy_increase_at_most": self.cross_entropy_increase,
                "statement": "sqrt(loss of the pruned network) <= sqrt(loss) + distance",
            },
            "measured": {
                "loss": self.loss,
                "pruned_loss": self.pruned_loss,
                "cross_entropy": self.cross_entropy,
                "pruned_cross_entropy": self.pruned_cross_entropy,
                "test_loss": self.test_loss,
                "pruned_test_loss": self.pruned_test_loss,
            },
            "holds": self.holds,
            "parameters": {"before": self.parameters[0], "after": self.parameters[1]},
            "inputs": {
                "n_inputs": self.task.n_inputs,
                "n_outputs": self.task.n_outputs,
                "image_shape": self.task.image_shape,
            },
        }

    def save(self, out: str | Path) -> Path:
        """Write ``weights.safetensors``, ``pruned.json`` and the ``config.toml`` of the run."""
        folder = Path(out).expanduser()
        folder.mkdir(parents=True, exist_ok=True)
        seals = Manifest(folder, "pruned")
        write_tensors(folder / WEIGHTS, self.network.state_dict(), manifest=seals)
        # Through text and back: JSON has no NaN or infinity.
        record = json.loads(json.dumps(self.to_json()), parse_constant=str)
        write_json(folder / RECORD, record, manifest=seals)
        write_text(folder / CONFIG, self.config.to_toml(), manifest=seals)
        return folder


def load_pruned(path: str | Path) -> FeatureNetwork:
    """Return a pruned network from its folder.

    Parameters
    ----------
    path : path
        Folder that `PrunedNetwork.save` or ``epsrank prune`` wrote.

    Returns
    -------
    FeatureNetwork
        The network on the CPU; nothing is unpickled and no data are loaded.

    Raises
    ------
    InputError
        If a file is missing, damaged, or belongs to another network.
    """
    folder = Path(path).expanduser()
    kind = folder_kind(folder)
    if kind != "pruned":
        what = "which holds no pruned network" if kind is None else of_kind(kind)
        raise InputError("path", f"is {folder}, {what}", "pass a folder that `prune` wrote")
    config = read_config(folder)
    record, tensors = (
        read_json(folder / RECORD, folder),
        read_tensors(folder / WEIGHTS, folder),
    )
    try:
        model = empty_network(config, _task_of_shape(record["inputs"]))
        small = shrink(model, [int(j) for j in record["selection"]["neurons"]])
        small.load_state_dict(tensors)
    except (KeyError, TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise InputError(
            "path", f"is {folder}, no pruned network ({reason_of(error)})", "prune again"
        ) from None
    for parameter in small.parameters():
        if not bool(torch.isfinite(parameter).all()):
            raise InputError(
                "path", f"is {folder}, with weights that are not finite", "prune again"
            )
    return small


def _task_of_shape(inputs: dict[str, Any]) -> Task:
    """Return a task without samples, from which an architecture takes its sizes."""
    shape = inputs["image_shape"]
    x = torch.empty(0, int(inputs["n_inputs"]))
    y = torch.empty(0, int(inputs["n_outputs"]))
    channels = None if shape is None else (int(shape[0]), int(shape[1]), int(shape[2]))
    description = "the sizes of a pruned network"
    return Task("pruned", "regression", x, y, x, y, description, image_shape=channels)
