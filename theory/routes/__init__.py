"""Routes to the ε-rank, one algorithm per file: gram, svd, exact, ball."""
