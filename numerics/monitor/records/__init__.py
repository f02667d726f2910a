"""What was measured: one record, the history, its columns and its files."""
