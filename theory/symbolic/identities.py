"""The identities behind F1–F5 and N1, for explicit small n with every quantity a free symbol.

They are computed from the definitions (features, projections, gradients), not from the formulas
that they confirm: each compares a formula of the registry with what the definition gives. Those of
I1 are in `kernel_identities`, those of B1 and B4 in `flow_identities`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cache
from typing import Any

import sympy as sp

from epsrank.theory.symbolic.bound_identities import BOUND_PARTS
from epsrank.theory.symbolic.floor_statements import DUAL, LENGTH, PRIMAL, TAIL
from epsrank.theory.symbolic.flow_identities import FLOW_PARTS
from epsrank.theory.symbolic.identity import Identity
from epsrank.theory.symbolic.kernel_identities import KERNEL_PARTS
from epsrank.theory.symbolic.notation import B, alpha, b, gamma, lam, mu, n, p, target_square
from epsrank.theory.symbolic.selection_statements import DRAFT_FACTOR, FACTOR

_eps = sp.Symbol("epsilon", positive=True)
_bound = sp.Symbol("B", positive=True)
_lams = sp.symbols("lambda_1:4", positive=True)
_moments = sp.symbols("b_1:4", real=True)


def identities_of(statements: Collection[str]) -> tuple[Identity, ...]:
    """Return the identities behind these statements, in their order; no others are derived."""
    parts = (
        derive() for start, derive in PARTS if any(name.startswith(start) for name in statements)
    )
    return tuple(found for part in parts for found in part if found.statement in statements)


def at_size(formula: Any, size: int, keep: int | None = None) -> Any:
    """Write a formula out for n = size and p = keep, with λ_k, b_k, γ_k as plain symbols."""
    written = formula.subs({n: size} if keep is None else {n: size, p: keep}).doit()
    coefficients = sp.symbols("gamma_1:4", real=True)
    for index in range(size):
        written = written.subs(
            {
                lam[index + 1]: _lams[index],
                b[index + 1]: _moments[index],
                gamma[index + 1]: coefficients[index],
            }
        )
    return written


def _rotation(size: int) -> Any:
    """Return an orthogonal matrix with free parameters, rational by the half-angle substitution."""
    matrix = sp.eye(size)
    for column in range(size - 1):
        s = sp.Symbol(f"s_{column + 1}", real=True)
        cosine, sine = (1 - s**2) / (1 + s**2), 2 * s / (1 + s**2)
        turn = sp.eye(size)
        turn[column, column] = turn[column + 1, column + 1] = cosine
        turn[column, column + 1], turn[column + 1, column] = -sine, sine
        matrix = matrix * turn
    return matrix


def _tail_identities() -> tuple[Identity, ...]:
    """F1 for up to three neurons."""
    return tuple(_tail_identity(size, keep) for size, keep in ((2, 1), (3, 1), (3, 2)))


def _tail_identity(size: int, keep: int) -> Identity:
    """F1 from its definition: features A = ΣQᵀ, u = Aβ, distance of u to span(A q_1…q_p)."""
    q = _rotation(size)
    sigma = sp.symbols(f"sigma_1:{size + 1}", positive=True)
    beta = sp.Matrix(sp.symbols(f"beta_1:{size + 1}", real=True))
    a = sp.diag(*sigma) * q.T
    u = a * beta
    # Gram–Schmidt by the normal equations; cancelling at once keeps the fractions small.
    basis = (a * q[:, :keep]).applyfunc(sp.cancel)
    inner = (basis.T * basis).applyfunc(sp.cancel)
    residual = (u - basis * inner.inv() * (basis.T * u)).applyfunc(sp.cancel)
    coefficients = sp.symbols("gamma_1:4", real=True)
    formula = at_size(TAIL, size, keep).subs(
        {coefficients[k]: (q[:, k].T * beta)[0] for k in range(size)}
        | {_lams[k]: sigma[k] ** 2 for k in range(size)}
    )
    return Identity(
        f"tail-{size}-{keep}",
        "F1",
        f"‖u − P_p u‖² = Σ_(k>p) λ_k⟨q_k, β⟩² for n = {size}, p = {keep} and every λ, β, with Q a "
        "product of plane rotations",
        (residual.T * residual)[0],
        formula,
    )


def _duality_identities() -> tuple[Identity, ...]:
    """F3: D is concave, stationary at the secular equation, and without a gap there."""
    dual, length, primal = (at_size(formula, 3) for formula in (DUAL, LENGTH, PRIMAL))
    cubic = sum(m**2 / (x + mu) ** 3 for m, x in zip(_moments, _lams, strict=True))
    solution = [m / (x + mu) for m, x in zip(_moments, _lams, strict=True)]
    loss = target_square + sum(
        x * y**2 - 2 * m * y for x, y, m in zip(_lams, solution, _moments, strict=True)
    )
    return (
        Identity(
            "dual-slope",
            "F3-dual",
            "D′(μ) = ‖β(μ)‖² − B²: the dual is stationary where the secular equation holds",
            sp.diff(dual, mu),
            length - B**2,
        ),
        Identity(
            "dual-concave",
            "F3-dual",
            "−D″(μ) = 2 Σ b_k²/(λ_k + μ)³ ≥ 0: the dual is concave",
            -sp.diff(dual, mu, 2),
            2 * cubic,
        ),
        Identity(
            "dual-curvature-sign",
            "F3-dual",
            "that sum is non-negative for μ ≥ 0",
            2 * cubic,
            kind="nonnegative",
        ),
        Identity(
            "secular-decreasing",
            "F3-secular",
            "‖β(μ)‖² decreases in μ, with derivative −2 Σ b_k²/(λ_k + μ)³",
            sp.diff(length, mu),
            -2 * cubic,
        ),
        Identity(
            "primal-at-multiplier",
            "F3-primal",
            "the loss of β(μ) = (G + μI)⁻¹b is the primal formula",
            loss,
            primal,
        ),
        Identity(
            "duality-gap",
            "F3-dual",
            "loss(β(μ)) − D(μ) = μ(B² − ‖β(μ)‖²): no gap where μ = 0 or the bound is active",
            primal - dual,
            mu * (B**2 - length),
        ),
    )


def _stationarity() -> tuple[Identity, ...]:
    """∇(‖Aβ − u*‖² + μ‖β‖²) = 0 at (G + μI)⁻¹b, for a general 3 × 2 matrix A."""
    a = sp.Matrix(3, 2, sp.symbols("a_1:7", real=True))
    y = sp.Matrix(sp.symbols("y_1:4", real=True))
    x = sp.Matrix(sp.symbols("x_1:3", real=True))
    shift = sp.Symbol("mu", positive=True)
    lagrangian = ((a * x - y).T * (a * x - y))[0] + shift * (x.T * x)[0]
    gradient = sp.Matrix([sp.diff(lagrangian, entry) for entry in x])
    solution = (a.T * a + shift * sp.eye(2)).inv() * a.T * y
    at = gradient.subs(dict(zip(x, solution, strict=True)), simultaneous=True)
    return (
        Identity(
            "stationarity",
            "F3-primal",
            "β(μ) = (G + μI)⁻¹b is the stationary point of ‖φβ − u*‖² + μ‖β‖² (any 3 × 2 features)",
            at.applyfunc(sp.simplify),
            sp.zeros(2, 1),
        ),
    )


def _attaining_identities() -> tuple[Identity, ...]:
    """F4: φ_k = σ_k e_k with λ_{p+1} = ε, u* = α ψ_{p+1}/σ_{p+1}, β = B q_{p+1}."""
    found = []
    excess = sp.Symbol("a", nonnegative=True)
    distance = excess + sp.sqrt(_eps) * _bound  # α ≥ √ε B
    for size, keep in ((2, 1), (3, 1), (3, 2), (3, 0)):
        sigma = [*(sp.sqrt(x) for x in _lams[:keep]), *[sp.sqrt(_eps)] * (size - keep)]
        a = sp.diag(*sigma)
        unit = sp.zeros(size, 1)
        unit[keep] = 1
        target, beta = alpha * unit, _bound * unit
        residual = a * beta - target
        found.append(
            Identity(
                f"attaining-{size}-{keep}",
                "F4",
                f"‖u − u*‖² = (α − √ε B)² for n = {size}, p = {keep}",
                (residual.T * residual)[0],
                (alpha - sp.sqrt(_eps) * _bound) ** 2,
            )
        )
        head = a[:, :keep]
        rest = target if keep == 0 else target - head * (head.T * head).inv() * head.T * target
        found.append(
            Identity(
                f"attaining-distance-{size}-{keep}",
                "F4",
                f"d_p² = α² for n = {size}, p = {keep}",
                (rest.T * rest)[0],
                alpha**2,
            )
        )
    multiplier = distance * sp.sqrt(_eps) / _bound - _eps
    dual = distance**2 - _eps * distance**2 / (_eps + multiplier) - multiplier * _bound**2
    found.append(
        Identity(
            "attaining-reachable",
            "F4",
            "weak duality at μ = α√ε/B − ε gives V(B) ≥ (α − √ε B)²: no β of norm B does better",
            dual,
            excess**2,
        )
    )
    found.append(
        Identity(
            "attaining-multiplier",
            "F4",
            "that multiplier is non-negative because α ≥ √ε B",
            multiplier,
            kind="nonnegative",
        )
    )
    return tuple(found)


def _selection_identities() -> tuple[Identity, ...]:
    """N1: our factor is at most the draft's; and the norm of V₂₂⁻¹ that it comes from."""
    rest = sp.Symbol("m", integer=True, positive=True)  # m = n − p ≥ 1
    count = sp.Symbol("p", integer=True, positive=True)
    ours, draft = (f.subs({n: count + rest}).subs({p: count}) for f in (FACTOR, DRAFT_FACTOR))
    angle = sp.Symbol("theta", real=True)
    extra = sp.Symbol("j", integer=True, nonnegative=True)  # m = 1 + j
    return (
        Identity(
            "selection-factors",
            "N1-ratio",
            "(p+1)m² − (1 + pm) = (m − 1)((p+1)m + 1) with m = n − p",
            draft - ours,
            (rest - 1) * ((count + 1) * rest + 1),
        ),
        Identity(
            "selection-ours-smaller",
            "N1-ratio",
            "so our factor is never larger than the draft's",
            (draft - ours).subs({rest: 1 + extra}),
            kind="nonnegative",
        ),
        Identity(
            "selection-block-norm",
            "N1",
            "‖V₂₂⁻¹‖² = 1 + ‖V₁₂V₂₂⁻¹‖² for an orthogonal 2 × 2 matrix V",
            1 / sp.cos(angle) ** 2,
            1 + (sp.sin(angle) / sp.cos(angle)) ** 2,
        ),
    )


def _rank_identities() -> tuple[Identity, ...]:
    """M3, M5 and M9 on general 2 × 2 Gram matrices."""
    x, y = sp.symbols("g_1 g_2", positive=True)
    z = sp.Symbol("z", real=True)
    scale = sp.Symbol("c", positive=True)
    gram = sp.Matrix([[x, z], [z, y]])
    variable = sp.Symbol("lambda")
    scaled = (scale**2 * gram).charpoly(variable).as_expr()
    plain = gram.charpoly(variable).as_expr()
    return (
        Identity(
            "scaling",
            "M5",
            "the eigenvalues of c²G are those of G times c² (general 2 × 2 Gram matrix)",
            scaled.subs(variable, scale**2 * variable),
            scale**4 * plain,
        ),
        Identity(
            "trace",
            "M9",
            "tr G = Σ λ_k (general 2 × 2 Gram matrix)",
            gram.trace(),
            sum(sp.roots(plain, variable, multiple=True)),
        ),
        Identity(
            "duplicate",
            "M3",
            "a neuron of Gram matrix (g) and its copy have eigenvalues 2g and 0, so copying raises "
            "r_ε for g ≤ ε < 2g",
            sp.Matrix([[x, x], [x, x]]).charpoly(variable).as_expr(),
            variable * (variable - 2 * x),
        ),
    )


def _slip_identities() -> tuple[Identity, ...]:
    """Evaluate the slips of the draft for one neuron, or a 2 × 2 Gram matrix."""
    value, bound = sp.symbols("lambda C", positive=True)
    threshold = (1 + sp.Symbol("a", positive=True)) ** -4
    step = sp.Symbol("h", positive=True)
    x, y = sp.symbols("g_1 g_2", positive=True)
    z, root = sp.Symbol("z", real=True), sp.Symbol("lambda")
    gram = sp.Matrix([[x, z], [z, y]])
    weighted, plain = ((f * gram).charpoly(root).as_expr() for f in (step, 1))
    return (
        Identity(
            "slip-norm",
            "slip-norm",
            "one neuron of eigenvalue λ with β = C leaves λC²: the draft's λC falls short by "
            "λC(C − 1) for C > 1",
            value * bound**2 - value * bound,
            value * bound * (bound - 1),
        ),
        Identity(
            "slip-threshold-norm",
            "slip-threshold",
            "one feature of norm ε^(3/4) with ε = (1 + a)⁻⁴ < 1 is longer than ε …",
            threshold ** sp.Rational(3, 4) - threshold,
            kind="positive",
        ),
        Identity(
            "slip-threshold-eigenvalue",
            "slip-threshold",
            "… yet its eigenvalue ε^(3/2) is below ε: the two conditions of the draft differ",
            threshold - threshold ** sp.Rational(3, 2),
            kind="positive",
        ),
        Identity(
            "slip-step",
            "slip-step",
            "the eigenvalues of hG are those of G times h, so ε becomes ε/h",
            weighted.subs(root, step * root),
            step**2 * plain,
        ),
    )


#: How the names of the statements begin, and what derives the identities behind them (some take
#: seconds, so nothing is derived before it is asked for).
PARTS: tuple[tuple[str, Callable[[], tuple[Identity, ...]]], ...] = tuple(
    (start, cache(derive))
    for start, derive in (
        ("M", _rank_identities),
        ("F1", _tail_identities),
        ("F3", _duality_identities),
        ("F3", _stationarity),
        ("F4", _attaining_identities),
        ("N1", _selection_identities),
        ("slip", _slip_identities),
        *(("I1", derive) for derive in KERNEL_PARTS),
        *FLOW_PARTS,
        *BOUND_PARTS,
    )
)
