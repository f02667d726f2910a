"""Every architecture of the table, against a capture that stores everything."""

from __future__ import annotations

import typing
import warnings
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from epsrank.numerics.gram.layer import LayerAccumulator
from epsrank.numerics.monitor.model import kinds
from epsrank.numerics.monitor.model.capture import Capture
from epsrank.numerics.monitor.model.features import first_tensor
from epsrank.numerics.monitor.model.find import find_layers
from epsrank.numerics.monitor.model.probing import probe_pass
from tests.numerics.monitor.model.architectures import CASES, Taped
from tests.numerics.monitor.model.first_call import plan_at_first_call


class Sums(dict):
    def __call__(self, name, features):
        assert not features.requires_grad
        self.setdefault(name, LayerAccumulator(features.shape[1])).update(features)


@contextmanager
def naive(case, model):
    """Store the features of every layer, by plain hooks or by what the model says itself."""
    stored, handles = {}, []

    def keep(name, axis, value):
        if torch._C._current_graph_task_id() == -1:
            rows = first_tensor(value).detach().movedim(axis, -1)
            stored.setdefault(name, []).append(rows.reshape(-1, rows.shape[-1]).double())

    for name, path, axis, side in case.hooks:
        module = model.get_submodule(path)
        if side == "input":
            hook = module.register_forward_pre_hook(
                lambda _, args, n=name, a=axis: keep(n, a, args)
            )
        else:
            hook = module.register_forward_hook(lambda _, i, o, n=name, a=axis: keep(n, a, o))
        handles.append(hook)
    if isinstance(model, Taped):
        model.tape = stored
    try:
        yield stored
    finally:
        for handle in handles:
            handle.remove()
        if isinstance(model, Taped):
            model.tape = None


def assert_same(sums, stored, names):
    assert set(sums) == set(names)
    for name in names:
        rows = torch.cat(stored[name]).numpy()
        gram = sums[name].gram()
        assert gram.n_samples == len(rows)
        truth = rows.T @ rows / len(rows)
        scale = np.trace(truth) + 1e-300
        np.testing.assert_allclose(gram.values, truth, rtol=0, atol=1e-13 * scale)
        np.testing.assert_allclose(
            sums[name].mean_abs, np.abs(rows).mean(0), rtol=1e-12, atol=1e-300
        )


def prepared(case):
    torch.manual_seed(7)
    return case.build(), case.inputs()


def call(model, inputs):
    return model(**inputs) if isinstance(inputs, dict) else model(inputs)


def names_of(case):
    return {name for name, *_ in case.hooks} | set(case.taps)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_probe_pass_gives_what_a_naive_capture_stores(case):
    model, inputs = prepared(case)
    plan = find_layers(model, example=inputs)
    assert set(plan.names) == names_of(case), str(plan)
    assert (plan.last.name if plan.last else None) == case.last
    model.eval()
    # The fused evaluation path of attention calls no submodule, and rounds differently.
    torch.backends.mha.set_fastpath_enabled(False)
    with naive(case, model) as stored, torch.no_grad(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "None of the inputs have requires_grad")
        call(model, inputs)
    torch.backends.mha.set_fastpath_enabled(True)
    model.train()
    sums = Sums()
    seen = probe_pass(plan, inputs, sums)
    assert not seen.problems
    assert torch.backends.mha.get_fastpath_enabled()
    assert_same(sums, stored, names_of(case))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_training_steps_give_what_a_naive_capture_stores(case):
    model, inputs = prepared(case)
    plans = []
    plan_at_first_call(model, plans.append)
    call(model, inputs)
    sums = Sums()
    with Capture(plans[0], sums) as capture, naive(case, model) as stored:
        for _ in range(2):  # accumulated gradients: two batches for one step
            case.loss(call(model, inputs)).backward()
    assert not capture.problems
    assert_same(sums, stored, names_of(case))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_module_is_measured_or_skipped_with_a_reason(case):
    model, inputs = prepared(case)
    for plan in (find_layers(model, example=inputs), find_layers(model)):
        reasons = {layer.name: layer.reason for layer in plan.skipped}
        assert all(reasons.values())
        measured = {id(layer.module) for layer in plan.layers} | {id(plan.head)}
        for name, module in model.named_modules():
            if next(module.children(), None) is None and name:
                assert name in reasons or id(module) in measured, name


def test_every_kind_is_measured_or_has_its_reason():
    known = set(typing.get_args(kinds.Kind))
    assert set(kinds.MEASURED) | set(kinds._WHY_NOT) == known
    assert not set(kinds.MEASURED) & set(kinds._WHY_NOT)
    assert set(kinds.WEIGHTED) | set(kinds.CLOSED) <= known
