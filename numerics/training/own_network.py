"""A network of the user's as one of the suite's: its layers found, its head checked."""

from __future__ import annotations

import copy
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor, nn

from epsrank.numerics.monitor.model.find import find_layers
from epsrank.numerics.monitor.model.plan import LayerPlan, MonitoredLayer
from epsrank.numerics.named import call_named, find, is_name, takes, user_code
from epsrank.numerics.networks import FeatureNetwork, activation_function, evaluating
from epsrank.numerics.tasks import Task
from epsrank.numerics.training.config import RunConfig
from epsrank.numerics.training.own_names import OwnNames
from epsrank.numerics.training.seeds import Stream, stream_seed
from epsrank.numerics.training.watching import watching
from epsrank.theory.errors import InputError
from epsrank.theory.words import plural

# Settings that a factory may name; others than the defaults need one that does.
_SIZES = ("width", "depth", "activation")
# Samples of the first pass.
_FEW = 3


class OwnNetwork(OwnNames, FeatureNetwork):
    """u(x) of any module: φ is what enters its output layer, the others are its activations."""

    def __init__(
        self,
        model: nn.Module,
        plan: LayerPlan,
        shape: tuple[int, ...] | None,
        dtype: torch.dtype | None = None,
    ) -> None:
        nn.Module.__init__(self)
        # Of the inputs, where they are no floats, as the numbers of tokens.
        self._input_dtype = dtype
        self.model = model
        self._plan = plan
        # Of one sample, where the network takes images.
        self._shape = shape
        # φ last, whatever the order in which the layers are planned.
        self._layers = sorted(plan.layers, key=lambda layer: layer.role == "last")

    # The head that `FeatureNetwork` makes is one of the model's layers here.
    @property
    def head(self) -> nn.Linear:  # type: ignore[override]
        """The output layer."""
        head = self._plan.head
        if not isinstance(head, nn.Linear):
            raise InputError("network", "has no linear output layer", "end it with nn.Linear")
        return head

    @property
    def first_layer(self) -> nn.Module:
        """Unknown: networks of the user's place it themselves."""
        raise InputError(
            "init",
            "places a first layer, which is not known of a network of yours",
            "call structured_first_layer_ in its factory, or make it a FeatureNetwork",
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return u(x), shape (N, k)."""
        x = x if self._input_dtype is None else x.to(self._input_dtype)
        output = self.model(x if self._shape is None else x.reshape(len(x), *self._shape))
        columns: Tensor = output[:, None] if output.ndim == 1 else output
        return columns

    def hidden(self, x: Tensor) -> list[Tensor]:
        """Return what every planned layer gives, neurons on axis 1."""
        found: dict[str, Any] = {}

        def take(layer: MonitoredLayer, value: Any) -> None:
            first = value[0] if isinstance(value, (tuple, list)) else value
            if layer.name in found:
                raise InputError(
                    "network",
                    f"calls layer {layer.name} several times in a pass",
                    "give each call a module of its own",
                )
            found[layer.name] = first

        with watching(self._plan, take):
            self(x)
        return [_by_neurons(found[layer.name], layer.axis) for layer in self._layers]


def _by_neurons(value: Any, axis: int) -> Any:
    """Return features with neurons on axis 1; jets and matrices have them there."""
    return value if value.ndim <= 2 else torch.movedim(value, axis, 1)


def check_own_network(config: RunConfig) -> None:
    """Check that a factory can be found, and takes the sizes that the settings name."""
    found = find(config.network, argument="network", remedy="name a factory of a network in it")
    if not (isinstance(found, nn.Module) or callable(found)):
        problem = f"{config.network} is a {type(found).__name__}"
        raise InputError("network", problem, "name a factory that returns a torch.nn.Module")
    named = set() if isinstance(found, nn.Module) else takes(found)[0]
    usual = {field.name: field.default for field in fields(RunConfig)}
    for name in _SIZES:
        value = getattr(config, name)
        if name not in named and value != usual[name]:
            problem = f"is {value!r}, but {config.network} has no parameter {name}"
            raise InputError(name, problem, "leave it out, or let the factory take it")


def make_own_network(config: RunConfig, task: Task) -> FeatureNetwork:
    """Make the network that the settings name, as it is at step 0, on the CPU.

    The factory is given those of n_inputs, n_outputs, width, depth, activation (σ itself),
    image_shape and seed that it names. What it draws, it draws by the seed of the run.
    """
    check_own_network(config)
    found = find(config.network, argument="network")
    if isinstance(found, nn.Module):
        # The user's own object stays as it is, and a second run begins where the first one did.
        made: Any = copy.deepcopy(found)
    else:
        offered = {
            "n_inputs": task.n_inputs,
            "n_outputs": task.n_outputs,
            "width": config.width,
            "depth": config.depth,
            "activation": activation_function(config.activation),
            "image_shape": task.image_shape,
            "seed": config.seed,
        }
        seed = stream_seed(config.seed, Stream.WEIGHTS)
        made = call_named(config.network, found, offered, argument="network", seed=seed)
    if not isinstance(made, nn.Module):
        problem = f"{config.network}() returned a {type(made).__name__}"
        raise InputError("network", problem, "return a torch.nn.Module")
    made = made.cpu().to(config.torch_dtype)
    if isinstance(made, FeatureNetwork):
        _check_outputs(config.network, made, task)
        return made
    return as_feature_network(config.network, made, task)


def as_feature_network(label: str, model: nn.Module, task: Task) -> OwnNetwork:
    """Find the layers of a network by a pass of a few samples of its task."""
    x = task.x[:_FEW].to(next((p.device for p in model.parameters()), torch.device("cpu")))
    shape, images = None, task.image_shape
    if images is not None and _runs(model, x.reshape(len(x), *images)):
        shape = images
    example = x if shape is None else x.reshape(len(x), *shape)
    remedy = "let it take x of shape (N, d), and the task's number of outputs"
    what = f"{label} fails on x of shape {tuple(x.shape)}"
    with user_code("network", what, remedy), evaluating(model), torch.no_grad():
        model(example)
    try:
        plan = find_layers(model, "auto", example=[example])
    except InputError as error:
        raise InputError(
            "network", f"{label}: {error.argument} {error.problem}", error.remedy
        ) from (None)
    network = OwnNetwork(model, plan, shape)
    _check_outputs(label, network, task)
    network.no_floor = why_no_floor(network, x)
    return network


def _runs(model: nn.Module, x: Tensor) -> bool:
    """Tell whether a network takes inputs of this shape."""
    try:
        with evaluating(model), torch.no_grad():
            model(x)
    except Exception:
        return False
    return True


def _check_outputs(label: str, network: FeatureNetwork, task: Task) -> None:
    """Check that a network has one row of outputs for each sample."""
    x = task.x[:_FEW].to(next((p.device for p in network.parameters()), torch.device("cpu")))
    remedy = f"let it take x of shape (N, {task.n_inputs})"
    what = f"{label} fails on x of shape {tuple(x.shape)}"
    with user_code("network", what, remedy), evaluating(network), torch.no_grad():
        found = network(x)
    shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
    if shape != (len(x), task.n_outputs):
        raise InputError(
            "network",
            f"{label} gives {shape} for {plural(len(x), 'sample')}, "
            f"and {task.name} has {plural(task.n_outputs, 'output')}",
            f"return a tensor (N, {task.n_outputs})",
        )


def why_no_floor(network: OwnNetwork, x: Tensor) -> str | None:
    """Return why u is not φW + b of the last hidden layer, so that no floor is of this loss."""
    plan = network._plan
    if not isinstance(plan.head, nn.Linear) or plan.last is None:
        return "no floor: the network has no one nn.Linear that gives its output"
    with evaluating(network), torch.no_grad():
        features, outputs = network.hidden(x)[-1], network(x)
        same = features.ndim == 2 and torch.allclose(plan.head(features), outputs)
    if same:
        return None
    return "no floor: what the network returns is not φW + b of its last hidden layer"


def is_own(config: RunConfig) -> bool:
    """Tell whether the network of a run is the user's."""
    return is_name(config.network)
