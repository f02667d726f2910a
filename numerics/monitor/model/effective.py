"""The map u = φW + b that an output layer computes, whatever its weights are made of."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.utils import parametrize

from epsrank.numerics.monitor.model.convolutions import is_readable, patch_weights
from epsrank.numerics.monitor.model.features import first_tensor
from epsrank.numerics.monitor.model.passes import untouched
from epsrank.theory.errors import InputError, described
from epsrank.theory.numbers.arrays import Matrix, Vector
from epsrank.theory.words import plural

# An affine map is told from others at points of these sizes, up to this many units of rounding.
_SIZES = (1.0, -10.0, 1000.0)
_ROUNDINGS = 64


def effective_weight(
    head: nn.Module, width: int | None = None, *, as_is: bool = False
) -> tuple[Matrix, Vector | None]:
    """Return W (n, k) and b (k,) of u = φW + b in float64; b is None for a layer without one.

    A plain ``nn.Linear`` is read. Any other module is called in evaluation mode: on 0 for b and on
    the unit vectors for W. So parametrisations, adapters and hooks count as in a forward pass, and
    nothing is advanced by being read: power iterations rest in evaluation mode. With `as_is` the
    mode stays, and W is what the very next pass takes, after its own power iteration.
    """
    if isinstance(head, nn.Linear) and _plain(head):
        weight, bias = head.weight, head.bias
        # Copies: on the CPU these can be the memory that the optimiser writes into.
        own = None if bias is None else _double(bias).numpy().copy()
        return _double(weight).numpy().T.copy(), own
    n = _width(head) if width is None else width
    if n is None:
        kind = type(head).__name__
        raise InputError("head", f"is a {kind}, so its weights are not known", "name an nn.Linear")
    try:
        return _called(head, n, as_is)
    except InputError:
        raise
    except Exception as error:
        kind = type(head).__name__
        problem = (
            f"is a {kind} that cannot be called on {plural(n, 'feature')} ({described(error)})"
        )
        raise InputError("head", problem, "name the nn.Linear that gives the output") from error


def _plain(head: nn.Linear) -> bool:
    """Whether the parameters of a layer are what it multiplies with."""
    return (
        type(head).forward is nn.Linear.forward
        and "forward" not in vars(head)
        and "weight" in head._parameters
        and not parametrize.is_parametrized(head)
        and not head._forward_hooks
        and not head._forward_pre_hooks
    )


def weight_of_rows(
    head: nn.Module, width: int, *, as_is: bool = False
) -> tuple[Matrix, Vector | None]:
    """Return W and b of the rows of `form_of`: of a convolution, those of its patches."""
    if not isinstance(head, _ConvNd) or not is_readable(head):
        return effective_weight(head, width, as_is=as_is)
    with untouched(head), torch.no_grad():
        if not as_is:
            head.eval()
        made, shift = patch_weights(head)
    shifts = None if shift is None else _double(shift).numpy().copy()
    return _double(made).numpy().copy(), shifts


def _width(head: nn.Module) -> int | None:
    """Return the number of features that a module takes, where it says so."""
    for part in (head, *head.modules()):
        given = getattr(part, "in_features", None)
        if isinstance(given, int):
            return given
    return None


def _called(head: nn.Module, n: int, as_is: bool) -> tuple[Matrix, Vector | None]:
    """Return W and b from calls of a module, once they agree with calls elsewhere."""
    own = next(head.parameters(), torch.zeros(()))
    # Unit vectors in bounded pieces, since an adapter may keep several copies of its input.
    points = torch.eye(n, dtype=own.dtype, device=own.device)
    with untouched(head), torch.no_grad(), torch.inference_mode(False):
        if not as_is:
            head.eval()
        start = _outputs(head, points.new_zeros(1, n))
        rows = torch.cat([_outputs(head, piece) for piece in torch.split(points, 256)])
        generator = torch.Generator().manual_seed(0)
        elsewhere = torch.randn(len(_SIZES), n, generator=generator).to(points)
        elsewhere *= torch.tensor(_SIZES, device=points.device, dtype=points.dtype)[:, None]
        there = _double(_outputs(head, elsewhere))
    bias = _double(start)[0]
    weight = _double(rows) - bias
    rounding = _ROUNDINGS * torch.finfo(own.dtype).eps
    points = _double(elsewhere)
    # Of W a rounding of |W_j + b|, of the sums over n features one of all their terms.
    size = points.abs() @ (weight.abs() + bias.abs()) + bias.abs()
    if not bool(((points @ weight + bias - there).abs() <= rounding * size).all()):
        kind = type(head).__name__
        problem = f"is a {kind} whose output is not of the form φW + b"
        raise InputError("head", problem, "name the nn.Linear that gives the output")
    has_bias = bool(bias.any()) or _can_have_bias(head, n, as_is=as_is)
    return weight.numpy().copy(), bias.numpy().copy() if has_bias else None


def _can_have_bias(head: nn.Module, n: int, *, as_is: bool) -> bool:
    """Whether a parameter moves the output at φ = 0: most biases start at 0."""
    own = {name: value.detach().requires_grad_() for name, value in head.named_parameters()}
    like = next(iter(own.values()), torch.zeros(()))
    try:
        with untouched(head), torch.inference_mode(False), torch.enable_grad():
            if not as_is:
                head.eval()
            made = torch.func.functional_call(head, own, (like.new_zeros(1, n),))
            output = first_tensor(made)
            if output is None:
                return False
            slopes = torch.autograd.grad(output.sum(), list(own.values()), allow_unused=True)
    except Exception:
        # A head that cannot be differentiated shows no bias by being called.
        return False
    return any(slope is not None and bool(slope.any()) for slope in slopes)


def _outputs(head: nn.Module, points: Tensor) -> Tensor:
    """Return the outputs at some points, every time from the same state."""
    with untouched(head):
        found: Any = first_tensor(head(points))
    if not isinstance(found, Tensor) or found.ndim != 2 or len(found) != len(points):
        kind = type(head).__name__
        raise InputError("head", f"is a {kind} that gives no row per sample", "name an nn.Linear")
    return found


def _double(values: Tensor) -> Tensor:
    return values.detach().double().cpu()
