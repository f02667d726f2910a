"""Callbacks for training frameworks; each needs the package it is for, when an object is made."""

from numerics.monitor.integrations.huggingface import HuggingFaceRankCallback
from numerics.monitor.integrations.lightning import LightningRankCallback

__all__ = ["HuggingFaceRankCallback", "LightningRankCallback"]
