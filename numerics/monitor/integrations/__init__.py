"""Callbacks for training frameworks; each needs the package it is for, when an object is made."""

from epsrank.numerics.monitor.integrations.huggingface import HuggingFaceRankCallback
from epsrank.numerics.monitor.integrations.lightning import LightningRankCallback

__all__ = ["HuggingFaceRankCallback", "LightningRankCallback"]
