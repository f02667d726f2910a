"""Layers of real architectures, tiny and untrained: which are found, and what is measured there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch

from epsrank.numerics.monitor.model.features import first_tensor
from epsrank.numerics.monitor.model.find import find_layers
from epsrank.numerics.monitor.model.probing import probe_pass

transformers = pytest.importorskip(
    "transformers", reason="needs transformers: pip install 'epsrank[huggingface]'"
)

# What the packages warn of among themselves.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

IDS = torch.randint(5, 90, (3, 12), generator=torch.Generator().manual_seed(0))
PIXELS = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
SOUND = torch.randn(3, 800, generator=torch.Generator().manual_seed(0))

SMALL = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48,
    "vocab_size": 100, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
DECODER = SMALL | {"num_key_value_heads": 2}
VISION = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_labels": 5}


class Family(NamedTuple):
    name: str
    make: Callable[[], Any]
    inputs: dict[str, torch.Tensor]
    layers: tuple[str, ...]


def family(
    model: str, config: str, options: dict[str, Any], given: str, layers: tuple[str, ...]
) -> Family:
    value = {"input_ids": IDS, "pixel_values": PIXELS, "input_values": SOUND}[given]
    inputs = {given: value} | ({"decoder_input_ids": IDS} if model.startswith("T5") else {})
    return Family(
        model,
        lambda: getattr(transformers, model)(getattr(transformers, config)(**options)),
        inputs,
        layers,
    )


def numbered(pattern: str) -> tuple[str, ...]:
    return pattern.format(0), pattern.format(1)


FAMILIES = [
    family("BertForSequenceClassification", "BertConfig", SMALL, "input_ids",
           (*numbered("bert.encoder.layer.{}"), "classifier (input)")),
    family("DistilBertForSequenceClassification", "DistilBertConfig",
           {"dim": 32, "hidden_dim": 48, "n_layers": 2, "n_heads": 4, "vocab_size": 100},
           "input_ids", (*numbered("distilbert.transformer.layer.{}"), "classifier (input)")),
    family("GPT2LMHeadModel", "GPT2Config",
           {"n_embd": 32, "n_layer": 2, "n_head": 4, "vocab_size": 100, "bos_token_id": 1,
            "eos_token_id": 2},
           "input_ids", (*numbered("transformer.h.{}"), "lm_head (input)")),
    family("LlamaForCausalLM", "LlamaConfig", DECODER, "input_ids",
           (*numbered("model.layers.{}"), "lm_head (input)")),
    family("GemmaForCausalLM", "GemmaConfig", DECODER | {"head_dim": 8}, "input_ids",
           (*numbered("model.layers.{}"), "lm_head (input)")),
    family("MixtralForCausalLM", "MixtralConfig",
           DECODER | {"num_local_experts": 4, "num_experts_per_tok": 2}, "input_ids",
           (*numbered("model.layers.{}"), "lm_head (input)")),
    family("MambaForCausalLM", "MambaConfig",
           {"hidden_size": 32, "num_hidden_layers": 2, "vocab_size": 100, "state_size": 4},
           "input_ids", (*numbered("backbone.layers.{}"), "lm_head (input)")),
    family("T5ForConditionalGeneration", "T5Config",
           {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4,
            "vocab_size": 100},
           "input_ids",
           (*numbered("encoder.block.{}"), *numbered("decoder.block.{}"), "lm_head (input)")),
    family("ViTForImageClassification", "ViTConfig",
           VISION | {"intermediate_size": 48, "image_size": 32, "patch_size": 8}, "pixel_values",
           (*numbered("vit.layers.{}"), "classifier (input)")),
    family("SwinForImageClassification", "SwinConfig",
           {"image_size": 32, "patch_size": 4, "embed_dim": 16, "depths": [1, 1],
            "num_heads": [2, 2], "window_size": 4, "num_labels": 5},
           "pixel_values", (*numbered("swin.encoder.layers.{}.blocks.0"), "classifier (input)")),
    family("ConvNextForImageClassification", "ConvNextConfig",
           {"hidden_sizes": [8, 16], "depths": [1, 1], "num_stages": 2, "num_labels": 5},
           "pixel_values",
           (*numbered("convnext.encoder.stages.{}.layers.0"), "classifier (input)")),
    family("ResNetForImageClassification", "ResNetConfig",
           {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1],
            "layer_type": "basic", "num_labels": 5},
           "pixel_values",
           ("resnet.embedder.embedder.activation",
            *numbered("resnet.encoder.stages.{}.layers.0"), "classifier.1 (input)")),
]  # fmt: skip


@pytest.mark.parametrize("case", FAMILIES, ids=lambda case: case.name)
def test_blocks_and_what_enters_the_head_are_found_and_measured(case: Family) -> None:
    torch.manual_seed(0)
    model = case.make().eval()
    plan = find_layers(model, example=case.inputs)
    assert plan.names == case.layers
    assert plan.last is plan.layers[-1]

    naive: dict[str, list[torch.Tensor]] = {}
    hooks = []
    for layer in plan.layers:

        def keep(value: Any, name: str = layer.name, axis: int = layer.axis) -> None:
            value = first_tensor(value)
            assert value is not None
            rows = value.movedim(axis, -1) if value.ndim >= -axis and value.ndim > 2 else value
            naive.setdefault(name, []).append(rows.reshape(-1, rows.shape[-1]).clone())

        if layer.at == "input":
            hooks.append(
                layer.module.register_forward_pre_hook(lambda _, args, keep=keep: keep(args))
            )
        else:
            hooks.append(
                layer.module.register_forward_hook(lambda _, args, out, keep=keep: keep(out))
            )
    with torch.no_grad():
        model(**case.inputs)
    for hook in hooks:
        hook.remove()

    seen: dict[str, list[torch.Tensor]] = {}
    probe_pass(plan, case.inputs, lambda name, rows: seen.setdefault(name, []).append(rows.clone()))
    assert set(seen) == set(naive) == set(case.layers)
    for name in case.layers:
        assert torch.equal(torch.cat(seen[name]), torch.cat(naive[name])), name
