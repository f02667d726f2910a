"""What a quantity is: ``quantity(model, loss, data)`` gives a number, perhaps with an interval."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, get_args

import torch
from torch import Tensor, nn

from epsrank.numerics.monitor.model.passes import call, is_one_call
from epsrank.numerics.monitor.records.record import Meaning
from epsrank.theory.errors import InputError

#: (outputs, targets) → scalar; see `losses`.
Loss = Callable[[Any, Any], Tensor]

# Names become columns of tables and tags of trackers, which allow these characters.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]*")


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number q̂ with low ≤ q ≤ high, and what that interval means.

    Parameters
    ----------
    value : float
        q̂, in float64; a tensor or array of one element is converted. ±∞ is a value, NaN is none: a
        monitor records its cause.
    low, high : float, optional
        Ends of the interval; either may be None, for a bound from one side.
    meaning : {None, "certified", "confidence"}
        ``"certified"``: the interval holds, rounding included, for these samples. ``"confidence"``:
        it holds with probability `level` over what the quantity drew at random. None: it is a
        spread that claims neither.
    level : float, optional
        In (0, 1), with ``meaning="confidence"`` alone.

    Raises
    ------
    InputError
        If something is no number, low ≤ value ≤ high does not hold, or `meaning` and `level` do not
        fit each other or the interval.

    Examples
    --------
    >>> Estimate(2.5, low=2.4, high=2.7, meaning="confidence", level=0.95)
    Estimate(value=2.5, low=2.4, high=2.7, meaning='confidence', level=0.95)
    """

    #: q̂.
    value: float
    #: Ends; None where there is none.
    low: float | None = None
    high: float | None = None
    #: What the interval claims.
    meaning: Meaning | None = None
    #: Probability of a confidence interval.
    level: float | None = None

    def __post_init__(self) -> None:
        for name in ("value", "low", "high", "level"):
            given = getattr(self, name)
            if given is not None or name == "value":
                object.__setattr__(self, name, _number(name, given))
        for name, end in (("low", self.low), ("high", self.high)):
            if end is not None and math.isnan(end):
                raise InputError(name, "is NaN", "pass a number, or None where there is no bound")
        low = -math.inf if self.low is None else self.low
        high = math.inf if self.high is None else self.high
        # A NaN may come with its interval: the monitor records what became of it.
        if not math.isnan(self.value) and not low <= self.value <= high:
            interval = f"[{low!r}, {high!r}]"
            raise InputError("value", f"is {self.value!r}, outside of {interval}", "order them")
        if self.meaning not in (None, *get_args(Meaning)):
            remedy = "choose None, 'certified' or 'confidence'"
            raise InputError("meaning", f"is {self.meaning!r}", remedy)
        if self.meaning is not None and self.low is None and self.high is None:
            raise InputError("meaning", f"is {self.meaning!r}", "pass low, high or both with it")
        if (self.level is not None) != (self.meaning == "confidence"):
            remedy = "pass a level with meaning='confidence', and with nothing else"
            raise InputError("level", f"is {self.level!r}", remedy)
        if self.level is not None and not 0 < self.level < 1:
            raise InputError("level", f"is {self.level!r}", "pass a probability, such as 0.95")


@dataclass(frozen=True, eq=False, slots=True)
class QuantityData:
    """The samples on which a quantity is measured.

    Parameters
    ----------
    inputs : Tensor, tuple, mapping, or list of batches
        N samples as a probe gives them: a tensor is the model's one argument, a tuple its
        positional and a mapping its named arguments, each with N rows; a list holds such batches.
    targets : Tensor, optional
        One for each sample, in the same order: labels of shape (N,), or numbers of shape (N, k).

    Examples
    --------
    >>> data = QuantityData(torch.zeros(5, 2))
    >>> data.outputs(nn.Linear(2, 3)).shape
    torch.Size([5, 3])
    """

    #: N samples.
    inputs: Any
    #: Of the same samples; None where they are not known.
    targets: Tensor | None = None

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
    loss : callable or None
        L: (outputs, targets) → scalar tensor, differentiable, the mean over samples: for the
        monitor's ``loss="mse"`` of ‖u − u*‖², summed over outputs (k times PyTorch's mean), for
        ``"cross_entropy"`` of −log of the softmax at the label, labels −100 left out. None where
        the monitor has no loss.
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

    def __call__(
        self, model: nn.Module, loss: Loss | None, data: QuantityData, /
    ) -> float | Estimate:
        """Return q(θ)."""
        ...


def as_estimate(found: object) -> Estimate:
    """Read what a quantity returned."""
    return found if isinstance(found, Estimate) else Estimate(_number("value", found))


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


def _number(name: str, given: Any) -> float:
    """Return one number as a float; text is none, though float() reads it."""
    if not isinstance(given, (str, bytes)):
        try:
            return float(given)
        except (TypeError, ValueError, RuntimeError):
            pass
    kind = "None" if given is None else f"a {type(given).__name__}"
    shape = getattr(given, "shape", None)
    shaped = f" of shape {tuple(shape)}" if isinstance(shape, tuple) else ""
    raise InputError(name, f"is {kind}{shaped}", "return one number or an Estimate")
