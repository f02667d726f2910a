"""The samples of a reading, batch by batch: what the head computes is checked on each of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from weakref import ref

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from epsrank.numerics.monitor.heads.affine import affine_map
from epsrank.numerics.monitor.heads.insertion import Insertion
from epsrank.numerics.monitor.heads.making import head_rows
from epsrank.numerics.monitor.heads.rows import HeadRows, joined
from epsrank.numerics.monitor.heads.share import NoReading, Share, matched
from epsrank.numerics.monitor.model.convolutions import Plain, form_of
from epsrank.numerics.monitor.model.counting import under_transforms
from epsrank.numerics.monitor.model.effective import weight_of_rows
from epsrank.numerics.monitor.model.find import heads_in
from epsrank.numerics.monitor.model.kinds import kind_of
from epsrank.numerics.monitor.model.passes import Arguments, batches
from epsrank.numerics.monitor.model.plan import PlannedHead
from epsrank.numerics.monitor.model.samples import Weigh
from epsrank.numerics.monitor.model.wrappers import clean_name, unwrap
from epsrank.theory.errors import InputError, described

if TYPE_CHECKING:
    from epsrank.numerics.losses import UserLoss

# Samples of one batch of a probe. All tests of affinity are made on the first batch of every
# measurement; D and r are found on all, and held against the model's own outputs there.
_TOGETHER = 256

# The same where every position of an image is a row.
_IMAGES = 4


class HeadReader:
    """Collects the rows of one head for a reading, and says what its output is."""

    def __init__(
        self,
        wrapper: nn.Module,
        head: PlannedHead,
        loss: UserLoss,
        limit: int,
        weigh: Weigh | None = None,
    ) -> None:
        self._wrapper = wrapper
        self._head = head
        #: Name of the head.
        self.name = head.name
        #: Loss of its reading.
        self.loss = loss
        self._limit = limit
        self._weigh = weigh
        self._running = self._of_probe = False
        self._guessed = head.guessed
        self._modules = {name: ref(module) for name, module in _modules(wrapper).items()}
        self.begin()

    def begin(self) -> None:
        """Start anew."""
        self._parts: list[HeadRows] = []
        # Which of all rows these are: not those of weight 0, of which padding may make most.
        self._places: list[Tensor] = []
        #: Why there is no reading.
        self.problem: str | None = None
        # Rows kept; rows and samples looked at; rows of all batches, those not looked at included.
        self._kept = self._rows = self._samples = self._total = 0
        self._versions: list[int] | None = None

    def probe(self, inputs: Any, batch_size: int) -> None:
        """Collect the rows of a probe, in evaluation mode."""
        self._of_probe = True
        together = _TOGETHER if type(form_of(self._head.module)) is Plain else _IMAGES
        for arguments in batches(inputs, min(batch_size, self._limit, together)):
            self.batch(arguments)

    def batch(self, arguments: Arguments, *, as_is: bool = False) -> None:
        """Collect the rows of one batch; modes stay where it is a step of the training.

        Whatever fails is kept as the reason why there is no reading.
        """
        if self._running or self.problem is not None:
            return  # a pass of this very reader, or nothing to be read any more
        count = _count(arguments)
        if self._kept >= self._limit:
            self._total += round(count * self._rows / max(1, self._samples))
            return
        self._running = True
        try:
            rows = self._examined(arguments, as_is)
        except Exception as error:
            self.problem = described(error)
            return
        finally:
            self._running = False
        counting = torch.ones(len(rows), dtype=torch.bool)
        if rows.weights is not None:
            counting = rows.weights > 0
        places = counting.nonzero().flatten()[: self._limit - self._kept]
        if len(places):
            part = rows.first(len(places))
            if int(places[-1]) != len(places) - 1:
                chosen = torch.zeros(len(rows), dtype=torch.bool)
                chosen[places] = True
                part = rows.chosen(chosen)
            self._parts.append(part)
            self._places.append(self._total + places)
        self._kept += len(places)
        self._samples += count
        self._rows += len(rows)
        self._total += len(rows)

    def _examined(self, arguments: Arguments, as_is: bool) -> HeadRows:
        """Return the rows of one batch; tests are thorough on the first of a measurement."""
        if under_transforms():
            remedy = "pass probe= with samples: they are sent through the model outside of it"
            raise InputError("head", "runs inside vmap, grad or another transform", remedy)
        head = self._head
        if not self._parts:
            self._refuse_changes()
        if as_is:
            self._refuse_updates()
        if self._guessed:
            self._confirm(arguments)
        insertion = Insertion(self._wrapper, head.module, arguments, as_is=as_is)
        thorough = not self._parts
        found, own = affine_map(insertion, head.name, head.output, thorough=thorough)
        width = int(own.entered[0].shape[-1])
        weight, bias = weight_of_rows(head.module, width, as_is=as_is)
        weights = arguments.weights
        if weights is None and self._weigh is not None:
            weights = self._weigh(arguments)
        rows = head_rows(found, own.entered, weight, bias).weighed(weights)
        words = form_of(head.module).words
        return replace(rows, form=f"{rows.form}, {words}") if words else rows

    def _refuse_changes(self) -> None:
        """Refuse a model whose modules are not those that the head was chosen among."""
        now = _modules(self._wrapper)
        changed = [
            name or "the model"
            # What was only taken away shows in the pass, where it matters.
            for name, module in now.items()
            if (own := self._modules.get(name)) is None or own() is not module
        ]
        if changed:
            what = ", ".join(map(repr, changed[:3])) + " …" * (len(changed) > 3)
            problem = f"was chosen before modules of the model were replaced or added: {what}"
            raise InputError("head", problem, "make a new RankMonitor for the new model")

    def _refuse_updates(self) -> None:
        """Refuse calls of one step between which the weights moved: they share no φW + b."""
        parameters = unwrap(self._wrapper).parameters()
        now = [value._version for value in parameters if not value.is_inference()]
        before, self._versions = self._versions, now
        if before is not None and before != now:
            problem = "changed its weights between two calls of the same step"
            raise InputError("model", problem, "call step after every update, or pass probe=")

    def _confirm(self, arguments: Arguments) -> None:
        """Refuse a head that was taken from names where a pass shows others."""
        found = heads_in(self._wrapper, arguments, self._head.output)
        if found.candidates and found.why is not None:
            raise InputError("head", *found.why)
        if found.candidates:
            several = " and ".join(map(repr, found.candidates))
            remedy = f"say which has the targets: head={found.candidates[0]!r}"
            raise InputError("head", f"is not clear: {several} all give outputs", remedy)
        if found.chosen and self._head.name not in found.chosen:
            [name] = found.chosen
            problem = f"was taken for {self._head.name!r}, but {name!r} gives the output"
            raise InputError("head", problem, f"pass head={name!r}")
        self._guessed = False

    @property
    def blank(self) -> bool:
        """Whether nothing was looked at since `begin`."""
        return self._total == 0 and self.problem is None

    @property
    def has_rows(self) -> bool:
        """Whether some samples count."""
        return bool(self._parts)

    def form(self) -> str | None:
        """Return what the output is, in words; None before anything was collected."""
        return self.joined().form if self._parts else None

    @property
    def axis(self) -> int | None:
        """Axis of the classes or columns in the output; None where it is not known."""
        return self._parts[0].axis if self._parts else None

    def joined(self) -> HeadRows:
        """Return all rows collected."""
        return joined(self._parts)

    def share(self, targets: Any) -> Share:
        """Return the rows collected, with their targets."""
        if self.problem is not None:
            raise NoReading(self.problem)
        if not self._parts and self._total:
            remedy = "let at least one sample count"
            raise InputError("targets", "are all left out by mask or weights", remedy)
        if not self._parts:
            raise InputError(
                "targets", "have no features", "check that the head is part of the pass"
            )
        places = torch.cat(self._places)
        probe = self._of_probe
        return matched(self.joined(), self._total, targets, self.loss, places, of_probe=probe)


def _modules(wrapper: nn.Module) -> dict[str, nn.Module]:
    named = unwrap(wrapper).named_modules()
    return {clean_name(name): module for name, module in named if kind_of(module) != "loss"}


def _count(arguments: Arguments) -> int:
    """Return the number of samples of some arguments."""
    sizes = [
        len(leaf)
        for leaf in tree_leaves((arguments.args, arguments.kwargs))
        if isinstance(leaf, Tensor) and leaf.ndim
    ]
    return sizes[0] if sizes else 1
