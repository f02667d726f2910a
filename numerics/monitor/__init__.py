"""The ε-rank and the floor of a network, watched inside anyone's training loop."""

from epsrank.numerics.monitor.alarms.signatures import RankWarning, Signature
from epsrank.numerics.monitor.gate import (
    RankRequirementError,
    RankTooLow,
    RankUndecided,
    RankVerdict,
)
from epsrank.numerics.monitor.monitor import RankMonitor
from epsrank.numerics.monitor.quantity.contract import Quantity, QuantityData
from epsrank.numerics.monitor.records.history import History
from epsrank.numerics.monitor.records.record import (
    LayerRank,
    LayerReading,
    LayerRecord,
    QuantityRecord,
)
from epsrank.numerics.monitor.sinks.protocol import Sink
from epsrank.theory.estimate import Estimate

__all__ = [
    "Estimate",
    "History",
    "LayerRank",
    "LayerReading",
    "LayerRecord",
    "Quantity",
    "QuantityData",
    "QuantityRecord",
    "RankMonitor",
    "RankRequirementError",
    "RankTooLow",
    "RankUndecided",
    "RankVerdict",
    "RankWarning",
    "Signature",
    "Sink",
]
