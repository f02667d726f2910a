"""The chain ℓ ≥ V ≥ envelope ≥ floor in exact and ball arithmetic.

Begin with `certificate`, which decides it on one instance: exact data (`exact_data`), an enclosed
spectrum (`ball_spectrum`), enclosures of d_p and V (`ball_distance`, `ball_reachable`), and then
link by link (`chain`). `attaining` are instances on which the floor is attained.
"""
