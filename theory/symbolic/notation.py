"""The symbols of the theory, and notation that SymPy lacks: r_ε(·), ‖·‖, min and max over a set.

Indexed quantities count from 1 as in the text: λ[1] ≥ … ≥ λ[n], with λ[n+1] = 0. Compiled formulas
therefore take arrays whose entry 0 is not used (see `Statement.function`).
"""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.printing.precedence import PRECEDENCE

n, p, k, N = sp.symbols("n p k N", integer=True, positive=True)
epsilon, delta = sp.symbols("epsilon delta", positive=True)
t, h, c = sp.symbols("t h c", positive=True)
B, mu, alpha = sp.symbols("B mu alpha", nonnegative=True)
sigma_min, sigma_max = sp.symbols("sigma_min sigma_max", positive=True)

lam = sp.IndexedBase("lambda")  # eigenvalues of G
lam_other = sp.IndexedBase("lambdaprime")  # eigenvalues of another Gram matrix
b = sp.IndexedBase("b")  # b_k = ⟨ψ_k, u*⟩ = q_k·Φᵀdiag(w)u*/c
gamma = sp.IndexedBase("gamma")  # γ_k = ⟨q_k, β⟩
d = sp.IndexedBase("d")  # d_p = dist(u*, Ψ_p)
E = sp.IndexedBase("E")  # E_p = inf over networks with p neurons
kernel_eigenvalue = sp.IndexedBase("mu_K")  # eigenvalues of the layer kernel
psi = sp.IndexedBase("psi")  # ψ_k = φ·q_k

# Not commutative, so that operators and features stay on the left when printed.
u, u_star, beta, phi, projector = sp.symbols("u u_* beta phi P_p", commutative=False)
P_u = projector * u
target_square = sp.Symbol("S", nonnegative=True)  # S = ‖u*‖²
scale, rate, strength, growing = sp.symbols("sigma rho s P", positive=True)
layers = sp.Symbol("ell", integer=True, positive=True)
norm, first_norm, drive, bend = sp.symbols("m m_0 g_norm b_3", positive=True)
loss_factor, plateau = sp.symbols("c_L T_plateau", positive=True)
across, aligned = sp.symbols("tau_k pi_k", positive=True)
value = sp.Function("V")
dual = sp.Function("D")

G = sp.MatrixSymbol("G", n, n)
H = sp.MatrixSymbol("H", n, n)
T = sp.MatrixSymbol("T", n, n)

#: What each symbol means, in one phrase.
MEANINGS: dict[str, str] = {
    "n": "number of neurons",
    "p": "number of leading eigenfunctions kept",
    "k": "index of an eigenvalue",
    "epsilon": "threshold ε > 0",
    "delta": "a second threshold, or the square root of a loss",
    "t": "‖G − H‖₂",
    "h": "quadrature step",
    "c": "scale of the features",
    "B": "norm of the output coefficients, ‖β‖₂ or ‖W‖_F",
    "mu": "multiplier of the norm bound",
    "alpha": "distance of the attaining target",
    "sigma_min": "smallest singular value of the mixing T",
    "sigma_max": "largest singular value of the mixing T",
    "lambda": "eigenvalues of G, descending, with λ_{n+1} = 0",
    "lambdaprime": "eigenvalues of H, descending",
    "b": "b_k = ⟨ψ_k, u*⟩, summed over outputs where squared",
    "gamma": "γ_k = ⟨q_k, β⟩",
    "d": "d_p = dist(u*, Ψ_p)",
    "E": "E_p = inf ‖v − u*‖ over networks with p neurons in the last hidden layer",
    "psi": "ψ_k = φ·q_k, ‖ψ_k‖² = λ_k",
    "u": "network output φ·β",
    "u_*": "target",
    "beta": "output coefficients",
    "phi": "features",
    "P_p": "orthogonal projector onto Ψ_p = span(ψ_1…ψ_p)",
    "r": "the ε-rank",
    "Delta_S": "dist(u, span φ_S)",
    "S": "‖u*‖²",
    "G": "Gram matrix of the features",
    "H": "another Gram matrix",
    "T": "invertible mixing of the neurons",
    "mu_K": "eigenvalues of the layer kernel in L²(μ), descending",
    "r_infinity": "the ε-rank in the limit of many neurons",
    "S_xx": "variance of the pre-activation at x",
    "S_xy": "covariance of the pre-activations at x and y",
    "S_yy": "variance of the pre-activation at y",
    "L": "loss ‖u − u*‖²",
    "sigma": "scale of the first weights",
    "rho": "rate c‖g‖ of growth at 0, c = 2 for mean squares, g = mean y (x, 1)",
    "s": "size of the network's affine part, at which the loss has fallen by a given share",
    "P": "Σ_k p_k² of the growing parts p_k = (a_k + ĝ·w_k)/√2 of the weights at σ = 1",
    "ell": "number of layers",
    "T_escape": "time until the loss has fallen by a given share, by the linearised flow",
    "tau": "time of the flow",
    "m": "bound of the layers' spectral norms at that time",
    "m_0": "the larger spectral norm at the start",
    "g_norm": "‖g‖, g = mean y x",
    "b_3": "mean ‖x‖² + 3κ mean |y|‖x‖³, κ = 1/3 for tanh",
    "c_L": "factor of the loss c/2 · mean (u − y)²",
    "T_plateau": "time until the loss may have fallen as far as m allows",
    "tau_k": "‖across‖/|along| of neuron k, along = (a_k + ĝ·w_k)/√2",
    "pi_k": "|along|/‖(a_k, w_k)‖ at the start",
}


class EpsilonRank(sp.Function):  # type: ignore[misc]
    """r_ε(G), printed with its threshold as a subscript; `EpsilonRank(G, eps)`."""

    nargs = 2
    is_integer = True
    is_nonnegative = True

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        matrix, threshold = (printer._print(argument) for argument in self.args)
        text = rf"r_{{{threshold}}}\left({matrix}\right)"
        return text if exp is None else rf"{text}^{{{exp}}}"

    def _mathml_presentation(self, printer: Any) -> Any:
        matrix, threshold = self.args
        return _row(
            printer,
            _sub(printer, _text(printer, "mi", "r"), printer._print(threshold)),
            _fence(printer, "(", printer._print(matrix), ")"),
        )


class Norm(sp.Function):  # type: ignore[misc]
    """‖x‖ in L²(μ) for functions, Euclidean for coefficients; `Norm(x)`."""

    nargs = 1
    is_nonnegative = True

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        text = rf"\left\lVert {printer._print(self.args[0])} \right\rVert"
        return text if exp is None else rf"{text}^{{{exp}}}"

    def _mathml_presentation(self, printer: Any) -> Any:
        return _fence(printer, "‖", printer._print(self.args[0]), "‖")


class Extremum(sp.Expr):  # type: ignore[misc]
    """Min or max over a set: `Extremum("max", expression, p, 0, n)`, or with a condition.

    With an integer variable and ends it can be compiled; with a condition it is notation only.
    """

    precedence = PRECEDENCE["Add"]  # in brackets wherever a sum would be

    def __new__(cls, kind: str, expression: Any, *domain: Any) -> Extremum:
        """Build the node; `kind` is ``"min"`` or ``"max"``."""
        parts = [sp.Symbol(str(kind)), sp.sympify(expression), *map(sp.sympify, domain)]
        node: Extremum = sp.Expr.__new__(cls, *parts)
        return node

    @property
    def free_symbols(self) -> set[Any]:
        """Symbols that are not bound by the extremum."""
        _, expression, *domain = self.args
        bound = {domain[0]} if len(domain) == 3 else set()
        found = set().union(*(part.free_symbols for part in (expression, *domain)))
        return found - bound

    def _domain(self) -> Any:
        domain = self.args[2:]
        if len(domain) == 3:
            variable, low, high = domain
            return sp.And(sp.Le(low, variable), sp.Le(variable, high), evaluate=False)
        return domain[0]

    def _latex(self, printer: Any) -> str:
        kind, expression, *domain = self.args
        if len(domain) == 3:
            low, variable, high = (printer._print(domain[i]) for i in (1, 0, 2))
            under = rf"{low} \leq {variable} \leq {high}"
        else:
            under = printer._print(domain[0])
        return rf"\{kind.name}_{{{under}}} {printer._print(expression)}"

    def _mathml_presentation(self, printer: Any) -> Any:
        kind, expression, *_ = self.args
        under = printer.dom.createElement("munder")
        under.appendChild(_text(printer, "mo", kind.name))
        under.appendChild(printer._print(self._domain()))
        return _row(printer, under, printer._print(expression))

    def _numpycode(self, printer: Any) -> str:
        kind, expression, *domain = self.args
        if len(domain) != 3:
            raise NotImplementedError("an extremum over a condition is notation only")
        variable, low, high = (printer._print(part) for part in domain)
        return (
            # `lambdify` hands out `builtins`, in which max and min are certain to be Python's own.
            f"builtins.{kind.name}(({printer._print(expression)}) "
            f"for {variable} in range({low}, ({high}) + 1))"
        )


class Indicator(sp.Expr):  # type: ignore[misc]
    """[condition]: 1 where it holds, else 0 (Iverson's bracket)."""

    def _latex(self, printer: Any) -> str:
        return rf"\left[{printer._print(self.args[0])}\right]"

    def _mathml_presentation(self, printer: Any) -> Any:
        return _fence(printer, "[", printer._print(self.args[0]), "]")

    def _numpycode(self, printer: Any) -> str:
        return f"builtins.int({printer._print(self.args[0])})"


class Jointly(sp.Basic):  # type: ignore[misc]
    """Several relations that hold together, in the order given (`And` would sort them)."""

    def _latex(self, printer: Any) -> str:
        return r" \quad\text{and}\quad ".join(printer._print(part) for part in self.args)

    def _mathml_presentation(self, printer: Any) -> Any:
        children = [printer._print(self.args[0])]
        for part in self.args[1:]:
            children += [_text(printer, "mtext", "\u2003and\u2003"), printer._print(part)]
        return _row(printer, *children)


def _text(printer: Any, tag: str, text: str) -> Any:
    element = printer.dom.createElement(tag)
    element.appendChild(printer.dom.createTextNode(text))
    return element


def _row(printer: Any, *children: Any) -> Any:
    row = printer.dom.createElement("mrow")
    for child in children:
        row.appendChild(child)
    return row


def _sub(printer: Any, base: Any, index: Any) -> Any:
    element = printer.dom.createElement("msub")
    element.appendChild(base)
    element.appendChild(index)
    return element


def _fence(printer: Any, left: str, inner: Any, right: str) -> Any:
    return _row(printer, _text(printer, "mo", left), inner, _text(printer, "mo", right))
