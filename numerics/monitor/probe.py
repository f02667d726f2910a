"""A pass over a fixed probe set that leaves the model and the random numbers as they were."""

from __future__ import annotations

from typing import Any

import torch

from epsrank.numerics.monitor.capture import Capture, Consume
from epsrank.numerics.monitor.passes import batches, run, untouched
from epsrank.numerics.monitor.plan import LayerPlan
from epsrank.numerics.monitor.wrappers import eagerly, runnable
from epsrank.theory.errors import InputError


def probe_pass(
    plan: LayerPlan,
    probe: Any,
    consume: Consume,
    *,
    batch_size: int = 1024,
) -> Capture:
    """Run a probe set through the model and hand on the features of every planned layer.

    Evaluation mode, no gradients, eager code, and Transformer layers without the fused evaluation
    path, which rounds differently and calls nothing that could be looked at. Modes, random number
    generators and buffers are as before afterwards, whatever the model does, and also after an
    exception.

    Parameters
    ----------
    plan : LayerPlan
        From `find_layers`.
    probe : Tensor, tuple, dict, or iterable of them
        A tensor is the one argument of the model, a tuple its positional and a dict its named
        arguments; their first axis is cut into batches. Any other iterable, such as a list or a
        loader, gives batches as they are (the way for inputs with time on the first axis). They are
        copied to the device of the model.
    consume : callable
        ``consume(name, features)``, see `Capture`; rows are in the order of the probe.
    batch_size : int
        Samples per forward pass.

    Returns
    -------
    Capture
        Stopped; its `calls` and `problems` say what was seen.

    Raises
    ------
    InputError
        If the probe has no samples, its parts differ in length, or it can be read only once.
    """
    capture = Capture(plan, consume, everything=True)
    runner = runnable(plan.wrapper)
    ran = False
    with untouched(runner), eagerly(plan.wrapper), torch.no_grad(), capture:
        runner.eval()
        for arguments in batches(probe, batch_size):
            run(runner, arguments)
            ran = True
    if not ran:
        raise InputError("probe", "is empty", "pass at least one sample")
    return capture
