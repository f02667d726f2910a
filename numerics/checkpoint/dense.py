"""Networks as plain arrays, for statements that are proved about them (C3, C4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from epsrank.numerics.networks import ACTIVATIONS, MLP
from epsrank.theory.dense import DenseNetwork
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Array

if TYPE_CHECKING:
    from epsrank.numerics.training import Run

_MODULES: dict[type[nn.Module], str] = {
    nn.Tanh: "tanh",
    nn.ReLU: "relu",
    nn.Sigmoid: "sigmoid",
}


def dense_network(model: nn.Module, *, activation: str | None = None) -> DenseNetwork:
    """Return the weights of a dense network as float64 arrays, exactly.

    Parameters
    ----------
    model : MLP or Sequential
        The network; a ``Sequential`` alternates ``Linear`` and one kind of activation, and its last
        module is the output layer if that is ``Linear``.
    activation : str, optional
        Name of σ, where the modules do not say it (``"tanh"``, ``"erf"``, ``"sine"`` …).

    Returns
    -------
    DenseNetwork
        The same numbers; float32 weights are float64 numbers too.

    Raises
    ------
    InputError
        If the network is of another kind.
    """
    if isinstance(model, MLP):
        layers = [layer for layer in model.layers if isinstance(layer, nn.Linear)]
        names = [name for name, sigma in ACTIVATIONS.items() if sigma is model._sigma]
        name = getattr(model._sigma, "__name__", "unknown")
        return _assemble(activation or next(iter(names), name), layers, model.head)
    if isinstance(model, nn.Sequential):
        return _sequential(model, activation)
    raise InputError(
        "model",
        f"is a {type(model).__name__}",
        "pass an MLP, or a Sequential of Linear layers and activations",
    )


def network_of_run(run: Run, index: int = -1) -> DenseNetwork:
    """Return the network of a training run at a measurement.

    Parameters
    ----------
    run : Run
        A run with ``network="mlp"``.
    index : int
        Index into its records.

    Returns
    -------
    DenseNetwork
        The network.

    Raises
    ------
    InputError
        If the run has another kind of network, or no such measurement.
    """
    if not hasattr(run, "config"):  # a path, most likely
        raise InputError("run", f"is a {type(run).__name__}", "pass what load_run(path) returns")
    if run.config.network != "mlp":
        raise InputError("run", f"has a {run.config.network}", "pass a run of an mlp")
    return dense_network(run.network(index), activation=run.config.activation)


def _sequential(model: nn.Sequential, activation: str | None) -> DenseNetwork:
    layers: list[nn.Linear] = []
    names: set[str] = set()
    # As if σ came before: the first module has to be Linear.
    last_is_linear = False
    for module in model:
        linear = isinstance(module, nn.Linear)
        if linear == last_is_linear:
            raise InputError(
                "model", f"has {type(module).__name__} out of turn", "alternate Linear and σ"
            )
        if isinstance(module, nn.Linear):
            layers.append(module)
        elif type(module) in _MODULES:
            names.add(_MODULES[type(module)])
        elif activation is None:
            raise InputError(
                "model", f"has the activation {type(module).__name__}", "name it: activation=…"
            )
        last_is_linear = linear
    if len(names) > 1 or (activation is not None and names - {activation}):
        raise InputError("model", f"has activations {sorted(names)}", "use one kind throughout")
    name = activation or next(iter(names), None)
    if name is None or len(layers) < 1 + last_is_linear:
        raise InputError("model", "has no hidden layer", "pass Linear, σ, …, Linear")
    head = layers.pop() if last_is_linear else None
    return _assemble(name, layers, head)


def _assemble(name: str, layers: list[nn.Linear], head: nn.Linear | None) -> DenseNetwork:
    return DenseNetwork(
        activation=name,
        weights=tuple(_array(layer.weight) for layer in layers),
        biases=tuple(_bias(layer) for layer in layers),
        head=None if head is None else _array(head.weight).T,
        offset=None if head is None else _bias(head),
    )


def _bias(layer: nn.Linear) -> Array:
    return _array(layer.weight.new_zeros(len(layer.weight)) if layer.bias is None else layer.bias)


def _array(values: Tensor) -> Array:
    array: Array = values.detach().cpu().double().numpy()
    return array
