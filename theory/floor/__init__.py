"""F1–F6: tail, floors, reachable loss, tightness, rank budget and the reading of a plateau.

Begin with `loss_floor`, the public function. It computes in float64 (`decomposed`); the same chain
in exact arithmetic is in `certified`, and that of other convex losses in `convex`.
"""
