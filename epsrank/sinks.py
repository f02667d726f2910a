"""Where a `RankMonitor` reports to besides its history: ``from epsrank.sinks import CsvSink``."""

from epsrank.numerics.monitor.sinks import (
    CsvSink,
    HistoryFile,
    JsonLinesSink,
    MlflowSink,
    ParquetSink,
    RecordSink,
    Sink,
    TensorBoardSink,
    WandbSink,
    flat,
    read_history,
)
from epsrank.numerics.monitor.terminal.live import LiveTerminal

__all__ = [
    "CsvSink",
    "HistoryFile",
    "JsonLinesSink",
    "LiveTerminal",
    "MlflowSink",
    "ParquetSink",
    "RecordSink",
    "Sink",
    "TensorBoardSink",
    "WandbSink",
    "flat",
    "read_history",
]
