"""Networks whose hidden layers can be looked at: `hidden(x)` and a linear `head`."""

from numerics.networks.activations import ACTIVATIONS, activation_function
from numerics.networks.adaptive import AdaptiveNet
from numerics.networks.base import FeatureNetwork, samples_by_neurons
from numerics.networks.bottleneck import BottleneckMLP
from numerics.networks.capture import capture, layer_weights
from numerics.networks.cnn import SmallCNN
from numerics.networks.initialise import INITIALISATIONS, initialise_
from numerics.networks.mlp import MLP
from numerics.networks.modified import ModifiedMLP
from numerics.networks.resnet import ResNet
from numerics.networks.transformer import SmallTransformer

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
    "initialise_",
    "layer_weights",
    "samples_by_neurons",
]
