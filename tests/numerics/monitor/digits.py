"""scikit-learn's digits as tensors; it reads them from a text file at every call, here once."""

import functools

import torch
from sklearn.datasets import load_digits

_once = functools.cache(load_digits)


def digits(count=400):
    """Return so many images of 64 pixels in [0, 1], and their labels."""
    x, y = _once(return_X_y=True)
    return torch.tensor(x[:count] / 16, dtype=torch.float32), torch.tensor(y[:count])
