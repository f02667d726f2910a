"""Sums ΦᵀΦ over batches, in float64, with a bound of their rounding.

Begin with `streaming` (one matrix, by hand) or `layer` (what a monitor sums per layer). Both add
batches that `batch` has checked, by `products`; `accumulated` is the sum with its error, and
`few_rows` the smaller matrix where neurons outnumber samples.
"""
