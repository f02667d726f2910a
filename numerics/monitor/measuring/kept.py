"""Features of the last layer at chosen steps, kept to explain a drop between two (F8, R)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from epsrank.numerics.monitor.heads.share import Share
from epsrank.theory.errors import InputError

if TYPE_CHECKING:
    from epsrank.numerics.losses import UserLoss
    from epsrank.theory.floor.change.explain import DropExplanation


class KeptFeatures:
    """The last layer of at most `most` measurements, evenly spread over those that were made."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._kept: dict[int, Share] = {}
        self._seen = 0
        self._stride = 1

    @property
    def steps(self) -> tuple[int, ...]:
        """Steps whose features are kept."""
        return tuple(self._kept)

    def add(self, step: int, share: Share) -> None:
        """Keep a measurement if its turn has come; the latest is always kept."""
        if self.most == 0:
            return
        steps = list(self._kept)
        # The one before was kept for being the latest.
        if steps and (self._seen - 1) % self._stride:
            del self._kept[steps[-1]]
        self._kept[step] = share
        self._seen += 1
        if len(self._kept) > self.most:
            # Every other one goes, and from now on half as many come.
            self._stride *= 2
            for count, old in enumerate(list(self._kept)[:-1]):
                if count % 2:
                    del self._kept[old]

    def explain(
        self, before: int, after: int, *, loss: UserLoss | None, eps: float, measure: str
    ) -> DropExplanation:
        """Explain the drop between two kept steps."""
        # Here, since few monitors are asked.
        from epsrank.theory.floor.change.explain import explain_drop

        if self.most == 0:
            raise InputError("keep_features", "is 0", "pass the number of steps to keep, such as 8")
        for name, step in (("step_a", before), ("step_b", after)):
            if step not in self._kept:
                known = ", ".join(map(str, self._kept)) or "none yet"
                raise InputError(name, f"is {step}", f"features are kept of the steps {known}")
        early, late = self._kept[before], self._kept[after]
        if early.targets.shape != late.targets.shape or not bool(
            (early.targets == late.targets).all()
        ):
            raise InputError(
                "step_a", f"{before} and step_b {after} were measured on other samples",
                "pass a probe, with probe_part='whole'",
            )  # fmt: skip
        for name, step, own in (("step_a", before, early), ("step_b", after, late)):
            if own.rows.units is not None or own.rows.offset is not None or own.rows.copies > 1:
                problem = f"{step} has the output {own.rows.form}"
                remedy = "drops are explained of outputs φW + b alone"
                raise InputError(name, problem, remedy)
        if loss is None:
            raise InputError("loss", "is missing", "pass loss= to RankMonitor")
        own_loss = loss.of(late.targets, late.rows.n_outputs)
        weights = late.rows.weights
        return explain_drop(
            early.rows.features.double().numpy(),
            late.rows.features.double().numpy(),
            own_loss.goal,
            coefficients_before=early.rows.weight,
            coefficients_after=late.rows.weight,
            bias_before=None if early.rows.bias is None else early.rows.bias[0],
            bias_after=None if late.rows.bias is None else late.rows.bias[0],
            eps=eps,
            loss="squared" if loss.squares else own_loss.law,
            weights=None if weights is None else weights.numpy(),
            measure=measure,
            steps=(before, after),
        )
