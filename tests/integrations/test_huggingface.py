"""The Hugging Face callback against the real Trainer, on tiny models made from a config."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from epsrank.numerics.monitor.integrations import HuggingFaceRankCallback
from epsrank.numerics.monitor.sinks.files import JsonLinesSink
from epsrank.numerics.monitor.sinks.follow import read_history
from epsrank.theory.errors import InputError

transformers = pytest.importorskip(
    "transformers", reason="needs transformers: pip install 'epsrank[huggingface]'"
)
pytest.importorskip("accelerate", reason="needs accelerate: pip install 'epsrank[huggingface]'")

# What the packages warn of among themselves, and about a machine without an accelerator.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:transformers.*"),
    pytest.mark.filterwarnings("ignore::FutureWarning:transformers.*"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:accelerate.*"),
    pytest.mark.filterwarnings("ignore:'pin_memory' argument is set as true"),
]

TOKENS = torch.randint(0, 40, (48, 6), generator=torch.Generator().manual_seed(0))
LABELS = (TOKENS[:, 0] > 20).long()


def bert() -> Any:
    torch.manual_seed(0)
    return transformers.BertForSequenceClassification(
        transformers.BertConfig(
            vocab_size=40, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
            intermediate_size=32, max_position_embeddings=8, num_labels=2,
        )
    )  # fmt: skip


def gpt2() -> Any:
    torch.manual_seed(0)
    return transformers.GPT2LMHeadModel(
        transformers.GPT2Config(
            vocab_size=40, n_positions=8, n_embd=16, n_layer=2, n_head=2, bos_token_id=0,
            eos_token_id=0,
        )
    )  # fmt: skip


class Rows(torch.utils.data.Dataset[dict[str, torch.Tensor]]):
    def __init__(self, labels: torch.Tensor) -> None:
        self.labels = labels

    def __len__(self) -> int:
        return len(TOKENS)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return {"input_ids": TOKENS[index], "labels": self.labels[index]}


def train(
    tmp_path: Path,
    model: Any,
    labels: torch.Tensor,
    callbacks: list[Any],
    resume: str | None = None,
    **settings: Any,
) -> Any:
    args = transformers.TrainingArguments(
        output_dir=str(tmp_path / "out"), per_device_train_batch_size=8, seed=3, use_cpu=True,
        report_to=[], disable_tqdm=True, dataloader_pin_memory=False,
        **{"max_steps": 8, "logging_steps": 1, "save_strategy": "no", **settings},
    )  # fmt: skip
    trainer = transformers.Trainer(
        model=model, args=args, train_dataset=Rows(labels), callbacks=callbacks
    )
    trainer.train(resume_from_checkpoint=resume)
    return trainer


PROBE = {"input_ids": TOKENS}


@pytest.mark.parametrize(
    ("make", "labels", "own"),
    [
        (bert, LABELS, {"probe": PROBE, "targets": LABELS, "loss": "cross_entropy"}),
        (bert, LABELS, {}),
        (gpt2, TOKENS, {"probe": PROBE}),
        (gpt2, TOKENS, {}),
    ],
    ids=["bert-probe", "bert-batches", "gpt2-probe", "gpt2-batches"],
)
def test_weights_are_the_same_bit_for_bit(
    tmp_path: Path, make: Any, labels: torch.Tensor, own: dict[str, Any]
) -> None:
    plain, watched = make(), make()
    callback = HuggingFaceRankCallback(every=1, **own)
    train(tmp_path, plain, labels, [])
    trainer = train(tmp_path, watched, labels, [callback])
    for name, weight in plain.state_dict().items():
        assert torch.equal(weight, watched.state_dict()[name]), name
    assert callback.history.steps == list(range(1, 9 if own else 8))
    assert all(record.failure is None for record in callback.history)
    logged = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    rows = callback.history.of_layer(callback.history.layers[0])
    # Without a probe a measurement ends with the batch after it, and has the losses up to there.
    expected = logged if own else [sum(logged[:2]) / 2, *logged[2:]]
    assert [row.loss for row in rows] == pytest.approx(expected)
    if "loss" in own:
        assert rows[-1].step == 8
        reading = next(r.reading for r in callback.history[::-1] if r.reading is not None)
        assert reading.kind == "cross_entropy"
    if make is gpt2 and own:
        assert rows[-1].n_samples == TOKENS.numel()  # tokens are samples


def test_steps_are_those_of_the_optimiser_and_losses_those_logged(tmp_path: Path) -> None:
    callback = HuggingFaceRankCallback("bert.encoder", every=1)
    trainer = train(
        tmp_path, bert(), LABELS, [callback], gradient_accumulation_steps=2, max_steps=6,
        logging_steps=3,
    )  # fmt: skip
    assert callback.history.steps == [1, 2, 3, 4, 5]
    logged = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    rows = callback.history.of_layer(callback.history.layers[0])
    assert [row.loss for row in rows if row.loss is not None] == pytest.approx(logged)
    assert rows[0].n_samples == 16 * 6  # two batches of eight sequences of six tokens
    entries = [entry for entry in trainer.state.log_history if "epsrank/cost" in entry]
    assert [entry["step"] for entry in entries] == [2, 3, 4, 5, 6]
    json.dumps(entries, allow_nan=False)


def test_an_exception_closes_the_monitor(tmp_path: Path) -> None:
    class Failing(transformers.TrainerCallback):  # type: ignore[misc,name-defined]
        def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step == 4:
                raise RuntimeError("planted")

    model, file = bert(), tmp_path / "history.jsonl"
    callback = HuggingFaceRankCallback(every=1, sinks=[JsonLinesSink(file)])
    with pytest.raises(RuntimeError, match="planted"), callback:
        train(tmp_path, model, LABELS, [callback, Failing()])
    assert callback.monitor is not None
    with pytest.raises(InputError, match="is closed"):
        callback.monitor.step()
    assert all(not part._forward_hooks for part in model.modules())
    assert read_history(file).steps == [1, 2, 3]


def test_a_resumed_training_goes_on_counting(tmp_path: Path) -> None:
    train(tmp_path, bert(), LABELS, [], max_steps=4, save_strategy="steps", save_steps=4)
    callback = HuggingFaceRankCallback(every=2, probe=PROBE)
    half = str(tmp_path / "out" / "checkpoint-4")
    train(tmp_path, bert(), LABELS, [callback], resume=half)
    assert callback.history.steps == [6, 8]


def test_bad_use_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no part of the model"):
        train(tmp_path, bert(), LABELS, [HuggingFaceRankCallback("encoders")])
    with pytest.raises(InputError, match=r"trainer\.train"):
        _ = HuggingFaceRankCallback().history
    assert isinstance(HuggingFaceRankCallback(), transformers.TrainerCallback)
