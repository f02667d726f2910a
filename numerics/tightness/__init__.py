"""How tight the bounds are on a user's own network: over ε, over norms and over training.

Begin with `entry`, the public function. `of_model` follows a network to its output layer and
checks what that computes (F7), `of_problem` does so under a differential operator (L1), and
`of_run` rebuilds the measurements of a run.
"""

from epsrank.numerics.tightness.entry import tightness
from epsrank.numerics.tightness.result import Tightness

__all__ = ["Tightness", "tightness"]
