"""What a result shows of itself: in a notebook, and of numbers that fall along a chain."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable


class Shown:
    """Shown in notebooks as the text that ``print`` gives: one line, escaped."""

    def _repr_html_(self) -> str:
        return f"<span>{html.escape(str(self))}</span>"


class Explained:
    """Shown in notebooks as the text that ``print`` gives, with its reason under the pointer."""

    #: One sentence: why it is what it is.
    reason: str

    def _repr_html_(self) -> str:
        return f"<span title='{html.escape(self.reason)}'>{html.escape(str(self))}</span>"


def ordered(chain: Iterable[tuple[str, float]]) -> str:
    """Write numbers that fall, such as "loss 2 ≥ V(B) 1"; ≈ where rounding has them the other way.

    A chain is true of the exact numbers; as computed a link may be broken within the error.
    """
    text, before = "", math.inf
    for name, value in chain:
        relation = "" if not text else " ≥ " if before >= value else " ≈ "
        text, before = f"{text}{relation}{name} {value:.6g}", value
    return text
