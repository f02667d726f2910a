"""Models whose outputs are made of a head in many ways, and what can be said of each."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations


class Net(nn.Module):
    """A model that is made of parts and one function of them and the input."""

    def __init__(self, call: Callable[..., Any], **parts: nn.Module) -> None:
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)
        self._call_of_it = call

    def forward(self, *inputs: Any) -> Any:
        return self._call_of_it(self, *inputs)


def net(call: Callable[..., Any], width: int = 3, hidden: int = 12, inputs: int = 4) -> nn.Module:
    """Return a perceptron whose output is a function of the model and the input."""
    body = nn.Sequential(nn.Linear(inputs, hidden), nn.Tanh())
    return Net(call, body=body, head=nn.Linear(hidden, width))


def u(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Return what the head gives."""
    found: torch.Tensor = model.head(model.body(x))  # type: ignore[operator]
    return found


@dataclass(frozen=True)
class Model:
    """One row of the table."""

    name: str
    build: Callable[[], nn.Module]
    #: Loss of the reading; the targets are drawn to fit.
    loss: str = "mse"
    #: Part of the form of the output, or of the reason why there is no reading.
    says: str = "u = φW + b"
    #: Whether there is a reading.
    read: bool = True
    inputs: Callable[[], Any] = lambda: torch.randn(40, 4)
    #: Arguments of the monitor.
    options: dict[str, Any] = field(default_factory=dict)
    #: The model's output among what it returns.
    pick: Callable[[Any], torch.Tensor] = lambda output: output
    #: Of labels the axis of the classes.
    classes: int = -1
    #: Whether the last layer has ranks all the same.
    ranks: bool = True
    #: The head, where only a pass shows it.
    shown: str | None = None


class Low(nn.Module):
    """A linear layer with a low-rank adapter."""

    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        self.base = base
        self.a = nn.Linear(base.in_features, 2, bias=False)
        self.b = nn.Linear(2, base.out_features, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.base(x) + 0.5 * self.b(self.a(x))
        return found


class Dueling(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 12), nn.Tanh())
        self.value, self.advantage = nn.Linear(12, 1), nn.Linear(12, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.body(x)
        a = self.advantage(h)
        found: torch.Tensor = self.value(h) + a - a.mean(-1, keepdim=True)
        return found


class Experts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(4, 2)
        self.experts = nn.ModuleList(
            [nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 3)) for _ in range(2)]
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shares = self.gate(x).softmax(-1)
        return sum(shares[:, i : i + 1] * expert(x) for i, expert in enumerate(self.experts))  # type: ignore[return-value]


class Sequences(nn.Module):
    def __init__(self, kind: type[nn.RNNBase]) -> None:
        super().__init__()
        self.rnn, self.head = kind(4, 10, batch_first=True), nn.Linear(10, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.head(self.rnn(x)[0])
        return found


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(4, 8)
        layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.head = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.head(self.encoder(self.embed(x)).mean(1))
        return found


class Embedded(nn.Module):
    """A language model with one table for tokens and outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(7, 8)
        self.mix = nn.Sequential(nn.Linear(8, 8), nn.GELU())
        self.head = nn.Linear(8, 7, bias=False)
        self.head.weight = self.table.weight

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.head(self.mix(self.table(tokens)))
        return found


class Feedback(nn.Module):
    """Every output enters the next one."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.head = nn.GRUCell(4, 8), nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h, found = torch.zeros(len(x), 8), []
        for _ in range(3):
            h = self.cell(x, h)
            x = self.head(h)
            found.append(x)
        return torch.stack(found, 1)


class Derivative(nn.Module):
    """The residual of a differential equation: it differentiates by its own input."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(1, 12), nn.Tanh())
        self.head = nn.Linear(12, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            value = self.head(self.body(x))
            [slope] = torch.autograd.grad(value.sum(), x, create_graph=True)
        return slope + value


def in_place(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    z = model.body(x)  # type: ignore[operator]
    z.mul_(3).add_(1)
    z[:, :6] = 0
    found: torch.Tensor = model.head(z)  # type: ignore[operator]
    return found


def frozen() -> nn.Module:
    model = net(u)
    model.body.requires_grad_(False)
    return model


def parametrised(change: Callable[[nn.Module], nn.Module]) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        model = net(u)
        model.head = change(model.head)  # type: ignore[arg-type]
        return model

    return build


def of(call: Callable[..., Any], **options: Any) -> Callable[[], nn.Module]:
    return lambda: net(call, **options)


class ActorCritic(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 12), nn.Tanh())
        self.actor, self.critic = nn.Linear(12, 3), nn.Linear(12, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        h = self.body(x)
        return self.actor(h), self.critic(h)


class Own(nn.Module):
    """A linear layer that is none of PyTorch's."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.w = nn.Parameter(0.3 * torch.randn(outputs, inputs))
        self.b = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.w.T + self.b


def images() -> torch.Tensor:
    return torch.randn(4, 2, 5, 5)


def pixels(head: nn.Module, *after: nn.Module) -> Callable[[], nn.Module]:
    return lambda: nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1), nn.ReLU(), copy.deepcopy(head), *after
    )


SCALE = torch.tensor([0.5, 2.0, 3.0])
MIX = torch.tensor([[1.0, 2.0, 0.0], [0.0, 1.0, 1.0], [1.0, 0.0, 1.0]])
NO_AFFINE = "is not affine"


def unit(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return x.square()[:, :1] * u(model, x)


def tokens() -> torch.Tensor:
    return torch.randn(12, 5, 4)


MODELS = [
    Model("plain", of(u)),
    Model("one output, squeezed", of(lambda m, x: u(m, x).squeeze(-1), width=1)),
    Model("a classifier", of(u), "cross_entropy"),
    Model("hard constraints", of(unit, width=1), says="u = D·(φW + b), D from"),
    Model("scaled and shifted", of(lambda m, x: 100 * u(m, x) + 3, width=1),
          says="100·(φW + b) + r"),
    Model("a residual head", of(lambda m, x: x[:, :3] + u(m, x)), says="u = φW + b + r"),
    Model("a temperature", of(lambda m, x: u(m, x) / 4), "cross_entropy", says="0.25·(φW + b)"),
    Model("prior logits", of(lambda m, x: u(m, x) + SCALE), "cross_entropy", says="φW + b + r"),
    Model("a temperature that varies", of(unit), "cross_entropy", says="u = D·(φW + b), D from"),
    Model("outputs of different units", of(lambda m, x: u(m, x) * SCALE + 1),
          says="D from 0.5 to 3"),
    Model("outputs that are mixed", of(lambda m, x: u(m, x) @ MIX), says="a matrix D"),
    Model(
        "classes of different units", of(lambda m, x: u(m, x) * SCALE), "cross_entropy",
        says="loss='mse' alone", read=False,
    ),
    Model(
        "mean and variance in one layer", of(lambda m, x: u(m, x).chunk(2, -1)[0], width=6),
        says="columns 0–2 of φW + b",
    ),
    Model(
        "wide and deep",
        lambda: Net(
            lambda m, x: m.wide(x) + u(m, x), wide=nn.Linear(4, 3),
            body=nn.Sequential(nn.Linear(4, 12), nn.Tanh()), head=nn.Linear(12, 3),
        ),
        says="u = φW + b + r", options={"head": "head"},
    ),
    Model("pooled after the head", of(lambda m, x: u(m, x).mean(1)), inputs=tokens, says="pooled"),
    Model(
        "pooled after the head, classes", of(lambda m, x: u(m, x).mean(1)), "cross_entropy",
        inputs=tokens, says="pooled",
    ),
    Model("classes on the second axis", of(lambda m, x: u(m, x).transpose(1, 2)), "cross_entropy",
          inputs=tokens, classes=1),
    Model("a list of logits and more", of(lambda m, x: (x, u(m, x))), pick=lambda o: o[1]),
    Model("logits by name", of(lambda m, x: {"logits": u(m, x), "input": x}), "cross_entropy",
          pick=lambda o: o["logits"]),
    Model("clamped", of(lambda m, x: u(m, x).clamp(-50, 50)), says=NO_AFFINE, read=False,
          options={"head": "head"}),
    Model("positive", of(lambda m, x: u(m, x).exp()), says=NO_AFFINE, read=False),
    Model("normalised", of(lambda m, x: F.normalize(u(m, x), dim=-1)), says=NO_AFFINE, read=False),
    Model("probabilities", of(lambda m, x: u(m, x).sigmoid()), says=NO_AFFINE, read=False,
          options={"head": "head"}),
    Model("log-probabilities", of(lambda m, x: u(m, x).log_softmax(-1)), says=NO_AFFINE, read=False,
          options={"head": "head"}),
    Model("rounded", of(lambda m, x: u(m, x).round()), says=NO_AFFINE, read=False),
    Model("noise that stays on", of(lambda m, x: F.dropout(u(m, x))), says="two passes",
          read=False),
    Model("mixed over the batch", of(lambda m, x: u(m, x) - u(m, x).mean(0)), says="",
          read=False),
    Model("a dropout before the head",
          of(lambda m, x: m.head(F.dropout(m.body(x), 0.3, m.training)))),
    # Of SiLU what enters is kept for the backward pass, so that what leaves may be written into.
    Model("in place before the head", lambda: Net(in_place, body=nn.Sequential(
        nn.Linear(4, 12), nn.SiLU()), head=nn.Linear(12, 3))),
    Model("an adapter on the head", parametrised(Low)),
    Model("a spectral norm", parametrised(parametrizations.spectral_norm)),
    Model("a weight norm", parametrised(parametrizations.weight_norm)),
    Model("a batch norm", lambda: nn.Sequential(
        nn.Linear(4, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Linear(12, 3))),
    Model("a frozen backbone", frozen),
    Model("one table for both", Embedded, "cross_entropy",
          inputs=lambda: torch.randint(0, 7, (9, 5)),
          says="u = φW"),
    Model("an LSTM", lambda: Sequences(nn.LSTM), inputs=tokens),
    Model("a GRU", lambda: Sequences(nn.GRU), "cross_entropy", inputs=tokens),
    Model("attention", Attention, "cross_entropy", inputs=tokens),
    Model("its own outputs fed back", Feedback, says="what it gave before", read=False),
    Model("its own derivative", Derivative, inputs=lambda: torch.randn(30, 1),
          says="differentiated inside forward", read=False),
    Model("a mixture of experts", Experts, options={"head": "experts.1.2"}, says="D from"),
    Model("dueling, the advantage", Dueling, options={"head": "advantage"}, says="a matrix D"),
    Model("dueling, the value", Dueling, options={"head": "value"}, says="u = φW + b + r"),
    Model("a convolution as the head", pixels(nn.Conv2d(6, 3, 1)), "cross_entropy",
          inputs=images, classes=1, shown="2"),
    Model("a convolution of 3 × 3", pixels(nn.Conv2d(6, 3, 3, padding=1)), "cross_entropy",
          inputs=images, classes=1, says="φ of patches 3×3", shown="2"),
    Model("a dilated convolution with steps, in a weight norm", pixels(parametrizations.weight_norm(
        nn.Conv2d(6, 3, 2, stride=2, dilation=2, bias=False))), "cross_entropy",
        inputs=images, classes=1, says="u = φW, φ of patches 2×2", shown="2"),
    Model("a convolution pooled", pixels(nn.Conv2d(6, 3, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
          "cross_entropy", inputs=images, says="pooled", shown="2"),
    Model("a convolution in 1-D", lambda: nn.Sequential(
        nn.Conv1d(4, 6, 3), nn.Tanh(), nn.Conv1d(6, 3, 3, padding="same")), "cross_entropy",
        inputs=lambda: torch.randn(6, 4, 9), classes=1, says="φ of patches 3", shown="2"),
    Model("adapters on every layer", lambda: nn.Sequential(
        Low(nn.Linear(4, 12)), nn.Tanh(), Low(nn.Linear(12, 3))), shown="2"),
    Model("a linear layer of one's own", lambda: nn.Sequential(
        nn.Linear(4, 12), nn.Tanh(), Own(12, 3)), "cross_entropy", shown="2"),
    Model("a head that is called twice", of(lambda m, x: u(m, x) + u(m, -x)),
          says="called 2 times", read=False),
    Model("a GAN, the discriminator on what is generated", lambda: Net(
        lambda m, x: m.discriminator(m.generator(x)),
        generator=nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 4)),
        discriminator=nn.Sequential(nn.Linear(4, 12), nn.LeakyReLU(0.2), nn.Linear(12, 1)))),
    Model("self-supervised, the predictor before a stopped target", lambda: Net(
        lambda m, x: (m.head(m.projector(m.body(x))), m.projector(m.body(x)).detach()),
        body=nn.Sequential(nn.Linear(4, 8), nn.ReLU()),
        projector=nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.ReLU()),
        head=nn.Linear(8, 8)), pick=lambda o: o[0]),
    Model("actor-critic, the actor", ActorCritic, "cross_entropy", options={"head": "actor"},
          pick=lambda o: o[0]),
    Model("actor-critic, the critic", ActorCritic, options={"head": "critic"},
          pick=lambda o: o[1]),
    Model("per-sample gradients beside", of(lambda m, x: torch.vmap(m.head)(m.body(x))),
          says="torch.func", read=False, ranks=False),
]  # fmt: skip
