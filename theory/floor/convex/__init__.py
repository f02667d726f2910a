"""L2: what any output layer of a norm can reach under a convex loss, and the Lipschitz floor.

Begin with `floor`, the public function: `solver` finds an output layer, which is not trusted, and
`certificate` makes a bound of the dual point that goes with it.
"""
