"""Small networks on which every quantity is measured, with all that a training could lose."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from epsrank import QuantityData


class Attentive(nn.Module):
    """Attention, whose fused kernels have no second derivative."""

    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        tokens = x.unflatten(1, (2, 4))
        q = F.scaled_dot_product_attention(tokens, tokens, tokens)
        return self.head(self.attention(q, tokens, tokens, need_weights=False)[0].mean(dim=1))


def mlp(seed=0, dtype=torch.float64):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(8, 5), nn.Tanh(), nn.Linear(5, 3)).to(dtype)


def noisy(seed=0):
    """Return a network with running means, and noise in training mode."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(8, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Dropout(0.3), nn.Linear(6, 3)
    )


def attentive(seed=0):
    torch.manual_seed(seed)
    return Attentive()


NETWORKS = {"mlp": mlp, "noisy": noisy, "attentive": attentive}


def samples(count=30, seed=1, dtype=torch.float64):
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 8, generator=draw, dtype=torch.float64).to(dtype)
    return QuantityData(x, torch.randint(0, 3, (count,), generator=draw))


def cross_entropy(outputs, targets):
    return F.cross_entropy(outputs, targets)
