"""The residual network of experiment A8."""

from __future__ import annotations

from torch import Tensor, nn

from epsrank.numerics.networks.activations import activation_function
from epsrank.numerics.networks.base import FeatureNetwork, as_rows, as_size


class ResNet(FeatureNetwork):
    """Residual network y_1 = σ(W_0 x + b_0), y_{k+1} = y_k + σ(W_k y_k + b_k), u = y_L·W + b.

    Parameters
    ----------
    n_inputs : int
        Dimension d of x.
    width : int
        Neurons n of every hidden layer.
    depth : int
        Number L ≥ 1 of hidden layers: the lifting layer and L − 1 residual ones, so that equal
        depth means equally many matrices as in an `MLP`.
    n_outputs : int
        Number k of outputs.
    activation : str
        Name of σ.

    Notes
    -----
    The output of a residual layer is the sum y_{k+1}, as in experiment A8; the ε-rank of the
    increment σ(W_k y_k + b_k) alone would be that of an `MLP` layer.
    """

    def __init__(
        self,
        n_inputs: int,
        width: int,
        depth: int,
        n_outputs: int = 1,
        activation: str = "tanh",
    ) -> None:
        super().__init__(width, n_outputs)
        self.n_inputs = as_size(n_inputs, "n_inputs")
        self._sigma = activation_function(activation)
        self.lifting = nn.Linear(n_inputs, width)
        self.blocks = nn.ModuleList(
            nn.Linear(width, width) for _ in range(as_size(depth, "depth") - 1)
        )

    def hidden(self, x: Tensor) -> list[Tensor]:
        """Return y_1, …, y_L.

        Parameters
        ----------
        x : Tensor, shape (N, d)
            Inputs; images are flattened.

        Returns
        -------
        list of Tensor, each of shape (N, n)
            Outputs of the lifting layer and of every residual layer.
        """
        y = self._sigma(self.lifting(as_rows(x, self.n_inputs)))
        outputs = [y]
        for block in self.blocks:
            y = y + self._sigma(block(y))
            outputs.append(y)
        return outputs

    @property
    def first_layer(self) -> nn.Linear:
        """The lifting layer x ↦ W_0 x + b_0."""
        return self.lifting
