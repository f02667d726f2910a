"""Training runs that measure the ε-rank of every layer and the floor of the loss on the way."""

from epsrank.numerics.training.config import RunConfig
from epsrank.numerics.training.loop import train
from epsrank.numerics.training.measure import LastLayer
from epsrank.numerics.training.record import LayerRanks, StepRecord
from epsrank.numerics.training.recorder import RunRecorder
from epsrank.numerics.training.run import Run, load_run

__all__ = [
    "LastLayer",
    "LayerRanks",
    "Run",
    "RunConfig",
    "RunRecorder",
    "StepRecord",
    "load_run",
    "train",
]
