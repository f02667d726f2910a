"""L2: certified bounds of convex losses from dual points, and the Lipschitz floor beside them."""
