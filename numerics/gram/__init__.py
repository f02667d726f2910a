"""Sums ΦᵀΦ over batches, in float64: accumulated, streamed, for a layer, over few rows."""
