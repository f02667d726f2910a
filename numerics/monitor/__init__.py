"""The ε-rank and the floor of a network, watched inside anyone's training loop."""

from epsrank.numerics.monitor.history import History
from epsrank.numerics.monitor.monitor import RankMonitor
from epsrank.numerics.monitor.record import LayerRank, LayerReading, LayerRecord
from epsrank.numerics.monitor.signatures import RankWarning, Signature
from epsrank.numerics.monitor.sinks import Sink

__all__ = [
    "History",
    "LayerRank",
    "LayerReading",
    "LayerRecord",
    "RankMonitor",
    "RankWarning",
    "Signature",
    "Sink",
]
