"""Values, gradients and pure second derivatives of a network in one pass, by the rules of calculus.

Nested forward differentiation serves any function, one derivative at a time, and costs some ten
times a plain pass. A jet carries u, ∂_i u and ∂_i² u at once through the few operations of which
networks consist: the same numbers up to rounding, in about the time of one wide pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from epsrank.numerics.operators.derivatives import Function, partial

# σ, σ′, σ″ and σ‴ at once, where a jet meets the torch function of σ.
Rule = Callable[[Tensor], tuple[Tensor, Tensor, Tensor, Tensor]]


class _Composition(torch.autograd.Function):
    """σ∘f with its derivatives, and the adjoint of that, each in as few passes as there can be.

    Automatic differentiation of the same formulas would keep every product, and spend most of its
    time on slices. The adjoint consists of differentiable operations, so it can be differentiated.
    """

    generate_vmap_rule = True  # many networks at once are differentiated by the same passes

    @staticmethod
    def forward(parts: Tensor, rule: Rule, a: int) -> Tensor:
        """Return σ(f), σ′∂f, and σ″(∂f)² + σ′∂²f."""
        value, slope, bend, _ = rule(parts[0])
        image = slope * parts
        image[0] = value
        if len(parts) > 1 + a:
            square = parts[1 : len(parts) - a].square()
            image[1 + a :] = torch.addcmul(image[1 + a :], bend, square)
        return image

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Rule, int], output: Tensor) -> None:
        """Keep what the adjoint needs."""
        parts, ctx.rule, ctx.a = inputs
        # Nothing else: σ and its derivatives follow from f.
        ctx.save_for_backward(parts)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        """Return σ′v + σ″Σ(f_i v_i + f_ii v_ii) + σ‴Σ f_i² v_ii, σ′v_i + 2σ″f_i v_ii and σ′v_ii.

        v, v_i and v_ii are the cotangents of σ(f) and of its first and second derivatives.
        """
        (parts,), a = ctx.saved_tensors, ctx.a
        (grad,) = grads
        _, slope, bend, third = ctx.rule(parts[0])
        back = slope * grad
        inner = slope * grad[0]
        rest = parts[1:] * grad[1:]
        if a:
            inner = inner + bend * rest.sum(dim=0)
        b = len(parts) - 1 - a
        if not b:
            return torch.cat([inner[None], back[1:]]), None, None
        first = parts[1 : 1 + b]
        curved = first * grad[1 + a :]
        inner = inner + third * (first * curved).sum(dim=0)
        middle = back[1 : 1 + b] + 2 * bend * curved
        return torch.cat([inner[None], middle, back[1 + b :]]), None, None


class Jet:
    """f, ∂_i f and ∂_i² f at N points for m functions f.

    `parts` is f, its a first derivatives, and second derivatives along the first b of the same
    axes.
    """

    def __init__(self, parts: Tensor, axes: tuple[int, ...]) -> None:
        self._parts, self._axes = parts, axes

    @property
    def value(self) -> Tensor:
        """The values f, shape (N, m)."""
        return self._parts[0]

    def first(self, axis: int) -> Tensor:
        """Return ∂f/∂x_axis."""
        return self._parts[1 + self._axes.index(axis)]

    def second(self, axis: int) -> Tensor:
        """Return ∂²f/∂x_axis²."""
        return self._parts[1 + len(self._axes) + self._axes.index(axis)]

    @property
    def shape(self) -> torch.Size:
        """Shape of f."""
        return self.value.shape

    @property
    def ndim(self) -> int:
        """Axes of f."""
        return self.value.ndim

    def reshape(self, *sizes: int) -> Jet:
        """Return the jet itself, whose shape may be asked for again."""
        if sizes not in {(self.shape[0], -1), tuple(self.shape)}:
            raise TypeError("a jet has samples and functions, and no other shape")
        return self

    def square(self) -> Jet:
        """Return f²."""
        return self._compose(_square)

    def _compose(self, rule: Rule) -> Jet:
        """Return σ∘f."""
        parts = _Composition.apply(self._parts, rule, len(self._axes))  # type: ignore[no-untyped-call]
        return Jet(parts, self._axes)

    def __add__(self, other: Any) -> Jet:
        """Return f + g, or f + c."""
        if isinstance(other, Jet):
            return Jet(self._parts + other._parts, self._axes)
        value, rest = torch.split(self._parts, [1, len(self._parts) - 1])
        shifted = value + other  # one function less eight numbers is eight functions
        return Jet(torch.cat([shifted, rest.expand(-1, *shifted.shape[1:])]), self._axes)

    def __mul__(self, other: Any) -> Jet:
        """Return fg by Leibniz' rule, or cf."""
        if not isinstance(other, Jet):
            return Jet(self._parts * other, self._axes)
        a = len(self._axes)
        b = len(self._parts) - 1 - a
        parts = self._parts * other.value
        rest = self.value * other._parts[1:]
        if b:
            # (fg)″ = f″g + 2f′g′ + fg″
            mixed = 2 * self._parts[1 : 1 + b] * other._parts[1 : 1 + b]
            rest = torch.cat([rest[:a], rest[a:] + mixed])
        return Jet(torch.cat([parts[:1], parts[1:] + rest]), self._axes)

    def __matmul__(self, other: Tensor) -> Jet:
        """Return fM for a matrix M."""
        return Jet(self._parts @ other, self._axes)

    def __neg__(self) -> Jet:
        """Return −f."""
        return Jet(-self._parts, self._axes)

    def __sub__(self, other: Any) -> Jet:
        """Return f − g, or f − c."""
        return self.__add__(-other)

    def __rsub__(self, other: Any) -> Jet:
        """Return c − f."""
        return (-self).__add__(other)

    __radd__, __rmul__ = __add__, __mul__

    @classmethod
    def __torch_function__(
        cls,
        function: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Carry a jet through a torch function, where there is a rule for it."""
        jet = args[0] if args else None
        if function in _RULES and isinstance(jet, Jet) and len(args) == 1 and not kwargs:
            return jet._compose(_RULES[function])
        if function is torch.nn.functional.linear and isinstance(jet, Jet) and not kwargs:
            image = jet @ args[1].T
            return image if len(args) < 3 or args[2] is None else image + args[2]
        if function is torch.cat and (kwargs or {}).get("dim") == 1 and len(args) == 1:
            jets = [part for part in args[0] if isinstance(part, Jet)]
            if len(jets) == len(args[0]):
                return Jet(torch.cat([part._parts for part in jets], dim=2), jets[0]._axes)
        # A tensor or number on the left, such as c * f, comes as the tensor's own method.
        name = _REFLECTED.get(getattr(function, "__name__", ""))
        if name is not None and len(args) == 2 and not kwargs:
            jet, other = (args[1], args[0]) if isinstance(args[1], Jet) else (args[0], args[1])
            reflect = name if jet is args[1] else name.replace("__r", "__")
            return getattr(jet, reflect)(other)
        # A TypeError in the network's forward then: `derivatives` differentiates without jets.
        return NotImplemented


_REFLECTED = {
    "add": "__radd__",
    "__add__": "__radd__",
    "__radd__": "__radd__",
    "sub": "__rsub__",
    "__sub__": "__rsub__",
    "mul": "__rmul__",
    "__mul__": "__rmul__",
    "__rmul__": "__rmul__",
}


def _tanh(z: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    t = torch.tanh(z)
    slope = 1 - t * t
    return t, slope, -2 * t * slope, slope * (4 - 6 * slope)


def _sigmoid(z: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    s = torch.sigmoid(z)
    slope = s * (1 - s)
    return s, slope, slope * (1 - 2 * s), slope * (1 - 6 * slope)


def _sine(z: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    s, c = torch.sin(z), torch.cos(z)
    return s, c, -s, -c


def _cosine(z: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    s, c = torch.sin(z), torch.cos(z)
    return c, -s, -c, s


def _exponential(z: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    e = torch.exp(z)
    return e, e, e, e


def _square(z: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return z * z, 2 * z, torch.full_like(z, 2.0), torch.zeros_like(z)


def _erf(z: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    slope = 2 / math.sqrt(math.pi) * torch.exp(-z * z)
    return torch.erf(z), slope, -2 * z * slope, (4 * z * z - 2) * slope


def _relu(z: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    zero = torch.zeros_like(z)
    # The slope at z = 0 is 0, as PyTorch has it.
    return torch.relu(z), (z > 0).to(z.dtype), zero, zero


def _elu(z: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    slope = torch.exp(torch.clamp(z, max=0.0))  # 1 where z > 0, and no overflow there
    bend = torch.where(z > 0, 0.0, slope)
    return torch.nn.functional.elu(z), slope, bend, bend


def _gelu(z: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    below = (1 + torch.erf(z / math.sqrt(2))) / 2
    density = torch.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    bend = (2 - z * z) * density
    return torch.nn.functional.gelu(z), below + z * density, bend, z * (z * z - 4) * density


_RULES: dict[Any, Rule] = {
    torch.tanh: _tanh,
    torch.sigmoid: _sigmoid,
    torch.sin: _sine,
    torch.cos: _cosine,
    torch.exp: _exponential,
    torch.erf: _erf,
    torch.relu: _relu,
    torch.square: _square,
    torch.nn.functional.elu: _elu,
    torch.nn.functional.gelu: _gelu,
}


def derivatives(function: Function, x: Tensor, orders: Sequence[int]) -> Jet:
    """Return u with its first and pure second derivatives at points.

    `function` is u, from points (N, d) to values (N, m), each row from its own point alone.
    Networks of linear layers and the suite's activations are carried through as jets; any other
    function is differentiated forward, one derivative at a time.
    """
    # Second order first: the second derivatives of a jet are along the first of its axes.
    axes = tuple(axis for order in (2, 1) for axis, wanted in enumerate(orders) if wanted == order)
    twice = sum(order == 2 for order in orders)
    units = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    seeds = [x, *(units[axis].expand_as(x) for axis in axes), *[torch.zeros_like(x)] * twice]
    try:
        found = function(Jet(torch.stack(seeds), axes))  # type: ignore[arg-type]
    except (TypeError, AttributeError):  # an operation without a rule; a true fault comes again
        found = None
    if isinstance(found, Jet):
        return found
    first = [partial(function, axis) for axis in axes]
    second = [partial(first[index], axis) for index, axis in enumerate(axes[:twice])]
    return Jet(torch.stack([f(x) for f in (function, *first, *second)]), axes)
