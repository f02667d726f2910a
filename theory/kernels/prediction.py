"""The ε-rank of a network at initialisation, predicted: limit, band and estimate (I1–I3)."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from epsrank.theory.data.inputs import as_whole
from epsrank.theory.errors import InputError
from epsrank.theory.kernels.band import FiniteWidthBand, finite_width_band
from epsrank.theory.kernels.catalogue import Sigma, layer_kernel
from epsrank.theory.kernels.depth import hidden_neurons
from epsrank.theory.kernels.initialisation import LayerInit, layer_init
from epsrank.theory.kernels.input_measure import InputMeasure
from epsrank.theory.kernels.kernel_spectrum import KernelSpectrum
from epsrank.theory.kernels.layer_kernel import LayerKernel
from epsrank.theory.kernels.neurons import NeuronLaw
from epsrank.theory.kernels.simulation import SimulatedRank, simulate_depth
from epsrank.theory.rank.interval import RankInterval


@dataclass(frozen=True, eq=False)
class InitialRank:
    """Prediction of the ε-rank of one hidden layer before training.

    Attributes
    ----------
    layer : int
        Number of the hidden layer, from 1.
    width : int
        n.
    eps : float
        ε.
    limit : RankInterval
        #{k : nμ_k > ε}, at most n: the count as width grows. It overestimates at finite width.
    band : FiniteWidthBand or None
        Where the ε-rank lies with the given probability; None where the layer is not random.
    estimate : SimulatedRank
        ε-ranks of drawn layers, those before it drawn too.
    law : str
        Law of a neuron.
    inputs : InputMeasure
        Measure of the inputs.
    spectrum : KernelSpectrum
        μ_k.
    """

    layer: int
    width: int
    eps: float
    limit: RankInterval
    band: FiniteWidthBand | None
    estimate: SimulatedRank
    law: str
    inputs: InputMeasure = field(repr=False)
    spectrum: KernelSpectrum = field(repr=False)

    def __str__(self) -> str:
        band = "" if self.band is None else f", band [{self.band.lower}, {self.band.upper}]"
        return (
            f"layer {self.layer}, n = {self.width}, ε = {self.eps:g}: limit {self.limit.ends}, "
            f"estimate {self.estimate.mean:.1f} ± {self.estimate.deviation:.1f}{band} "
            f"({self.inputs.measure.name} measure)"
        )

    def _repr_html_(self) -> str:
        return f"<span title='{html.escape(self.law)}'>{html.escape(str(self))}</span>"

    def to_json(self) -> dict[str, Any]:
        """Return the prediction as plain data.

        Returns
        -------
        dict
            Keys ``layer``, ``width``, ``eps``, ``limit``, ``band``, ``estimate``, ``law``.
        """
        return {
            "layer": self.layer,
            "width": self.width,
            "eps": self.eps,
            "limit": {"lower": self.limit.lower, "upper": self.limit.upper},
            "band": None if self.band is None else self.band.to_json(),
            "estimate": self.estimate.to_json(),
            "law": self.law,
        }


def predict_layer(
    law: NeuronLaw,
    estimates: Sequence[SimulatedRank],
    width: int,
    *,
    layer: int = 1,
    confidence: float = 0.95,
) -> list[InitialRank]:
    """Put limit, band and estimates of one layer side by side."""
    found = []
    for item in estimates:
        band = None
        if not law.deterministic:
            band = finite_width_band(law, width, item.eps, confidence=confidence)
        limit = law.spectrum.rank(width, item.eps)
        found.append(
            InitialRank(
                layer, width, item.eps, limit, band, item, law.text, law.inputs, law.spectrum
            )
        )
    return found


def initial_ranks(
    inputs: InputMeasure,
    activation: str | Sigma | LayerKernel,
    *,
    width: int,
    depth: int = 1,
    eps: Sequence[float] = (1e-6,),
    init: str | LayerInit = "default",
    init_scale: float | None = None,
    first: NeuronLaw | None = None,
    confidence: float = 0.95,
    draws: int = 20,
    seed: int = 0,
) -> list[InitialRank]:
    """Predict the ε-rank of every hidden layer of a multilayer perceptron before training (I1).

    Parameters
    ----------
    inputs : InputMeasure
        Measure of the inputs.
    activation : str, callable or LayerKernel
        σ.
    width, depth : int
        Neurons n of every hidden layer, and number of hidden layers.
    eps : sequence of float
        Thresholds.
    init : str or LayerInit
        A name of `layer_init`, or one law for all layers with weights scaled by their own fan-in.
    init_scale : float, optional
        Scale of a named initialisation.
    first : NeuronLaw, optional
        Law of the first hidden layer in place of `init`'s, such as a structured one.
    confidence : float
        Probability of the bands.
    draws, seed : int
        Layers drawn for the estimates, and their seed.

    Returns
    -------
    list of InitialRank
        By layer, then by threshold.

    Raises
    ------
    InputError
        If an argument cannot be used.

    Notes
    -----
    Behind the first layer, limit and band are those of independent neurons behind wide layers; the
    estimate draws all layers at width n. Where a layer before has lost rank already, as behind a
    structured first layer of a narrow network, limit and band are too high and the estimate holds.

    Examples
    --------
    >>> from epsrank.theory.kernels.input_measure import box_measure
    >>> found = initial_ranks(box_measure((-1, 1)), "tanh", width=50, draws=5)
    >>> int(found[0].limit)
    6
    """
    n = as_whole(width, "width")
    depth = as_whole(depth, "depth")
    kernel = activation if isinstance(activation, LayerKernel) else layer_kernel(activation)
    fans = [inputs.dimension, *[n] * (depth - 1)]
    if isinstance(init, LayerInit):
        if init_scale is not None:
            raise InputError("init_scale", "is given beside variances", "leave it out")
        inits = [init] * depth
    else:
        inits = [layer_init(init, fan, n, init_scale) for fan in fans]
    laws = hidden_neurons(inputs, [kernel] * depth, inits, first=first)
    estimates = simulate_depth(
        laws[0], [kernel] * (depth - 1), inits[1:], n, eps, draws=draws, seed=seed
    )
    return [
        item
        for index, (law, found) in enumerate(zip(laws, estimates, strict=True), start=1)
        for item in predict_layer(law, found, n, layer=index, confidence=confidence)
    ]
