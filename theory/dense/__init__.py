"""Dense networks as arrays, and their values, derivatives and analytic continuation in balls."""

from epsrank.theory.dense.activations import ANALYTIC, BALL_ACTIVATIONS
from epsrank.theory.dense.network import DenseNetwork

__all__ = ["ANALYTIC", "BALL_ACTIVATIONS", "DenseNetwork"]
