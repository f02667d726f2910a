"""What follows from the Gram matrix of a layer.

Begin with `quantities`; for wide layers the spectrum comes from a `sketch`, and `sketched` says
what that leaves certain.
"""
