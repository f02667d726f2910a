"""A probe set sent through a model, its features handed on as they arise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor

from epsrank.numerics.monitor.model.capture import Capture, Consume
from epsrank.numerics.monitor.model.habits import look, pass_beside
from epsrank.numerics.monitor.model.passes import Arguments, batches, first_batch
from epsrank.numerics.monitor.model.plan import LayerPlan
from epsrank.numerics.monitor.model.samples import Weigh


def probe_pass(
    plan: LayerPlan,
    probe: Any,
    consume: Consume,
    *,
    batch_size: int = 1024,
    weigh: Weigh | None = None,
) -> Capture:
    """Run a probe set through the model and hand on the features of every planned layer.

    A tensor is the one argument of the model, a tuple its positional and a dict its named
    arguments; their first axis is cut into batches. Any other iterable, such as a list or a loader,
    gives batches as they are (the way for inputs with time on the first axis). They are copied to
    the device of the model, and ``consume(name, features)`` gets rows in the order of the probe.

    Evaluation mode, eager code, no gradients (except where the forward pass itself differentiates),
    and Transformer layers without the fused evaluation path, which rounds differently and calls
    nothing that could be looked at. All that a pass may change is as before afterwards, whatever
    the model does, and also after an exception. Samples count by the weights that come with the
    batches, or that `weigh` gives.

    Where the plan can learn, the pass ends with the first batch in which the model does what the
    plan does not know: `Capture.fresh_in`, which `learned` plans anew with.
    """
    under_way: list[Arguments] = []

    def weights(_: Arguments) -> Tensor | None:
        [own] = under_way
        return weigh(own) if own.weights is None and weigh is not None else own.weights

    capture = Capture(plan, consume, everything=True, weigh=weights)
    look(plan.wrapper, first_batch(probe))
    with pass_beside(plan.wrapper) as call, capture:
        for arguments in batches(probe, batch_size):
            under_way[:] = [arguments]
            call(arguments)
            if capture.fresh and plan.further is not None:
                capture.fresh_in = arguments
                break
    return capture


def learned(plan: LayerPlan, capture: Capture) -> LayerPlan | None:
    """Return the plan with what a pass found new in the model; None where that was nothing.

    What cannot be planned is left out: the plan that comes back then learns no more.
    """
    if capture.fresh_in is None or plan.further is None:
        return None
    return plan.further(capture.fresh_in) or replace(plan, further=None)
