"""Staircases: steps in losses tested against smooth decay, and their coupling to the rank."""

from epsrank.numerics.staircase.detect import detect_staircase
from epsrank.numerics.staircase.result import Plateau, Staircase, Step

__all__ = ["Plateau", "Staircase", "Step", "detect_staircase"]
