"""What follows from the Gram matrix of a layer: spectral quantities, whole or sketched."""
