"""Ranks and dimensions as torchmetrics: ``from epsrank.metrics import RankMe``.

Needs torchmetrics, which ``epsrank[metrics]`` brings; names are imported when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from epsrank.numerics.metrics import (
        AlphaReQ,
        DeadNeurons,
        DormantNeurons,
        EffectiveRank,
        EpsilonRank,
        FeatureNorm,
        FeatureRank,
        Lidar,
        ParticipationRatio,
        RankMe,
        SRank,
        StableRank,
    )

__all__ = [
    "AlphaReQ",
    "DeadNeurons",
    "DormantNeurons",
    "EffectiveRank",
    "EpsilonRank",
    "FeatureNorm",
    "FeatureRank",
    "Lidar",
    "ParticipationRatio",
    "RankMe",
    "SRank",
    "StableRank",
]


def __getattr__(name: str) -> Any:
    """Import a metric when it is first used (PEP 562), or say what it needs."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from epsrank.theory.extras import optional_packages

    with optional_packages():
        from epsrank.numerics import metrics

    return getattr(metrics, name)


def __dir__() -> list[str]:
    """Return the metrics."""
    return sorted(__all__)
