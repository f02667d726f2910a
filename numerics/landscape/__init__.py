"""Loss landscapes: the loss over lines and planes of weights, in filter-normalised directions."""

from epsrank.numerics.landscape.directions import filter_normalised, path_directions
from epsrank.numerics.landscape.shape import LineShape, line_shape
from epsrank.numerics.landscape.slices import Direction, losses_on_lines, losses_on_plane

__all__ = [
    "Direction",
    "LineShape",
    "filter_normalised",
    "line_shape",
    "losses_on_lines",
    "losses_on_plane",
    "path_directions",
]
