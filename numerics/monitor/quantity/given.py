"""What a quantity is given, refused in one line where it cannot be used: model, samples, loss."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from epsrank.numerics.monitor.model.passes import is_one_call
from epsrank.numerics.monitor.quantity.contract import QuantityData
from epsrank.theory.errors import InputError, described
from epsrank.theory.words import plural

# What a model or a loss raises where it was given the wrong thing. Memory that runs out is a
# RuntimeError too, and nobody's argument.
_WRONG = (RuntimeError, TypeError, ValueError, IndexError)


def as_model(model: Any) -> nn.Module:
    """Return a model."""
    if not isinstance(model, nn.Module):
        name = getattr(model, "__name__", f"a {type(model).__name__}")
        raise InputError("model", f"is {name}", "pass a torch.nn.Module")
    return model


def as_samples(data: Any) -> QuantityData:
    """Return samples whose inputs are tensors with at least one row."""
    if not isinstance(data, QuantityData):
        kind = "is missing" if data is None else f"is a {type(data).__name__}"
        raise InputError("data", kind, "pass QuantityData(inputs, targets)")
    leaves = tree_leaves(data.inputs)
    if any(isinstance(leaf, np.ndarray) for leaf in leaves):
        raise InputError(
            "inputs", "are a NumPy array, and the model takes tensors",
            "pass torch.as_tensor(inputs, dtype=torch.float32), or in the dtype of the model",
        )  # fmt: skip
    tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor) and leaf.ndim]
    if not tensors or not all(len(leaf) for leaf in tensors):
        what = "hold no samples" if tensors or data.inputs == [] else _kind(data.inputs)
        raise InputError("inputs", what, "pass a tensor with at least one row")
    return data


def _kind(value: Any) -> str:
    return "are missing" if value is None else f"are a {type(value).__name__} without tensors"


@contextmanager
def through(model: nn.Module, inputs: Any) -> Iterator[None]:
    """Name the inputs where a model cannot take them."""
    try:
        yield
    except (InputError, torch.OutOfMemoryError):
        raise
    except _WRONG as error:
        leaf = next((x for x in tree_leaves(inputs) if isinstance(x, Tensor) and x.ndim), None)
        own = next((p.dtype for p in model.parameters() if p.is_floating_point()), None)
        shown = "" if leaf is None else f" of shape {tuple(leaf.shape)} and {leaf.dtype}"
        remedy = "pass what the model takes"
        if leaf is not None and own not in (None, leaf.dtype) and "dtype" in str(error):
            remedy = f"pass inputs.to({own})"
        problem = f"{shown} do not go through the model ({described(error)})".lstrip()
        raise InputError("inputs", problem, remedy) from error


def as_loss(loss: Any) -> CheckedLoss:
    """Return a loss that refuses what it would broadcast or not understand."""
    if isinstance(loss, CheckedLoss):
        return loss
    if not callable(loss) or isinstance(loss, (type, Mapping)):
        kind = f"is the class {loss.__name__}" if isinstance(loss, type) else _is(loss)
        raise InputError("loss", kind, "pass a function of outputs and targets")
    return CheckedLoss(loss)


def _is(loss: Any) -> str:
    if isinstance(loss, Mapping):
        return "has several heads, which are no one number"
    return "is missing" if loss is None else f"is a {type(loss).__name__}"


class CheckedLoss:
    """A user's loss; where outputs and targets do not go together that is one line.

    Targets (N,) beside outputs (N, 1) become N × N numbers in most losses, and the mean over them
    is finite and wrong. PyTorch's own losses warn of it, others say nothing.
    """

    def __init__(self, given: Callable[[Any, Any], Any]) -> None:
        self.given = given

    def __call__(self, outputs: Any, targets: Any) -> Tensor:
        """Return L, a tensor of no axes."""
        self.refuse_labels(outputs, targets)
        return self.of(outputs, targets)

    def of(self, outputs: Any, targets: Any) -> Tensor:
        """Return L without a look at numbers, which a transform such as `vmap` does not allow."""
        try:
            with warnings.catch_warnings(), _Pairing(outputs, targets):
                warnings.filterwarnings("error", "Using a target size", UserWarning)
                value = self.given(outputs, targets)
        except (InputError, torch.OutOfMemoryError):
            raise
        except (UserWarning, *_WRONG) as error:
            raise _unlike(outputs, targets, error) from error
        if not isinstance(value, Tensor) or value.numel() != 1:
            kind = f"a {type(value).__name__}"
            if isinstance(value, Tensor):
                kind = f"numbers of shape {tuple(value.shape)}"
            raise InputError("loss", f"gives {kind}", "pass one that takes the mean over samples")
        return value if value.ndim == 0 else value.reshape(())

    def refuse_labels(self, outputs: Any, targets: Any) -> None:
        """Refuse labels of no class: on a GPU they end the process and not the call."""
        ignored = _ignored_label(self.given)
        if ignored is None or not isinstance(outputs, Tensor) or outputs.ndim < 2:
            return
        if isinstance(targets, Tensor) and not targets.is_floating_point():
            classes = outputs.shape[1]
            outside = ((targets < 0) | (targets >= classes)) & (targets != ignored)
            if bool(outside.any()):
                label = int(targets[outside][0])
                problem = f"hold the label {label}, and the model has {plural(classes, 'output')}"
                raise InputError("targets", problem, f"pass labels from 0 to {classes - 1}")


def _ignored_label(loss: Any) -> int | None:
    """Return the label that a loss of classes leaves out; None of another loss."""
    found = -100
    while isinstance(loss, functools.partial):
        found = loss.keywords.get("ignore_index", found)
        loss = loss.func
    if isinstance(loss, (nn.CrossEntropyLoss, nn.NLLLoss)):
        return int(loss.ignore_index)
    return int(found) if loss in (F.cross_entropy, F.nll_loss) else None


def _unlike(outputs: Any, targets: Any, error: BaseException | None = None) -> InputError:
    """Say which targets do not go with which outputs."""
    if not isinstance(targets, Tensor):
        kind = "are missing" if targets is None else f"are a {type(targets).__name__}"
        remedy = "pass targets of the samples" if targets is None else "pass a tensor"
        if isinstance(outputs, Tensor):
            return InputError("targets", kind, remedy)
    if not (isinstance(outputs, Tensor) and isinstance(targets, Tensor)):
        assert error is not None
        return InputError("loss", f"does not take these outputs ({described(error)})", "mend it")
    shapes = f"have shape {tuple(targets.shape)}, the outputs {tuple(outputs.shape)}"
    if outputs.numel() == targets.numel() and outputs.shape != targets.shape:
        return InputError("targets", shapes, "pass targets.reshape(outputs.shape)")
    if targets.is_floating_point() and outputs.ndim == targets.ndim + 1:
        problem = f"are {targets.dtype} and {shapes}"
        return InputError("targets", problem, "pass labels as whole numbers: targets.long()")
    why = "" if error is None or isinstance(error, UserWarning) else f" ({described(error)})"
    return InputError("targets", shapes + why, "pass one target for every sample and output")


class _Pairing(TorchFunctionMode):
    """Refuse to pair every output with every target, entry by entry."""

    def __init__(self, outputs: Any, targets: Any) -> None:
        super().__init__()
        self.ends = outputs, targets
        # Images of each entry by entry, such as targets.double(); kept, so that no id comes again.
        self.images: tuple[list[Any], list[Any]] = ([outputs], [targets])

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        if not isinstance(found, Tensor):
            return found
        given = [a for a in args if isinstance(a, Tensor)]
        if len(given) == 1 and found.shape == given[0].shape:
            for images in self.images:
                if any(given[0] is image for image in images):
                    images.append(found)
        elif len(given) == 2 and found.numel() > max(a.numel() for a in given):
            whose = [[any(a is image for image in images) for images in self.images] for a in given]
            if whose in ([[True, False], [False, True]], [[False, True], [True, False]]):
                raise _unlike(*self.ends)
        return found


def blamed(model: nn.Module, data: QuantityData, value: float) -> InputError:
    """Say what made a loss that is not finite: samples, weights, or the training itself."""
    for name, tree in (("inputs", data.inputs), ("targets", data.targets)):
        batches = [tree] if is_one_call(tree) or not isinstance(tree, list) else tree
        for number, batch in enumerate(batches):
            for leaf in tree_leaves(batch):
                if (row := _first_odd(leaf)) is not None:
                    where = f"sample {row}" + (f" of batch {number}" if len(batches) > 1 else "")
                    problem = f"have numbers that are not finite, first in {where}"
                    return InputError(name, problem, "leave such samples out")
    for name, parameter in model.named_parameters():
        if not bool(torch.isfinite(parameter).all()):
            problem = f"has weights that are not finite ({name})"
            return InputError("model", problem, "measure before the training diverges")
    return InputError("loss", f"is {value}", "measure before the training diverges")


def _first_odd(leaf: Any) -> int | None:
    if not isinstance(leaf, Tensor) or not leaf.is_floating_point() or not leaf.ndim:
        return None
    odd = ~torch.isfinite(leaf).reshape(len(leaf), -1).all(dim=1)
    return int(odd.nonzero()[0]) if bool(odd.any()) else None
