"""Linear differential operators on features: the floor of a PINN loss (L1)."""

from numerics.operators.derivatives import laplacian, partial
from numerics.operators.linearity import linear_operator
from numerics.operators.operator import (
    OPERATORS,
    LinearOperator,
    heat,
    helmholtz,
    identity,
    named_operator,
    poisson,
)
from numerics.operators.points import boundary_points, box_points, parabolic_faces
from numerics.operators.problem import PROBLEMS, BoundaryProblem
from numerics.operators.stacked import OperatorSystem, StackedOperator, constant, images

__all__ = [
    "OPERATORS",
    "PROBLEMS",
    "BoundaryProblem",
    "LinearOperator",
    "OperatorSystem",
    "StackedOperator",
    "boundary_points",
    "box_points",
    "constant",
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
