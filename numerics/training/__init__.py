"""Training runs that measure the ε-rank of every layer and the floor of the loss on the way."""

from numerics.training.config import RunConfig
from numerics.training.loop import train
from numerics.training.measure import LastLayer
from numerics.training.record import LayerRanks, StepRecord
from numerics.training.run import Run, load_run

__all__ = ["LastLayer", "LayerRanks", "Run", "RunConfig", "StepRecord", "load_run", "train"]
