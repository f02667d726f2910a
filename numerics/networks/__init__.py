"""Networks whose hidden layers can be looked at: `hidden(x)` and a linear `head`."""

from epsrank.numerics.networks.activations import ACTIVATIONS, activation_function
from epsrank.numerics.networks.adaptive import AdaptiveNet
from epsrank.numerics.networks.base import FeatureNetwork, evaluating, samples_by_neurons
from epsrank.numerics.networks.bottleneck import BottleneckMLP
from epsrank.numerics.networks.capture import capture
from epsrank.numerics.networks.cnn import SmallCNN
from epsrank.numerics.networks.initialise import INITIALISATIONS, initialise_
from epsrank.numerics.networks.mlp import MLP
from epsrank.numerics.networks.modified import ModifiedMLP
from epsrank.numerics.networks.resnet import ResNet
from epsrank.numerics.networks.transformer import SmallTransformer

__all__ = [
    "ACTIVATIONS",
    "INITIALISATIONS",
    "MLP",
    "AdaptiveNet",
    "BottleneckMLP",
    "FeatureNetwork",
    "ModifiedMLP",
    "ResNet",
    "SmallCNN",
    "SmallTransformer",
    "activation_function",
    "capture",
    "evaluating",
    "initialise_",
    "samples_by_neurons",
]
