"""A loss floor with its proof: a certificate that the verified checker ``check_floor`` accepts."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, ClassVar

from flint import fmpz_mat

from epsrank.proofs.formal import coq_text
from epsrank.proofs.formal.certificate import Certificate
from epsrank.proofs.formal.floor_check import IntegerTarget, dual_bound, dual_vectors
from epsrank.proofs.formal.floor_search import search_floor
from epsrank.proofs.formal.integer_data import Rows, fixed_point, integer_data
from epsrank.theory.data.inputs import as_features, as_norm, as_target
from epsrank.theory.data.measure import as_measure
from epsrank.theory.errors import InputError
from epsrank.theory.floor.certified.exact_data import exact_data
from epsrank.theory.numbers.dyadic import root_above
from epsrank.theory.numbers.interval import Interval, json_float


@dataclass(frozen=True, eq=False)
class FloorCertificate(Certificate):
    """‖φW − u*‖² ≥ `x` for every W with ‖W‖_F ≤ B, with integers that prove it (F3)."""

    checker: ClassVar[str] = "check_floor"
    imports: ClassVar[str] = "form zmatrix measurement check_floor"
    types: ClassVar[str] = "zmatrix measurement check_floor"

    #: u* as integers.
    target: IntegerTarget = field(repr=False)
    #: B², exactly.
    norm_squared: Fraction
    #: The proved bound, in the 53 bits of a float64.
    x: Fraction
    #: β has denominators 2^`layer_scale`, its rounded residual 2^`dual_scale`.
    layer_scale: int
    dual_scale: int
    #: β.
    layer: Rows = field(repr=False)
    #: V(B), enclosed in ball arithmetic: x can be at most that.
    reachable: Interval

    @property
    def norm(self) -> float:
        """The least float64 that is at least B."""
        return root_above(self.norm_squared)

    @property
    def gap(self) -> Fraction:
        """How far x may be below V(B), in the units of the loss."""
        return max(Fraction(0), self.reachable.upper - self.x)

    @property
    def integers(self) -> Rows:
        """β."""
        return self.layer

    def accepted(self) -> bool:
        """Run the test of ``check_floor`` in Python integers."""
        samples, lists = self.data.n_samples, (*self.data.neurons, *self.target.outputs)
        if any(len(values) != samples for values in lists):
            return False
        if len(self.layer) != len(self.target.outputs):
            return False
        layer = fmpz_mat([list(row) for row in self.layer])
        if layer.ncols() != self.data.n_features:
            return False
        dual = dual_vectors(self.data, self.target, layer, self.layer_scale, self.dual_scale)
        bound = dual_bound(self.data, self.target, dual, self.dual_scale)
        return bound.proves(self.x, self.norm_squared)

    def __str__(self) -> str:
        return (
            f"loss ≥ {coq_text.decimal(self.x)} for ‖W‖ ≤ {self.norm:.6g}, at most "
            f"{coq_text.decimal(self.gap, 2)} below V(B), with a certificate of {self.bits} bits "
            f"({self.data.n_features} neurons, {self.data.n_samples} samples, {self.measure} "
            f"measure, {self.dtype})"
        )

    def about(self) -> str:
        """Say the measurement in one sentence."""
        return (
            f"No output layer of norm at most {self.norm!r} on these "
            f"{self.data.n_features} neurons has a squared loss below {coq_text.exact(self.x)} "
            f"at the {self.data.n_samples} samples ({len(self.target.outputs)} outputs, "
            f"{self.dtype}, {self.measure} measure)."
        )

    def given(self) -> list[str]:
        """Return features and target, as definitions of Coq."""
        return [
            *super().given(),
            f"Definition goal : floor_target := FloorTarget {self.target.level}%nat\n"
            f"  {coq_text.rows(self.target.outputs)}.\n",
        ]

    def found(self) -> list[str]:
        """Return B², x and the certificate, as definitions of Coq."""
        return [
            f"Definition norm2 : Q := {coq_text.rational(self.norm_squared)}%Q.\n",
            f"Definition x : Q := {coq_text.rational(self.x)}%Q.\n",
            f"Definition certificate : floor_certificate := "
            f"FloorCertificate {self.layer_scale}%nat {self.dual_scale}%nat\n"
            f"  {coq_text.rows(self.layer)}.\n",
        ]

    def statement(self) -> tuple[str, str]:
        """Return the theorem, and the lemma of the development that proves it."""
        # With one output the statement needs no sum, and is easier to read.
        if len(self.target.outputs) == 1:
            statement = (
                "forall beta : 'rV[R]_(width data), (sqn beta <= qr R norm2)%R ->\n"
                "  (qr R x <= nrm2 (on_data R data)\n"
                "    (comb (@phi R data) beta - target R data (t := goal) ord0))%R"
            )
            sound = "(@check_floor_one_sound R data (level goal) _ norm2 x certificate)"
        else:
            statement = (
                "forall W : 'M[R]_(size (outputs goal), width data),\n"
                "  (\\sum_l sqn (row l W) <= qr R norm2)%R ->\n"
                "  (qr R x <= squared_loss (on_data R data) (@phi R data) "
                "(target R data (t := goal)) W)%R"
            )
            sound = "(@check_floor_sound R data goal norm2 x certificate)"
        return statement, sound

    def stated(self, data: str) -> str:
        """Return the theorem by full names alone, about what was measured in the module `data`."""
        bound, x = (
            f"EpsRank.zmatrix.qr R {coq_text.rational(value)}%Q"
            for value in (self.norm_squared, self.x)
        )
        form = f"(EpsRank.measurement.on_data R {data}.data)"
        phi = f"(@EpsRank.measurement.phi R {data}.data)"
        target = f"EpsRank.check_floor.target R {data}.data (t := {data}.goal)"
        if len(self.target.outputs) == 1:
            return (
                f"forall beta : 'rV[R]_(EpsRank.measurement.width {data}.data),\n"
                f"  (EpsRank.form.sqn beta <= {bound})%R ->\n"
                f"  ({x}\n"
                f"    <= EpsRank.form.nrm2 {form}\n"
                f"      (EpsRank.form.comb {phi} beta\n"
                f"        - {target} ord0))%R"
            )
        return (
            f"forall W : 'M[R]_(size (EpsRank.check_floor.outputs {data}.goal), "
            f"EpsRank.measurement.width {data}.data),\n"
            f"  (\\sum_l EpsRank.form.sqn (row l W) <= {bound})%R ->\n"
            f"  ({x}\n"
            f"    <= EpsRank.check_floor.squared_loss {form}\n"
            f"      {phi}\n"
            f"      ({target}) W)%R"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the whole certificate as plain data, integers as hexadecimal strings."""
        return {
            "kind": "floor",
            "x": str(self.x),
            "norm_squared": str(self.norm_squared),
            "reachable": self.reachable.to_json(),
            "gap": json_float(self.gap, +1),
            "measure": self.measure,
            "dtype": self.dtype,
            "layer_scale": self.layer_scale,
            "dual_scale": self.dual_scale,
            "layer": [[hex(b) for b in row] for row in self.layer],
            "level": self.target.level,
            "outputs": [[hex(u) for u in row] for row in self.target.outputs],
            "data": self.data.to_json(),
        }


def certify_floor(
    features: Any,
    target: Any,
    norm: float | Fraction,
    *,
    weights: Any = None,
    measure: Any = "mean",
) -> FloorCertificate:
    """Prove a lower bound of V(B) = min_{‖W‖_F ≤ B} ‖φW − u*‖², close to V(B) itself (F3).

    B is finite.
    """
    checked = as_features(features)
    goal = as_target(target, checked.n_samples)
    if not isinstance(norm, Fraction) and math.isinf(as_norm(norm)):
        raise InputError("norm", "is infinite", "pass a finite bound such as the norm of W")
    bound = norm if isinstance(norm, Fraction) else Fraction(as_norm(norm))
    if bound < 0:
        raise InputError("norm", f"is {bound}", "pass a number ≥ 0")
    checked_measure = as_measure(measure, weights, checked.n_samples)
    data = integer_data(checked, checked_measure)
    numerators, level = fixed_point(goal)
    outputs = IntegerTarget(level, tuple(tuple(int(u) for u in c) for c in numerators.T.tolist()))
    exact = exact_data(checked, goal, checked_measure)
    found = search_floor(data, outputs, exact, bound * bound)
    certificate = FloorCertificate(
        data=data,
        target=outputs,
        norm_squared=bound * bound,
        x=found.x,
        layer_scale=found.layer_scale,
        dual_scale=found.dual_scale,
        layer=tuple(tuple(int(b) for b in row) for row in found.layer.tolist()),
        reachable=found.reachable,
        measure=checked_measure.name,
        dtype=checked.dtype,
    )
    # The search is not trusted: what it found is tried as Coq will try it.
    assert certificate.accepted()
    return certificate
