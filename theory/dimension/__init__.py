"""Dimensions of features as the literature defines them: soft ranks, counts at a threshold, norms.

Begin with `soft_ranks`, whose functions say by `definition=` which of the public conventions they
follow; `conventions` lists these, `definitions` computes all on one matrix, and `of_spectrum` has
the formulas. `moments` is what they need of batches that are not kept; `participation` corrects
the participation ratio for the finite sample; `lidar` and `neurons` need more than a spectrum.
"""
