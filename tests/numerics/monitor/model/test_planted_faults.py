"""The comparison with a naive capture sees a capture that is wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from epsrank.numerics.gram.layer import LayerAccumulator
from epsrank.numerics.monitor.model import capture as capturing
from epsrank.numerics.monitor.model.capture import Capture
from tests.numerics.gram import test_layer_accumulator as sums
from tests.numerics.monitor.model import test_architectures as table
from tests.numerics.monitor.model import test_untouched as untouched
from tests.numerics.monitor.model.architectures import CASES


def case(name):
    return next(case for case in CASES if case.name == name)


def test_counting_the_recomputation_of_a_checkpoint(monkeypatch):
    monkeypatch.setattr(capturing, "gives_samples", lambda *, of_training: (True, None))
    monkeypatch.setattr(capturing, "in_backward", lambda: False)
    for name in ("checkpoint", "checkpoint, reentrant"):
        with pytest.raises(AssertionError):
            table.test_training_steps_give_what_a_naive_capture_stores(case(name))
    table.test_training_steps_give_what_a_naive_capture_stores(case("mlp"))


def test_taking_positions_for_neurons(monkeypatch):
    rows = capturing.samples_by_neurons
    monkeypatch.setattr(capturing, "samples_by_neurons", lambda tensor, axis: rows(tensor, -1))
    for name in ("cnn", "convolution in 1-D", "channels last inside a block"):
        with pytest.raises(AssertionError):
            table.test_probe_pass_gives_what_a_naive_capture_stores(case(name))


def test_taking_what_enters_an_activation(monkeypatch):
    places = capturing.places_of

    def before(plan):
        found = places(plan)
        for place in found.values():
            place.inputs, place.outputs = place.outputs, place.inputs
        return found

    monkeypatch.setattr(capturing, "places_of", before)
    with pytest.raises(AssertionError):
        table.test_probe_pass_gives_what_a_naive_capture_stores(case("mlp"))


def test_missing_one_of_two_calls(monkeypatch):
    called = Capture._called

    def first_only(self, owner, callee, number, *call):
        if number[0] == 0:
            called(self, owner, callee, number, *call)

    monkeypatch.setattr(Capture, "_called", first_only)
    with pytest.raises(AssertionError):
        table.test_probe_pass_gives_what_a_naive_capture_stores(case("shared activation, dict"))


def test_drawing_random_numbers_in_the_hook():
    def draws(model, x):
        plan = table.find_layers(model, example=x)
        return lambda step: Capture(plan, lambda *_: torch.rand(1))

    with pytest.raises(AssertionError):
        untouched.test_bit_for_bit(draws, False)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_following_functions_during_validation(monkeypatch):
    monkeypatch.setattr(capturing, "gives_samples", lambda *, of_training: (True, None))
    path, count = torch._transformer_encoder_layer_fwd, []
    monkeypatch.setattr(
        torch, "_transformer_encoder_layer_fwd", lambda *args: (count.append(1), path(*args))[1]
    )
    with pytest.raises(AssertionError):
        untouched.test_validation_keeps_the_fused_path_of_transformers(count)


def test_going_on_to_watch(monkeypatch):
    stop, left = Capture.stop, []
    monkeypatch.setattr(Capture, "stop", lambda self: left.append(self))
    with pytest.raises(AssertionError):
        untouched.test_bit_for_bit(untouched.captured, False)
    for capture in left:
        stop(capture)


@pytest.mark.parametrize("eps", [None, 1e9], ids=["float64", "float32"])
def test_a_bound_that_is_too_small(monkeypatch, eps):
    gram = LayerAccumulator.gram
    monkeypatch.setattr(
        LayerAccumulator, "gram", lambda self: replace(gram(self), error=gram(self).error * 1e-4)
    )
    with pytest.raises(AssertionError):
        sums.test_the_bound_encloses_the_exact_matrix("raw", 0.9, eps, torch.float32)


def test_forgetting_the_wrong_way_round(monkeypatch):
    update = LayerAccumulator.update

    def late(self, features):
        update(self, features)
        LayerAccumulator.forget(self, 0.9)

    monkeypatch.setattr(LayerAccumulator, "update", late)
    with pytest.raises(AssertionError):
        sums.test_the_bound_encloses_the_exact_matrix("raw", 0.9, None, torch.float32)
