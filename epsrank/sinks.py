"""Where a `RankMonitor` reports to besides its history: ``from epsrank.sinks import CsvSink``."""

from epsrank.numerics.monitor.sinks.files import CsvSink, JsonLinesSink
from epsrank.numerics.monitor.sinks.follow import HistoryFile, read_history
from epsrank.numerics.monitor.sinks.parquet import ParquetSink
from epsrank.numerics.monitor.sinks.protocol import RecordSink, Sink, flat
from epsrank.numerics.monitor.sinks.trackers import MlflowSink, TensorBoardSink, WandbSink
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
