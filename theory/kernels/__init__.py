"""Layer kernels at initialisation (I1–I3), and the ε-rank that they predict."""
