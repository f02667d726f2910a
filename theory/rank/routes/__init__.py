"""Routes to the ε-rank, one algorithm per file; each proves its own bound in its docstring.

Begin with `gram`, the usual one, and `svd`, where the Gram matrix has lost the digits; `exact` and
`ball` decide what float64 cannot. The others spare time where only counts are wanted.
"""
