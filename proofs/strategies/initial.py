"""Networks before training: first layers, their activations and initialisations, and what follows.

What is drawn is a recipe, small enough to be a witness that anybody can build again; torch is
imported when a network is built.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st

from epsrank.proofs.strategies.domains import Domain, data_sets, domains
from epsrank.theory.numbers.arrays import Matrix
from epsrank.theory.rank.epsilon import epsilon_rank
from epsrank.theory.rank.interval import RankInterval

if TYPE_CHECKING:
    from torch import nn

#: Activations that first layers are drawn with.
ACTIVATION_NAMES = (
    "tanh", "relu", "sine", "cosine", "gaussian", "sigmoid", "elu", "gelu", "erf",
)  # fmt: skip

#: Initialisations that are drawn; all but the first and the last take a factor.
INITIALISATION_NAMES = ("default", "xavier", "he", "orthogonal", "uniform", "normal", "structured")


@dataclass(frozen=True)
class Initialisation:
    """How the weights of a network are drawn.

    Attributes
    ----------
    name : str
        ``"default"`` is torch's law, ``"structured"`` the same with a structured first layer (I3);
        the others are those of ``epsrank train --init``.
    scale : float or None
        Factor of the law; None for its own.
    """

    name: str
    scale: float | None = None


@dataclass(frozen=True, eq=False)
class InitialNetwork:
    """A network before training, as a recipe.

    Attributes
    ----------
    domain : Domain
        Where its inputs lie.
    width : int
        n, neurons of every hidden layer; channels where the first layer is a convolution.
    depth : int
        Number of hidden layers.
    activation : str
        Name of σ.
    init : Initialisation
        How it is drawn.
    seed : int
        Of the draws.
    kernel : (int, int) or None
        Size of the first layer's kernel; None for a dense one. Later layers act at every position.
    """

    domain: Domain
    width: int
    depth: int = 1
    activation: str = "tanh"
    init: Initialisation = Initialisation("default")
    seed: int = 0
    kernel: tuple[int, int] | None = None

    def with_init(self, name: str, scale: float | None = None) -> InitialNetwork:
        """Return the same network under another initialisation, from the same seed.

        Parameters
        ----------
        name : str
            Name of the initialisation.
        scale : float, optional
            Factor of its law.

        Returns
        -------
        InitialNetwork
            The other recipe. Under ``"structured"`` all layers but the first are as by default.
        """
        return replace(self, init=Initialisation(name, scale))

    def model(self) -> Any:
        """Build the network.

        Returns
        -------
        torch.nn.Module
            In float64 on the CPU, with ``hidden(x)``, ``first_layer`` and ``head``.
        """
        from epsrank.numerics.first_layer.drawn import drawn_network

        return drawn_network(
            self.domain.n_inputs, self.kernel, self.width, self.depth, self.activation,
            init=self.init.name, scale=self.init.scale, box=self.domain.box,
            data=self.domain.data, seed=self.seed,
        )  # fmt: skip

    def first_layer(self) -> nn.Module:
        """Build its first layer.

        Returns
        -------
        torch.nn.Module
            An ``nn.Linear`` or ``nn.Conv2d`` in float64.
        """
        layer: nn.Module = self.model().first_layer
        return layer

    def features(self, layer: int = -1) -> Matrix:
        """Return Φ of a hidden layer at the points of the domain.

        Parameters
        ----------
        layer : int
            Index of the layer; the last one by default.

        Returns
        -------
        ndarray of float64, shape (N, n)
            One row per point, or per position of an image.
        """
        import torch

        from epsrank.numerics.networks.capture import capture

        # Images keep their shape; the points of a box are those of its quadrature rule.
        points = self.domain.data if self.domain.box is None else self.domain.measure().points
        assert points is not None
        x = torch.as_tensor(np.ascontiguousarray(points))
        return np.asarray(capture(self.model(), x)[layer].numpy(), dtype=np.float64)

    def rank(self, eps: float, *, layer: int = -1, exact: bool = False) -> RankInterval:
        """Certify the ε-rank of a hidden layer, over the uniform measure of mass 1.

        Parameters
        ----------
        eps : float
            ε > 0.
        layer : int
            Index of the layer; the last one by default.
        exact : bool
            Decide in integer arithmetic whatever the margin.

        Returns
        -------
        RankInterval
            Its ε-rank.
        """
        law = "mean" if self.domain.box is None else self.domain.measure().measure
        return epsilon_rank(self.features(layer), eps, measure=law, exact=exact)


def activations() -> st.SearchStrategy[str]:
    """Draw the name of an activation σ.

    Returns
    -------
    SearchStrategy of str
        The strategy; it shrinks to tanh.
    """
    return st.sampled_from(ACTIVATION_NAMES)


@st.composite
def initialisations(
    draw: st.DrawFn, names: tuple[str, ...] = INITIALISATION_NAMES
) -> Initialisation:
    """Draw how a network is initialised: a law, and a factor from 1/8 to 8 where it takes one.

    Parameters
    ----------
    draw : callable
        Supplied by Hypothesis.
    names : tuple of str
        Laws to choose from.

    Returns
    -------
    Initialisation
        Name and factor.
    """
    name = draw(st.sampled_from(names))
    if name in ("default", "structured"):
        return Initialisation(name)
    return Initialisation(name, draw(st.none() | st.integers(-3, 3).map(lambda e: 2.0**e)))


@st.composite
def initial_networks(
    draw: st.DrawFn,
    *,
    widths: tuple[int, int] = (1, 12),
    depths: tuple[int, int] = (1, 3),
    sigma: st.SearchStrategy[str] | None = None,
    domain: st.SearchStrategy[Domain] | None = None,
    init: st.SearchStrategy[Initialisation] | None = None,
    convolutions: bool = True,
) -> InitialNetwork:
    """Draw a network before training, with a dense or a convolutional first layer.

    Parameters
    ----------
    draw : callable
        Supplied by Hypothesis.
    widths, depths : (int, int)
        Least and largest number of neurons of a layer, and of hidden layers.
    sigma : SearchStrategy of str, optional
        Draws σ; `activations` by default.
    domain : SearchStrategy of Domain, optional
        Draws where the inputs of a dense first layer lie; `domains` by default.
    init : SearchStrategy of Initialisation, optional
        Draws how it is initialised; `initialisations` by default.
    convolutions : bool
        Whether one first layer in three is a convolution, over images of up to 6×6.

    Returns
    -------
    InitialNetwork
        The recipe.
    """
    width, depth = draw(st.integers(*widths)), draw(st.integers(*depths))
    name = draw(activations() if sigma is None else sigma)
    law = draw(initialisations() if init is None else init)
    kernel = None
    if convolutions and draw(st.sampled_from((False, False, True))):
        kernel = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
        high, wide = (size + draw(st.integers(0, 3)) for size in kernel)
        shape = (draw(st.integers(1, 2)), high, wide)
        place = Domain(data=draw(data_sets(shape, max_samples=6)))
    else:
        place = draw(domains() if domain is None else domain)
    seed = draw(st.integers(0, 2**16 - 1))
    return InitialNetwork(place, width, depth, name, law, seed, kernel)


def first_layers(
    *, widths: tuple[int, int] = (1, 12), convolutions: bool = True
) -> st.SearchStrategy[InitialNetwork]:
    """Draw a first layer, dense or convolutional: a network with one hidden layer.

    Parameters
    ----------
    widths : (int, int)
        Least and largest number of neurons.
    convolutions : bool
        Whether one in three is a convolution.

    Returns
    -------
    SearchStrategy of InitialNetwork
        The recipe; ``first_layer()`` builds the layer, ``features()`` is what it gives.
    """
    return initial_networks(widths=widths, depths=(1, 1), convolutions=convolutions)
