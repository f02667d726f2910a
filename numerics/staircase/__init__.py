"""Staircases: steps in losses tested against smooth descent, and their coupling to the rank."""

from epsrank.numerics.staircase.detect import detect_staircase
from epsrank.numerics.staircase.result import Plateau, Staircase, Step
from epsrank.numerics.staircase.validity import validate_detector

__all__ = ["Plateau", "Staircase", "Step", "detect_staircase", "validate_detector"]
