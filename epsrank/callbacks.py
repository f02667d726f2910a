"""A `RankMonitor` for training frameworks: ``from epsrank.callbacks import …``."""

from epsrank.numerics.monitor.integrations import HuggingFaceRankCallback, LightningRankCallback

__all__ = ["HuggingFaceRankCallback", "LightningRankCallback"]
