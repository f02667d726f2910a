"""Processes: one pool of workers for all, what ends with its parent, locks, temporary folders.

Read `pool` first: `carry_out` runs calls in worker processes and yields what became of them.
"""
