"""A perceptron with a narrow layer before its last hidden one."""

from __future__ import annotations

from torch import Tensor, nn

from epsrank.numerics.networks.mlp import MLP

#: Neurons of the narrow layer; the early draft of [S1] has 10, as many as classes.
NECK = 10


class BottleneckMLP(MLP):
    """Perceptron with L ≥ 3 hidden layers, the last but one of 10 neurons, the others of n.

    The features φ are then functions of 10 variables z, the outputs of the narrow layer, and their
    Gram matrix can be integrated over the box of z as well as over data: the way in which the early
    draft of [S1] measures on MNIST.

    >>> import torch
    >>> network = BottleneckMLP(n_inputs=784, width=50, depth=3, n_outputs=10)
    >>> [tuple(layer.shape) for layer in network.hidden(torch.zeros(7, 784))]
    [(7, 50), (7, 10), (7, 50)]
    """

    def __init__(
        self,
        n_inputs: int,
        width: int,
        depth: int,
        n_outputs: int = 1,
        activation: str = "tanh",
    ) -> None:
        super().__init__(n_inputs, width, depth, n_outputs, activation)
        self.layers[-2] = nn.Linear(width, NECK)
        self.layers[-1] = nn.Linear(NECK, width)

    def features_of_neck(self, z: Tensor) -> Tensor:
        """Return φ as a function of the outputs of the narrow layer."""
        features: Tensor = self._sigma(self.layers[-1](z))
        return features
