"""The losses of a monitor as functions of outputs and targets, which quantities differentiate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

from epsrank.numerics.monitor.model.samples import row_weights
from epsrank.numerics.monitor.quantity.contract import Losses
from epsrank.theory.errors import InputError

if TYPE_CHECKING:
    from epsrank.numerics.losses import UserLoss


_ENTRYWISE: dict[str, Callable[..., Tensor]] = {
    "bce": F.binary_cross_entropy_with_logits,
    "huber": F.huber_loss,
    "smooth_l1": F.smooth_l1_loss,
    "l1": F.l1_loss,
}
_FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    **_ENTRYWISE,
    "mse": F.mse_loss,
    "gaussian_nll": F.gaussian_nll_loss,
}


def loss_function(
    loss: UserLoss | Mapping[str, UserLoss] | None,
    weights: Tensor | list[Tensor] | None = None,
    axes: Mapping[str, int | None] | None = None,
) -> Losses | None:
    """Return the loss that an argument of the monitor gives or names; of several heads by name.

    `axes` are those of the classes in the outputs of heads, as far as a reading has shown them.
    """
    known = axes or {}
    if loss is None:
        return None
    if isinstance(loss, Mapping):
        return {head: SampleLoss(own, weights, known.get(head)) for head, own in loss.items()}
    return SampleLoss(loss, weights, next(iter(known.values())) if len(known) == 1 else None)


@dataclass(frozen=True, eq=False)
class SampleLoss:
    """The loss of the monitor's reading, as a function of outputs and targets."""

    #: As understood.
    loss: UserLoss
    #: How much every sample or token counts, see `QuantityData`.
    weights: Tensor | list[Tensor] | None = None
    #: Axis of the classes in the model's output; None where it is not known.
    axis: int | None = None

    def __call__(self, outputs: Any, targets: Any) -> Tensor:
        """Return L."""
        u, goal, samples = self._matched(outputs, targets)
        if self.weights is None:
            return self._even(u, goal)
        w = self._of_rows(samples).to(u.device)
        kept = w > 0
        if not bool(kept.any()):
            raise InputError("mask", "leaves out every sample", "let one sample count")
        u, goal, w = u[kept], goal[kept], w[kept]
        return self._even(u, goal) if bool((w == w[0]).all()) else self._uneven(u, goal, w)

    def _matched(self, outputs: Any, targets: Any) -> tuple[Tensor, Tensor, torch.Size]:
        """Return outputs and targets as rows of samples, and the shape of the samples."""
        u = _tensor("outputs", outputs)
        goal = _tensor("targets", targets).to(u.device)
        if self.loss.has_labels(goal):
            u = self._classes_last(u, goal)
            return u.reshape(-1, u.shape[-1]), goal.reshape(-1).long(), goal.shape
        if goal.shape in ((*u.shape, 1), u.shape[:-1]) and goal.numel() == u.numel():
            goal = goal.reshape(u.shape)
        if goal.shape != u.shape:
            # (N,) beside (N, 1) must not become (N, N).
            raise _unlike(u, goal)
        if self.loss.name == "cross_entropy" and u.ndim > 2 and self._place is not None:
            u, goal = u.movedim(self._place, -1), goal.movedim(self._place, -1)
        rows = _rows("outputs", u)
        return rows, _rows("targets", goal).to(u), u.shape[:-1] if u.ndim > 1 else u.shape

    @property
    def _place(self) -> int | None:
        """Axis of the classes: the one that was seen, else PyTorch's for what is PyTorch's."""
        return self.axis if self.axis is not None or self.loss.named else 1

    def _classes_last(self, u: Tensor, labels: Tensor) -> Tensor:
        """Return outputs with the classes on the last axis."""
        for place in (self._place, u.ndim - 1, 1):
            if place is not None and place < u.ndim and _without(u.shape, place) == labels.shape:
                return u.movedim(place, -1)
        raise _unlike(u, labels)

    def _of_rows(self, samples: torch.Size) -> Tensor:
        """Return the weight of every row."""
        if isinstance(self.weights, Tensor):
            return row_weights(self.weights, samples, "the output").double()
        return torch.cat([own.reshape(-1) for own in self.weights or ()]).double()

    def _even(self, u: Tensor, goal: Tensor) -> Tensor:
        if not self.loss.named:
            return self.loss.given(u, goal)  # type: ignore[no-any-return]
        if self.loss.name in _ENTRYWISE:
            return entrywise(_ENTRYWISE[self.loss.name], u, goal)
        return squares(u, goal) if self.loss.squares else cross_entropy(u, goal)

    def _uneven(self, u: Tensor, goal: Tensor, w: Tensor) -> Tensor:
        """Return Σ w ℓ/Σ w c in the units of the loss, as the reading does; c are class weights."""
        name = self.loss.name
        settings = {k: v for k, v in self.loss.settings.items() if k != "reduction"}
        counts = torch.ones(len(u), dtype=w.dtype, device=u.device)
        if name == "cross_entropy":
            losses, scale = F.cross_entropy(u, goal, reduction="none", **settings), 1.0
            if self.loss.has_labels(goal):
                own, known = settings.get("weight"), goal != self.loss.ignored
                counts = known.to(w) if own is None else own.to(w)[goal.clamp(min=0)] * known
        else:
            losses = _FUNCTIONS[name](u, goal, reduction="none", **settings).sum(dim=1)
            scale = 1.0 if self.loss.named else 1.0 / u.shape[1]
        if not self.loss.named and self.loss.settings.get("reduction") == "sum":
            scale = float(counts.sum())
        return scale * (w * losses).sum() / (w * counts).sum()


def _without(shape: torch.Size, axis: int) -> tuple[int, ...]:
    return (*shape[:axis], *shape[axis + 1 :])


def entrywise(function: Callable[..., Tensor], outputs: Any, targets: Any) -> Tensor:
    """Return  mean over samples of a loss that is summed over outputs."""
    u, goal = (_rows(name, t) for name, t in (("outputs", outputs), ("targets", targets)))
    if u.shape != goal.shape:
        raise _unlike(outputs, targets)
    return function(u, goal.to(u), reduction="none").sum(dim=1).mean()


def squares(outputs: Any, targets: Any) -> Tensor:
    """Return  mean over samples of ‖u − u*‖²,  summed over outputs, as the reading does (F6)."""
    u, goal = (_rows(name, t) for name, t in (("outputs", outputs), ("targets", targets)))
    # (N,) beside (N, 1) must not become (N, N).
    if u.shape != goal.shape:
        raise _unlike(outputs, targets)
    return (u - goal.to(u)).square().sum(dim=1).mean()


def cross_entropy(outputs: Any, targets: Any) -> Tensor:
    """Return  mean over samples of −log softmax(u) at the label;  labels −100 are left out.

    Classes are on the last axis, or on the second where only that fits the labels.
    """
    u, goal = _tensor("outputs", outputs), _tensor("targets", targets).to(outputs.device)
    if goal.is_floating_point():
        if u.shape != goal.shape:
            raise _unlike(outputs, targets)
        return F.cross_entropy(_rows("outputs", u), _rows("targets", goal).to(u.dtype))
    # Tokens and positions are samples.
    if u.shape[:-1] == goal.shape:
        return F.cross_entropy(u.reshape(-1, u.shape[-1]), goal.reshape(-1).long())
    if u.ndim > 2 and u.shape[:1] + u.shape[2:] == goal.shape:
        return F.cross_entropy(u, goal.long())
    raise _unlike(outputs, targets)


def _tensor(name: str, value: Any) -> Tensor:
    if not isinstance(value, Tensor):
        kind = "missing" if value is None else f"a {type(value).__name__}"
        raise InputError(name, f"are {kind}", "pass a tensor with one row per sample")
    return value


def _rows(name: str, value: Any) -> Tensor:
    """Return a tensor as samples × outputs: all axes but the last are samples."""
    tensor = _tensor(name, value)
    return tensor.reshape(-1, 1 if tensor.ndim < 2 else tensor.shape[-1])


def _unlike(outputs: Tensor, targets: Tensor) -> InputError:
    shapes = f"have shape {tuple(targets.shape)}, the outputs {tuple(outputs.shape)}"
    return InputError("targets", shapes, "pass one target for every sample")
