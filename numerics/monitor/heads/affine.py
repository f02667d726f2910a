"""Whether the output is affine in what the head gives, u = D·h + r, and which D and r (F7).

Derivatives in one random direction at h, at −10h and at a far random point agree to rounding for
an affine function. Clamps, ReLU, exponentials and normalisations differ at one of the three, and a
harmless cast to a narrower type agrees. Functions whose derivative is not their own (rounding with
a straight-through gradient) show in the values there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from epsrank.numerics.monitor.heads.insertion import RANKS, Insertion, Pass
from epsrank.theory.errors import InputError
from epsrank.theory.words import plural

# Rounding in units of the roundoff: of what follows the head, some operations on every number.
_ROUNDINGS = 64

# How far the far point lies, in units of the largest output of the head.
_FAR = 1000.0

# Most outputs of one sample where each of them depends on several of the head's: pooled tokens.
_MOST_POOLED = 64

_REMEDY = (
    "return what the head gives, and apply the rest in the loss "
    "(binary_cross_entropy_with_logits for a sigmoid, cross_entropy for a softmax), "
    f"or {RANKS}"
)


@dataclass(frozen=True, eq=False)
class AffineMap:
    """One output of the model as a function of the flattened h of the head:  u = D·h + r."""

    #: Name of the output.
    name: str
    #: The model's own u.
    outputs: Tensor
    #: r, of the same shape; None where u is h as it is.
    offset: Tensor | None
    #: The entry of h that each entry of u depends on; None where it may be several.
    source: Tensor | None
    #: D: of the shape of u with a `source` (None for ones), else (E, *h) with the derivatives of
    #: the E outputs of a sample.
    slope: Tensor | None


def affine_map(
    insertion: Insertion, head: str, output: str | None, *, thorough: bool = True
) -> tuple[AffineMap, Pass]:
    """Return u as an affine function of the head's h on these samples, and the pass itself.

    `thorough` passes test that it is one; without them D and r are found all the same, and hold for
    h as it is. Whatever cannot be read raises an `InputError` that says why.
    """
    with insertion.passes():
        own = insertion.run()
        if not own.given:
            raise InputError(
                "head", f"{head!r} was not called in the pass", "name the layer that is: head='…'"
            )
        direction = _random(own.given, 0, lambda t: t.sign() * (0.5 + t.abs()))
        name = _chosen(own, direction, output, head)
        slope = own.along(name, direction)
        if thorough:
            if not _same(own, insertion.run(), name):
                raise InputError(
                    "model",
                    "gives different outputs for the same samples in two passes",
                    "turn noise such as functional dropout off in evaluation mode",
                )
            try:
                _refuse_curves(insertion, head, name, own, direction, slope)
            except InputError as error:
                if insertion.differentiates:
                    raise insertion.differentiated() from error
                raise
        found = _identity(own, name, direction, slope)
        if found is None:
            found = _followed(insertion, head, name, own, direction, slope)
    return found, own


def _random(like: list[Tensor], seed: int, shape: object) -> list[Tensor]:
    """Return random tensors like some others."""
    generator = torch.Generator().manual_seed(seed)
    return [
        shape(torch.randn(h.shape, generator=generator, dtype=torch.float64)).to(h)  # type: ignore[operator]
        for h in like
    ]


def _same(one: Pass, other: Pass, name: str) -> bool:
    """Whether two passes agree bit for bit, NaN included."""
    pairs = [*zip(one.given, other.given, strict=False), (one.outputs[name], other.outputs[name])]
    equal = all(
        a.shape == b.shape and torch.equal(a.nan_to_num(), b.nan_to_num()) for a, b in pairs
    )
    return equal and len(one.given) == len(other.given)


def _chosen(own: Pass, direction: list[Tensor], output: str | None, head: str) -> str:
    """Return the output that is read: the one asked for, or the only one that the head moves."""
    if output is not None:
        if output not in own.outputs:
            known = ", ".join(repr(name) for name in own.outputs) or "no tensor"
            raise InputError("output", f"is {output!r}", f"the model gives {known}")
        return output
    moved = [name for name in own.outputs if bool((own.along(name, direction) != 0).any())]
    if not moved and len(own.outputs) == 1:
        return next(iter(own.outputs))
    if not moved:
        raise InputError(
            "head", f"{head!r} does not reach the output", "name the layer that gives the output"
        )
    if len(moved) > 1:
        raise InputError(
            "output",
            f"is one of {', '.join(repr(name) for name in moved)}, which all depend on {head!r}",
            f"say which has the targets: output={moved[0]!r}",
        )
    return moved[0]


def _rounding(*tensors: Tensor) -> float:
    """Return what a few operations round by, relatively, in the narrowest of some types."""
    return _ROUNDINGS * max(torch.finfo(tensor.dtype).eps for tensor in tensors)


def _refuse_curves(
    insertion: Insertion,
    head: str,
    name: str,
    own: Pass,
    direction: list[Tensor],
    slope: Tensor,
) -> None:
    """Refuse a function whose derivatives, or whose values, are not those of an affine one."""
    h = own.given
    for part, what in (*((p, repr(head)) for p in h), (own.outputs[name], "the output")):
        if not bool(part.isfinite().all()):
            problem = f"{what} has NaN or infinite values, of which no derivative tells anything"
            raise InputError("head", problem, "measure before the training diverges")
    size = max(1.0, *(float(part.abs().nan_to_num().max()) for part in h if part.numel()), 0.0)
    # Squares of it stay in the range of the type.
    size = min(_FAR * size, math.sqrt(torch.finfo(h[0].dtype).max) / 8)
    far = [part * size for part in _random(h, 1, lambda t: t)]
    relative = _rounding(h[0], slope)
    for place in ([-10 * part for part in h], far):
        there = insertion.run(place)
        other = there.along(name, direction)
        if other.shape != slope.shape:
            problem = f"{head!r} is followed by something that changes the shape of the output"
            raise InputError("head", problem, _REMEDY)
        largest = torch.maximum(slope.abs(), other.abs())
        if not bool(((slope - other).abs() <= relative * largest.max()).all()):
            raise _curved(head, name, slope, other)
        # The values must follow the derivative along the way.
        between = [a - b for a, b in zip(place, h, strict=True)]
        straight = own.along(name, between).double()
        moved = there.outputs[name].double() - own.outputs[name].double()
        room = straight.abs() + there.outputs[name].abs() + own.outputs[name].abs()
        if not bool(((moved - straight).abs() <= 4 * relative * room.max()).all()):
            raise _curved(head, name, slope, other)


def _curved(head: str, name: str, slope: Tensor, other: Tensor) -> InputError:
    entry = int((slope - other).abs().nan_to_num().argmax())
    one, two = float(slope.flatten()[entry]), float(other.flatten()[entry])
    change = f"a derivative changes from {one:.3g} to {two:.3g}"
    if one == two:
        change = "values are rounded, or do not follow their derivative"
    output = f"the output {name!r}" if name else "the output"
    problem = f"{head!r} is not the end: what makes {output} of it is not affine ({change})"
    return InputError("head", problem, _REMEDY)


def _identity(own: Pass, name: str, direction: list[Tensor], slope: Tensor) -> AffineMap | None:
    """Return u = h where that is what the model gives, bit for bit."""
    u = own.outputs[name]
    if len(own.given) != 1 or u.numel() != own.given[0].numel():
        return None
    h, v = own.given[0].reshape(u.shape), direction[0].reshape(u.shape)
    if not torch.equal(u, h) or not torch.equal(slope, v):
        return None
    source = torch.arange(u.numel()).reshape(u.shape)
    return AffineMap(name, u, None, source, None)


def _followed(
    insertion: Insertion,
    head: str,
    name: str,
    own: Pass,
    direction: list[Tensor],
    tangent: Tensor,
) -> AffineMap:
    """Find which entries of h each entry of u depends on, and how."""
    h, u = own.given, own.outputs[name]
    offset = insertion.run([torch.zeros_like(part) for part in h]).outputs[name].double()
    slope = own.along(name, [torch.ones_like(part) for part in h]).double()
    total = sum(part.numel() for part in h)
    source = torch.zeros(slope.shape, dtype=torch.long, device=slope.device)
    # A derivative carries as many digits of a number as its type has to spare.
    relative = _rounding(h[0], u)
    base = max(2, int(0.5 / relative))
    scale, plain = 1, torch.where(slope == 0, 1.0, slope)
    numbers = torch.arange(total, device=h[0].device)
    while scale < total:
        digits = _split((numbers // scale) % base, h)
        found = own.along(name, digits).double() / plain
        source += scale * found.nan_to_num().round().long().clamp(0, base - 1)
        scale *= base
    source.clamp_(0, total - 1)
    flat = torch.cat([part.flatten() for part in direction]).double()
    wanted = slope * flat[source]
    if bool(((tangent.double() - wanted).abs() <= relative * wanted.abs()).all()):
        return AffineMap(name, u, offset, source, slope)
    return _pooled(head, name, own, tangent.double(), direction, offset)


def _split(numbers: Tensor, like: list[Tensor]) -> list[Tensor]:
    """Return numbers in the shapes and types of some tensors."""
    pieces = numbers.split([part.numel() for part in like])  # type: ignore[no-untyped-call]
    return [
        piece.to(part.dtype).reshape(part.shape) for piece, part in zip(pieces, like, strict=True)
    ]


def _pooled(
    head: str,
    name: str,
    own: Pass,
    tangent: Tensor,
    direction: list[Tensor],
    offset: Tensor,
) -> AffineMap:
    """Return all derivatives of few outputs, where each depends on several entries of h."""
    u = own.outputs[name]
    samples = len(u)
    per_sample = u.numel() // samples if samples else 0
    together = f"{head!r} gives what is mixed before it is the output"
    remedy = "name the layer that gives the output, or " + RANKS
    if len(own.given) > 1:
        problem = (
            f"{head!r} is called {len(own.given)} times in one pass, and what it gives is added"
        )
        raise InputError("head", problem, "name a layer that is called once, or " + RANKS)
    if len(own.given[0]) != samples:
        raise InputError("head", f"{together}, across samples", remedy)
    if per_sample > _MOST_POOLED:
        problem = (
            f"{together}: {plural(per_sample, 'output')} of a sample depend on several of its own"
        )
        raise InputError("head", problem, remedy)
    rows = own.gradients(name).double()
    v = direction[0].double()
    shape = (per_sample, samples, -1)
    wanted = (rows * v).reshape(shape).sum(-1).T
    room = (rows * v).abs().reshape(shape).sum(-1).T
    relative = _rounding(own.given[0], u)
    if not bool(((tangent.reshape(wanted.shape) - wanted).abs() <= relative * room).all()):
        raise InputError("head", f"{together}, across samples", remedy)
    return AffineMap(name, u, offset, None, rows)
