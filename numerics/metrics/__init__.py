"""Ranks and dimensions in the form of torchmetrics: sums as states, over batches and processes.

Begin with `base`, which keeps the sums; `ranks` turns them into numbers, `lidar` has sums of its
own. Users import from `epsrank.metrics`.
"""

from epsrank.numerics.metrics.lidar import Lidar
from epsrank.numerics.metrics.ranks import (
    AlphaReQ,
    DeadNeurons,
    DormantNeurons,
    EffectiveRank,
    EpsilonRank,
    FeatureNorm,
    FeatureRank,
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
