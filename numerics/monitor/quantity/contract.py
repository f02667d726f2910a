"""What a quantity is: ``quantity(model, loss, data)`` gives a number, perhaps with an interval."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from epsrank.numerics.monitor.model.passes import call, is_one_call
from epsrank.theory.errors import InputError
from epsrank.theory.estimate import Estimate, as_number

#: (outputs, targets) → scalar; see `losses`. Of several heads a mapping by their names.
Loss = Callable[[Any, Any], Tensor]
Losses = Loss | Mapping[str, Loss]

# Names become columns of tables and tags of trackers, which allow these characters.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]*")


@dataclass(frozen=True, eq=False, slots=True)
class QuantityData:
    """The samples on which a quantity is measured.

    Parameters
    ----------
    inputs : Tensor, tuple, mapping, or list of batches
        N samples as a probe gives them: a tensor is the model's one argument, a tuple its
        positional and a mapping its named arguments, each with N rows; a list holds such batches.
    targets : Tensor, optional
        One for each sample, in the same order: labels of shape (N,), or numbers of shape (N, k); of
        several heads a mapping by their names.
    weights : Tensor or list of Tensor, optional
        How much every sample or token counts, from the monitor's ``mask=`` and ``weights=``: of
        shape (N,) or (N, T), of a list of batches one for each; None where all count alike. Samples
        that do not count at all are left out of the inputs where that can be done.

    Examples
    --------
    >>> data = QuantityData(torch.zeros(5, 2))
    >>> data.outputs(nn.Linear(2, 3)).shape
    torch.Size([5, 3])
    """

    #: N samples.
    inputs: Any
    #: Of the same samples; None where they are not known.
    targets: Any = None
    #: How much they count; None for all alike.
    weights: Tensor | list[Tensor] | None = None

    def outputs(self, model: nn.Module) -> Any:
        """Call a model on all samples: at once, or batch by batch where they are a list.

        Parameters
        ----------
        model : nn.Module
            Whatever takes the inputs.

        Returns
        -------
        Any
            What it returns; of a list of batches the tensors of all, one behind the other.
        """
        if is_one_call(self.inputs):
            return call(model, self.inputs)
        return torch.cat([call(model, batch) for batch in self.inputs])


class Quantity(Protocol):
    """A number q(θ) of a model with parameters θ, on a loss L and samples (xᵢ, yᵢ), i = 1 … N.

    Any callable ``quantity(model, loss, data)`` will do: a function, or an object that keeps its
    settings. It is used alone as well as in ``RankMonitor(…, quantities={"name": quantity})``,
    which calls it at each measurement.

    Parameters
    ----------
    model : nn.Module
        θ, in evaluation mode, without ``torch.compile`` or data parallelism around it, on whatever
        device and in whatever dtype it trains. ``model.parameters()`` may be differentiated.
    loss : callable, mapping of head names to callables, or None
        L: (outputs, targets) → scalar tensor, differentiable, over the samples that count and as
        much as they do; the number of the monitor's reading. For the monitor's ``loss="mse"`` it is
        the mean of ‖u − u*‖², summed over outputs (k times PyTorch's mean), for
        ``"cross_entropy"`` of −log of the softmax at the label, labels −100 left out; a module or
        a function is what it computes. Targets (N,) are one column beside outputs (N, 1); other
        shapes that differ are refused, and nothing is broadcast. A mapping where the monitor's
        ``loss=`` is one; None where the monitor has no loss.
    data : QuantityData
        The very samples of this measurement, the probe or its drawn part, in copies on the device
        of the model.

    Returns
    -------
    float or Estimate
        q(θ); also a tensor or an array of one element.

    Raises
    ------
    Exception
        Whatever it likes, where q cannot be computed. Alone that reaches the caller; in a monitor
        it becomes the cause of that record, with one warning, and never reaches the training. The
        same is true of NaN.

    Notes
    -----
    *Allowed*: gradients of any order by ``torch.autograd`` (they are enabled), random numbers of
    every global generator, other modes, forward passes that write buffers, hooks, ``requires_grad``
    flags. A monitor puts all of these back, so each quantity draws the same numbers whichever
    others are measured beside it.

    *Not allowed*: to leave other parameters or other ``.grad`` behind, such as by
    ``loss.backward()``; take ``torch.autograd.grad``, and ``torch.func.functional_call`` for
    other parameters. A monitor puts them back from copies (memory of one more model), and records
    that as the cause beside the value. Rounding counts: w + e − e is not w.

    *Out of reach*: what a quantity has from elsewhere, such as an optimiser or a loader of its
    own, stays as it leaves it.

    In a monitor the time that all of this takes is part of the price of a measurement, and is paid
    in the thread of the training also with ``background=True``.

    Examples
    --------
    >>> def gradient_norm(model, loss, data):
    ...     value = loss(data.outputs(model), data.targets)
    ...     gradients = torch.autograd.grad(value, list(model.parameters()))
    ...     return torch.stack([g.square().sum() for g in gradients]).sum().sqrt()
    >>> data = QuantityData(torch.ones(4, 1), torch.zeros(4, 1))
    >>> model = nn.Linear(1, 1, bias=False)
    >>> _ = nn.init.ones_(model.weight)
    >>> float(gradient_norm(model, nn.functional.mse_loss, data))
    2.0
    """

    def __call__(self, model: nn.Module, loss: Any, data: QuantityData, /) -> float | Estimate:
        """Return q(θ)."""
        ...


def as_estimate(found: object) -> Estimate:
    """Read what a quantity returned."""
    return found if isinstance(found, Estimate) else Estimate(as_number("value", found))


def as_quantities(given: Any, choices: tuple[str, ...]) -> tuple[str, dict[str, Quantity]]:
    """Split an argument: one of some words, quantities by name, or a list of both."""
    words: list[str] = []
    own: dict[str, Quantity] = {}
    for item in given if isinstance(given, (list, tuple)) else [given]:
        if isinstance(item, Mapping):
            for name, quantity in item.items():
                if name in own:
                    raise InputError("quantities", f"have {name!r} twice", "name each one once")
                own[_name(name)] = _callable(name, quantity)
        elif item in choices:
            words.append(item)
        else:
            named = ", ".join(repr(choice) for choice in choices)
            remedy = f"choose one of {named}"
            if not isinstance(given, str):
                remedy += ", a mapping of names to callables, or a list of both"
            raise InputError("quantities", f"is {item!r}", remedy)
    if len(words) > 1:
        raise InputError("quantities", f"hold {' and '.join(map(repr, words))}", "choose one")
    return (words or [choices[0]])[0], own


def _name(name: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        remedy = "use ASCII letters, digits, '_', '-' and '.', a letter or digit first"
        raise InputError("quantities", f"have the name {name!r}", remedy)
    return name


def _callable(name: object, quantity: Any) -> Quantity:
    """Check what can be checked without calling it."""
    remedy = "pass a callable quantity(model, loss, data)"
    if not callable(quantity):
        raise InputError("quantities", f"have a {type(quantity).__name__} as {name!r}", remedy)
    try:
        signature = inspect.signature(quantity)
    except (TypeError, ValueError):
        return quantity  # type: ignore[no-any-return]  # built in, without a signature
    try:
        signature.bind(None, None, None)
    except TypeError as error:
        problem = f"have {name!r}, which does not take three arguments ({error})"
        raise InputError("quantities", problem, remedy) from None
    return quantity  # type: ignore[no-any-return]
