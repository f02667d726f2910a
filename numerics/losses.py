"""The loss of a training loop as what theory knows: a convex loss, targets, and a scale.

`understood` reads ``nn.*Loss()`` modules, functions of ``torch.nn.functional``, `functools.partial`
of these, and names. What PyTorch returns is  scale · Σ w_i ℓ(z_i, y_i)/Σ w_i c_i + constant:  means
over outputs and over the weights of labels are in the scale, and only then do numbers agree.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from epsrank.theory.data.inputs import as_error, as_positive
from epsrank.theory.data.measure import Measure
from epsrank.theory.errors import InputError
from epsrank.theory.floor.convex.classes import CrossEntropy, logistic_entries
from epsrank.theory.floor.convex.losses import (
    ConvexLoss,
    GaussianError,
    Huber,
    SmoothAbsoluteError,
)
from epsrank.theory.floor.convex.named import as_convex_loss
from epsrank.theory.floor.convex.problem import mean_shares
from epsrank.theory.numbers.arrays import Array, Matrix, real_array

#: Names that the convex losses of theory have, as they have them.
NAMES = ("mse", "cross_entropy", "bce", "huber", "smooth_l1", "l1")

_MODULES: dict[type[nn.Module], str] = {
    nn.MSELoss: "mse",
    nn.CrossEntropyLoss: "cross_entropy",
    nn.BCEWithLogitsLoss: "bce",
    nn.HuberLoss: "huber",
    nn.SmoothL1Loss: "smooth_l1",
    nn.L1Loss: "l1",
    nn.GaussianNLLLoss: "gaussian_nll",
}
_FUNCTIONS: dict[Callable[..., Any], str] = {
    F.mse_loss: "mse",
    F.cross_entropy: "cross_entropy",
    F.binary_cross_entropy_with_logits: "bce",
    F.huber_loss: "huber",
    F.smooth_l1_loss: "smooth_l1",
    F.l1_loss: "l1",
    F.gaussian_nll_loss: "gaussian_nll",
}
#: Settings of each loss that are read; a module has them as attributes, a function as arguments.
_SETTINGS: dict[str, tuple[str, ...]] = {
    "mse": ("reduction",),
    "l1": ("reduction",),
    "cross_entropy": ("weight", "ignore_index", "label_smoothing", "reduction"),
    "bce": ("weight", "pos_weight", "reduction"),
    "huber": ("delta", "reduction"),
    "smooth_l1": ("beta", "reduction"),
    "gaussian_nll": ("full", "eps", "reduction", "var"),
}
# Losses of something else than the outputs of a head, and what to take instead.
_INSTEAD = {
    "BCELoss": "nn.BCEWithLogitsLoss() on the outputs before the sigmoid",
    "binary_cross_entropy": "F.binary_cross_entropy_with_logits on the outputs before the sigmoid",
    "NLLLoss": "nn.CrossEntropyLoss() on the outputs before the log-softmax",
    "nll_loss": "F.cross_entropy on the outputs before the log-softmax",
}
_KNOWN = (
    "choose one of " + ", ".join(repr(name) for name in NAMES) + ", or pass "
    "nn.MSELoss, CrossEntropyLoss, BCEWithLogitsLoss, HuberLoss, SmoothL1Loss, L1Loss or "
    "GaussianNLLLoss, their functions, or functools.partial of these"
)

# What is true of any other loss.
_NO_FLOOR = "of other losses no floor is known (ranks need none: leave loss= and targets out)"


@dataclass(frozen=True, eq=False)
class HeadLoss:
    """One batch of targets as theory takes them."""

    #: ℓ and its targets, checked, for k outputs.
    law: ConvexLoss
    goal: Any
    #: PyTorch's number is scale · mean ℓ + constant.
    scale: float
    constant: float = 0.0

    def value(self, outputs: Any) -> float:
        """Return the loss of outputs of shape (N, k), in float64."""
        z = real_array(outputs, "outputs")
        z = z.reshape(len(z), -1)
        shares = mean_shares(Measure("mean", len(z)), self.law, self.goal)
        return self.scale * float(shares @ self.law.evaluate(z, self.goal)[0]) + self.constant


@dataclass(frozen=True, eq=False)
class UserLoss:
    """A loss as it was given, and what was understood of it."""

    #: What theory calls it.
    name: str
    #: As given.
    given: Any
    #: Its settings, by the names that PyTorch has.
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def named(self) -> bool:
        """Whether it is a name, which stands for sums over outputs and means over samples."""
        return isinstance(self.given, str)

    @property
    def squares(self) -> bool:
        """Whether it is the plain squared error, of which theory knows more than of others."""
        return self.name == "mse"

    @property
    def ignored(self) -> int:
        """Label of the samples that are left out."""
        return int(self.settings.get("ignore_index", -100))

    def has_labels(self, targets: Tensor) -> bool:
        """Whether targets are labels, one for each sample, and not rows."""
        return self.name == "cross_entropy" and not targets.is_floating_point()

    def of(self, targets: Any, n_outputs: int) -> HeadLoss:
        """Read targets for k outputs: labels of any shape, or rows on the last axis."""
        if self.name == "gaussian_nll":
            return self._gaussian(targets, n_outputs)
        goal = _array(targets)
        if self.name == "cross_entropy":
            return self._classes(goal, n_outputs)
        rows = goal.reshape(-1, n_outputs if goal.ndim < 2 else goal.shape[-1])
        if self.name == "bce":
            return self._logistic(rows, n_outputs)
        law = as_convex_loss(self._law())
        checked = law.targets(rows, len(rows), n_outputs)
        return HeadLoss(law, checked, self._entry_scale(len(rows), n_outputs))

    def _law(self) -> str | ConvexLoss:
        """Return the loss of real targets with its settings."""
        if self.name == "huber":
            return Huber(as_positive(self.settings.get("delta", 1.0), "delta"))
        if self.name == "smooth_l1":
            beta = as_error(self.settings.get("beta", 1.0), "beta", "the corner")
            return SmoothAbsoluteError(beta) if beta else "l1"
        return self.name

    def _entry_scale(self, n_samples: int, k: int) -> float:
        """Return the scale of a loss that PyTorch averages over all entries."""
        if self.named:
            return 1.0
        return float(n_samples) if self._summed else 1.0 / k

    @property
    def _summed(self) -> bool:
        return str(self.settings.get("reduction", "mean")) == "sum"

    def _classes(self, goal: Array, k: int) -> HeadLoss:
        """Read labels, or rows of shares."""
        weight = self.settings.get("weight")
        law = CrossEntropy(
            class_weights=None if weight is None else _array(weight),
            label_smoothing=self.settings.get("label_smoothing", 0.0),
            ignore_index=self.ignored,
        )
        spread = goal.dtype.kind == "f" and goal.ndim > 1
        # Vectors of floats are refused by the loss.
        rows: Array = goal.reshape((-1, goal.shape[-1]) if spread else (-1,))
        checked = law.targets(rows, len(rows), k)
        counts = law.counts(checked)
        total = float(len(rows)) if counts is None else float(counts.sum())
        return HeadLoss(law, checked, total if self._summed else 1.0)

    def _logistic(self, rows: Matrix, k: int) -> HeadLoss:
        """Read targets from 0 to 1, with weights that spread over them."""
        law = as_convex_loss("bce")
        checked = law.targets(rows, len(rows), k)  # for its checks
        factors = []
        for name in ("pos_weight", "weight"):
            given = self.settings.get(name)
            values = np.ones(()) if given is None else real_array(_array(given), name)
            try:
                factors.append(np.broadcast_to(values, checked.shape))
            except ValueError:
                raise InputError(
                    "loss",
                    f"has {name} of shape {values.shape} for targets of shape {checked.shape}",
                    "pass one number per output",
                ) from None
            if not bool((np.isfinite(values) & (values >= 0)).all()):
                raise InputError("loss", f"has a {name} below 0 or infinite", "pass numbers ≥ 0")
        goal = logistic_entries(rows.astype(np.float64), factors[0], factors[1])
        return HeadLoss(law, goal, self._entry_scale(len(rows), k))

    def _gaussian(self, targets: Any, k: int) -> HeadLoss:
        """Read a target and its variances: a pair, or the variances of a partial function."""
        pair = isinstance(targets, (tuple, list)) and len(targets) == 2
        variances = targets[1] if pair else self.settings.get("var")
        if variances is None:
            raise InputError(
                "targets",
                "have no variances, which the Gaussian log-likelihood of a mean head needs",
                "pass functools.partial(F.gaussian_nll_loss, var=…), or nn.MSELoss() where the "
                "network gives them: then the mean is read",
            )
        goal = _array(targets[0] if pair else targets)
        rows = goal.reshape(-1, k if goal.ndim < 2 else goal.shape[-1])
        least = as_error(self.settings.get("eps", 1e-6), "eps", "variances")
        known = np.maximum(real_array(_array(variances), "variances"), least)
        known = known.reshape(-1, 1) if known.ndim == 1 and len(known) == len(rows) else known
        try:
            full = np.array(np.broadcast_to(known, rows.shape))
        except ValueError:
            raise InputError(
                "variances", f"have shape {known.shape}", f"pass numbers of shape {rows.shape}"
            ) from None
        law = GaussianError(full)
        checked = law.targets(rows, len(rows), k)
        terms = 0.5 * np.log(full)
        if self.settings.get("full"):
            terms = terms + 0.5 * math.log(2 * math.pi)
        constant = float(terms.sum() if self._summed else terms.mean())
        return HeadLoss(law, checked, self._entry_scale(len(rows), k), constant)

    def __call__(self, outputs: Any, targets: Any) -> Any:
        """Return the loss as given, of a module or a function."""
        return self.given(outputs, targets)


def understood(loss: Any, name: str = "loss") -> UserLoss:
    """Read a loss as it is used in a training loop; what is not understood is refused.

    A name stands for sums over outputs and means over samples; a module or a function for what it
    computes, its reduction included.
    """
    if isinstance(loss, UserLoss):
        return loss
    if isinstance(loss, str):
        word = loss.lower().replace("-", "_")
        if word not in NAMES:
            raise InputError(name, f"is {loss!r}", _KNOWN)
        return UserLoss(word, loss)
    target = loss
    given: dict[str, Any] = {}
    while isinstance(target, functools.partial):
        if target.args:
            raise InputError(
                name, "is a partial function with positions", "name its arguments: partial(f, a=…)"
            )
        given = {**target.keywords, **given}
        target = target.func
    if isinstance(target, nn.Module) and not given:
        return _checked(_of_module(target, name), name)
    # A function of PyTorch is its own key; anything else may not even be hashable.
    word = next((kind for function, kind in _FUNCTIONS.items() if function is target), "")
    if not word:
        raise _not_understood(target, name)
    own = {key: value for key, value in _defaults(target).items() if key in _SETTINGS[word]}
    unknown = {k for k, v in given.items() if k not in _SETTINGS[word] and v is not None}
    if unknown:
        raise InputError(name, f"has {', '.join(sorted(unknown))}=", "leave it out for a reading")
    return _checked(UserLoss(word, loss, {**own, **given}), name)


def _defaults(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the defaults of a function's arguments."""
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not inspect.Parameter.empty}


def _of_module(module: nn.Module, name: str) -> UserLoss:
    """Read a module: one of PyTorch's, or a class of the user's that computes the same."""
    for kind, word in _MODULES.items():
        if isinstance(module, kind) and type(module).forward is kind.forward:
            settings = {key: getattr(module, key, None) for key in _SETTINGS[word]}
            return UserLoss(word, module, {k: v for k, v in settings.items() if v is not None})
    raise _not_understood(module, name)


def _checked(loss: UserLoss, name: str) -> UserLoss:
    """Refuse reductions that leave the mean to other code."""
    reduction = loss.settings.get("reduction", "mean")
    if reduction not in ("mean", "sum"):
        raise InputError(
            name,
            f"has reduction={reduction!r}, so the mean is taken elsewhere",
            "pass the loss with reduction='mean' or 'sum'",
        )
    return loss


def _not_understood(loss: Any, name: str) -> InputError:
    """Say what is known instead of a loss."""
    if isinstance(loss, type) and issubclass(loss, nn.Module):
        word = loss.__name__
        return InputError(name, f"is the class {word}", f"pass an instance: {word}()")
    word = type(loss).__name__ if isinstance(loss, nn.Module) else getattr(loss, "__name__", "")
    if word in _INSTEAD:
        return InputError(name, f"is {word}, of transformed outputs", f"pass {_INSTEAD[word]}")
    what = f"is {word}" if word else f"is a {type(loss).__name__}"
    return InputError(name, f"{what}, which is not understood", f"{_KNOWN}; {_NO_FLOOR}")


def _array(values: Any) -> Any:
    """Return an array of a tensor, kept in its own type but for what NumPy does not have."""
    if isinstance(values, Tensor):
        plain = values.detach().cpu()
        narrow = plain.is_floating_point() and plain.dtype not in (torch.float64, torch.float32)
        return (plain.float() if narrow else plain).numpy()
    return np.asarray(values)
