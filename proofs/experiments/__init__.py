"""Experiments as evidence: runs of them, the runs on record, and what both say on the ledger."""

from proofs.experiments.records import Record, read_record, recorded_ids, write_record
from proofs.experiments.reproduce import Reproduction, carry_out, reproduce

__all__ = [
    "Record",
    "Reproduction",
    "carry_out",
    "read_record",
    "recorded_ids",
    "reproduce",
    "write_record",
]
