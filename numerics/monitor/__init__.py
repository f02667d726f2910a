"""The ε-rank and the floor of a network, watched inside anyone's training loop."""

from numerics.monitor.history import History
from numerics.monitor.monitor import RankMonitor
from numerics.monitor.record import LayerRank, LayerReading, LayerRecord
from numerics.monitor.signatures import RankWarning, Signature
from numerics.monitor.sinks import Sink

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
