"""How tight the chain  loss ≥ V(B) ≥ envelope ≥ floor  is for one head on its features.

Begin with `layer`, the public function; `result` is what it returns, numbers with both ends, and
`squares` and `convex` fill it in.
"""
