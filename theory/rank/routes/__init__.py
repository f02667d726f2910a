"""Routes to the ε-rank, one algorithm per file."""
