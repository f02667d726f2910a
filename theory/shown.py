"""What a result shows of itself in a notebook."""

from __future__ import annotations

from epsrank.theory.shown import Shown


class Shown(Shown):
    """Shown in notebooks as the text that ``print`` gives: one line, escaped."""
