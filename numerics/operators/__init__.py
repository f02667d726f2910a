"""Differential operators on networks: the loss of a PINN, and its floor if they are linear (L1)."""

from epsrank.numerics.operators.derivatives import laplacian, partial
from epsrank.numerics.operators.jets import Jet, derivatives
from epsrank.numerics.operators.linearity import linear_operator
from epsrank.numerics.operators.nonlinear import NonlinearOperator, allen_cahn, burgers
from epsrank.numerics.operators.operator import (
    OPERATORS,
    LinearOperator,
    heat,
    helmholtz,
    identity,
    named_operator,
    poisson,
)
from epsrank.numerics.operators.points import boundary_points, box_points, parabolic_faces
from epsrank.numerics.operators.problem import PROBLEMS, BoundaryProblem
from epsrank.numerics.operators.stacked import OperatorSystem, StackedOperator, constant, images

__all__ = [
    "OPERATORS",
    "PROBLEMS",
    "BoundaryProblem",
    "Jet",
    "LinearOperator",
    "NonlinearOperator",
    "OperatorSystem",
    "StackedOperator",
    "allen_cahn",
    "boundary_points",
    "box_points",
    "burgers",
    "constant",
    "derivatives",
    "heat",
    "helmholtz",
    "identity",
    "images",
    "laplacian",
    "linear_operator",
    "named_operator",
    "parabolic_faces",
    "partial",
    "poisson",
]
