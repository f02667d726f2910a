"""What is asked of the bounds, whatever the network: thresholds, norms, certificates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from epsrank.theory.floor.reading import ReadingBias
from epsrank.theory.floor.tightness.layer import EPS

# Gap of the solver of other losses at all moments but the last.
_COARSE = 1e-2


@dataclass(frozen=True)
class Asked:
    """Settings of one call of `tightness`."""

    eps: Sequence[float] = EPS
    norms: Sequence[float] | None = None
    bias: ReadingBias | None = "feature"
    certified: bool = False

    def arguments(self, *, last: bool, step: int | None) -> dict[str, Any]:
        """Return what `layer_tightness` takes; V at several norms is for the last moment."""
        common: dict[str, Any] = {"eps": self.eps, "step": step}
        if last:
            return common | {"norms": self.norms, "certified": self.certified}
        return common | {"norms": (), "tolerance": _COARSE, "budgets": False}
