"""Where measurements go besides the history: experiment trackers and files that only grow."""

from epsrank.numerics.monitor.sinks.files import CsvSink, JsonLinesSink
from epsrank.numerics.monitor.sinks.follow import HistoryFile, read_history
from epsrank.numerics.monitor.sinks.parquet import ParquetSink
from epsrank.numerics.monitor.sinks.protocol import RecordSink, Sink, Value, as_sinks, deliver, flat
from epsrank.numerics.monitor.sinks.trackers import MlflowSink, TensorBoardSink, WandbSink

__all__ = [
    "CsvSink",
    "HistoryFile",
    "JsonLinesSink",
    "MlflowSink",
    "ParquetSink",
    "RecordSink",
    "Sink",
    "TensorBoardSink",
    "Value",
    "WandbSink",
    "as_sinks",
    "deliver",
    "flat",
    "read_history",
]
