"""A model as it was: what a quantity changed is found bit by bit, put back, and named."""

from __future__ import annotations

from torch import Tensor, nn

from epsrank.numerics.monitor.model.copies import Copied
from epsrank.numerics.monitor.model.state import TABLES

# Names in one line.
_SHOWN = 3


class AsItWas:
    """Parameters, gradients, flags, submodules and hooks of a model as they are now, in copies."""

    def __init__(self, model: nn.Module) -> None:
        self._tables = [
            (name, own, dict(own))
            for module in model.modules()
            for name in TABLES
            if isinstance(own := module.__dict__.get(name), dict)
        ]
        self._flags = [(t, t.requires_grad) for t in [*model.parameters(), *model.buffers()]]
        self._parameters = [(name, p, Copied(p)) for name, p in model.named_parameters()]
        self._gradients = [
            (name, p, p.grad, None if p.grad is None else Copied(p.grad))
            for name, p, _ in self._parameters
        ]

    def put_back(self) -> str | None:
        """Put everything back; say which parameters and gradients were not as they were."""
        replaced = self._put_tables_back()
        changed = [name for name, _, copy in self._parameters if copy.put_back()]
        for tensor, flag in self._flags:
            if tensor.requires_grad != flag:
                tensor.requires_grad_(flag)
        # After the parameters, whose dtype and device a gradient has to share.
        graded = [entry[0] for entry in self._gradients if _put_gradient_back(*entry[1:])]
        said = []
        if changed or replaced:
            said.append(f"parameters ({_some(changed or replaced)})")
        if graded:
            said.append(f".grad ({_some(graded)})")
        if not said:
            return None
        remedy = "take torch.autograd.grad" if graded and not changed else "work on a copy"
        return f"it changed {' and '.join(said)}, which were put back; {remedy}"

    def _put_tables_back(self) -> list[str]:
        """Put parameters, submodules and hooks back; name the parameters that were others."""
        replaced = []
        for table, own, before in self._tables:
            if own.keys() == before.keys() and all(own[key] is before[key] for key in before):
                continue
            if table == "_parameters":
                keys = {**before, **own}
                replaced += [key for key in keys if own.get(key) is not before.get(key)]
            own.clear()
            own.update(before)
        return replaced


def _put_gradient_back(parameter: Tensor, before: Tensor | None, copy: Copied | None) -> bool:
    changed = parameter.grad is not before
    if copy is not None:
        changed |= copy.put_back()
    if parameter.grad is not before:
        parameter.grad = before
    return changed


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
