"""F1 to F6 in float64 from an eigendecomposition: moments, bounds, V(B), and their errors."""
