"""Task, network and optimiser of a run, from its settings alone."""

from __future__ import annotations

import torch
from torch import nn

from epsrank.numerics.descent import MOMENTUM
from epsrank.numerics.first_layer.structured import structured_first_layer_
from epsrank.numerics.first_layer.transnet import transnet_first_layer_
from epsrank.numerics.networks import (
    MLP,
    AdaptiveNet,
    BottleneckMLP,
    FeatureNetwork,
    ModifiedMLP,
    ResNet,
    SmallCNN,
    SmallTransformer,
    initialise_,
)
from epsrank.numerics.networks.activations import activation_function, is_piecewise_linear
from epsrank.numerics.networks.initialise import PLACED
from epsrank.numerics.tasks import Task, load_task
from epsrank.numerics.training.config import RunConfig
from epsrank.numerics.training.own_network import is_own, make_own_network
from epsrank.numerics.training.seeds import Stream, generator
from epsrank.theory.errors import InputError

_DENSE: dict[str, type[MLP | BottleneckMLP | ResNet | ModifiedMLP | AdaptiveNet]] = {
    "mlp": MLP,
    "bottleneck": BottleneckMLP,
    "resnet": ResNet,
    "modified": ModifiedMLP,
    "adaptive": AdaptiveNet,
}
_OF_IMAGES: dict[str, type[SmallCNN | SmallTransformer]] = {
    "cnn": SmallCNN,
    "transformer": SmallTransformer,
}


def build_task(config: RunConfig) -> Task:
    """Return the task of a run, on the CPU."""
    if config.recorded:
        remedy = "go on in that loop, with RunRecorder(…, resume=True)"
        raise InputError("run", "was recorded from a loop of yours", remedy)
    return load_task(
        config.task,
        n_train=config.n_train,
        data=config.data,
        seed=config.seed,
        dtype=config.torch_dtype,
        boundary_weight=config.boundary_weight,
        domain=config.domain,
        target_columns=config.target_columns,
        input_columns=config.input_columns,
    )


def check_loss(config: RunConfig, task: Task) -> None:
    """Check that loss and activation fit the task."""
    if config.loss == "cross-entropy" and task.kind != "classification":
        raise InputError(
            "loss",
            f"is 'cross-entropy', but {task.name} has no classes",
            "choose 'mse', or give one label per sample: whole numbers or texts, no floats",
        )
    if task.operator is not None and is_piecewise_linear(activation_function(config.activation)):
        raise InputError(
            "activation",
            f"is {config.activation!r}, whose second derivative is 0: "
            f"{task.operator.operator.formula} would not see the network",
            "choose a smooth one such as 'tanh'",
        )


def resolve_device(name: str) -> torch.device:
    """Return the device of a run."""
    present = torch.cuda.is_available()
    if name == "cuda" and not present:
        raise InputError("device", "is 'cuda', but no CUDA device is present", "pass device='cpu'")
    return torch.device("cuda" if present and name != "cpu" else "cpu")


def _bare_network(config: RunConfig, task: Task) -> FeatureNetwork:
    """Build the architecture with unset weights."""
    sizes = (config.width, config.depth, task.n_outputs, config.activation)
    # On the meta device the constructors' own initialisation draws no random numbers.
    with torch.device("meta"):
        if config.network in _DENSE:
            return _DENSE[config.network](task.n_inputs, *sizes)
        if task.image_shape is None:
            raise InputError(
                "network", f"is {config.network!r}, but {task.name} has no images", "choose 'mlp'"
            )
        return _OF_IMAGES[config.network](task.image_shape, *sizes)


def empty_network(config: RunConfig, task: Task) -> FeatureNetwork:
    """Return the network of a run with unset weights, to be filled from a checkpoint."""
    if is_own(config):
        return make_own_network(config, task)
    # The dtype is changed while there are no numbers yet: memory is taken once.
    return _bare_network(config, task).to(config.torch_dtype).to_empty(device="cpu")


def build_network(config: RunConfig, task: Task) -> FeatureNetwork:
    """Return the network of a run at step 0.

    `task` is on the CPU; a structured layer is placed over its domain, or over its data.
    """
    model = empty_network(config, task)
    if is_own(config) and config.init == "default":
        return model  # as its factory has made it
    if config.init in PLACED:
        _ = model.first_layer  # before anything is drawn, where it is not known
    weights = generator(config.seed, Stream.WEIGHTS)
    initialise_(model, config.init, scale=config.init_scale, generator=weights)
    if config.init in PLACED:
        _place_input_layers(model, config, task)
    return model


def _place_input_layers(model: FeatureNetwork, config: RunConfig, task: Task) -> None:
    """Place every layer that sees the inputs (I3) and scale its slopes, keeping the centres."""
    # A stream of its own: all other layers begin as they do without the placement.
    random = generator(config.seed, Stream.STRUCTURED)
    place = structured_first_layer_ if config.init == "structured" else transnet_first_layer_
    for index, layer in enumerate(model.input_layers):
        domain, data = task.domain, None
        if domain is None:
            x = task.x if task.image_shape is None else task.x.reshape(-1, *task.image_shape)
            # One input of a convolution is a patch, which only images have.
            data = x if isinstance(layer, nn.Conv2d) else task.x
        placed = place(
            layer,
            domain,
            data,
            activation=config.activation,
            generator=random,
            gamma=config.slope,
            eps=config.eps[0],
        )
        with torch.no_grad():
            # Equal grids would make a gate between two encoders one between equal values.
            order = torch.randperm(len(placed.slopes), generator=random) if index else slice(None)
            for parameter in layer.parameters():
                # Weights and biases by one factor: where σ is centred, wx + b = 0, does not move.
                parameter.copy_(parameter[order] * (config.init_scale or 1.0))


def build_optimizer(config: RunConfig, model: nn.Module) -> torch.optim.Optimizer:
    """Return the optimiser of a run at step 0."""
    parameters = list(model.parameters())
    # All tensors in one call: the same bits as one by one, and a sixth of a small step less.
    if config.optimizer == "adam":
        return torch.optim.Adam(parameters, lr=config.rate, foreach=True)
    if config.optimizer == "adamw":
        return torch.optim.AdamW(parameters, lr=config.rate, foreach=True)
    if config.optimizer == "lbfgs":
        return torch.optim.LBFGS(
            parameters,
            lr=config.rate,
            max_iter=1,
            # The default, 5/4 of max_iter, would leave the line search no evaluation at all; of 26
            # one is made before it, and 25 are what PyTorch's line search takes by default.
            max_eval=26,
            history_size=20,
            # Without tolerances every step asked for is made, however small.
            tolerance_grad=0.0,
            tolerance_change=0.0,
            line_search_fn="strong_wolfe",
        )
    return torch.optim.SGD(parameters, lr=config.rate, momentum=MOMENTUM[config.optimizer])
