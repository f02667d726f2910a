"""F1 to F6 in float64 from an eigendecomposition, with the error of each.

Begin with `decomposition`, which is computed once; `bounds` (F1, F2, F5), `reachable` (F3) and
`spectral` (D1) read off it, and `tolerance` says how far rounding can have moved them.
"""
