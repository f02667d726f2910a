"""Numbers with a bound on their error.

Begin with `arrays` (what arrays are called in annotations) and `rounding` (unit roundoffs, γ_k,
products with their bounds). `dyadic` and `interval` are the exact side: floats as integers times
powers of two, and enclosures with rational ends.
"""
