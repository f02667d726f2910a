"""Networks whose hidden layers can be looked at: `hidden(x)` and a linear `head`."""

from numerics.networks.activations import ACTIVATIONS, activation_function
from numerics.networks.base import FeatureNetwork, samples_by_neurons
from numerics.networks.capture import capture, layer_weights
from numerics.networks.cnn import SmallCNN
from numerics.networks.initialise import INITIALISATIONS, initialise_
from numerics.networks.mlp import MLP
from numerics.networks.resnet import ResNet

__all__ = [
    "ACTIVATIONS",
    "INITIALISATIONS",
    "MLP",
    "FeatureNetwork",
    "ResNet",
    "SmallCNN",
    "activation_function",
    "capture",
    "initialise_",
    "layer_weights",
    "samples_by_neurons",
]
