"""Experiments as evidence: runs of them, the runs on record, and what both say on the ledger."""

from epsrank.proofs.experiments.records import Record, read_record, recorded_ids, write_record
from epsrank.proofs.experiments.reproduce import Reproduction, reproduce, reproduce_all

__all__ = [
    "Record",
    "Reproduction",
    "read_record",
    "recorded_ids",
    "reproduce",
    "reproduce_all",
    "write_record",
]
