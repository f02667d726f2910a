"""What statements are certified on, and intervals are tried on.

`networks` are trained once per verification; `populations` have a Gram matrix that is known.
"""
