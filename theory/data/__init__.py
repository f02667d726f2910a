"""What callers hand in, checked once: features, measures, boxes; diag(√w)Φ, and G in integers.

Begin with `inputs` and `measure`.
"""
