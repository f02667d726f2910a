"""Models of many kinds, each with what a naive capture stores for its layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint


class Taped(nn.Module):
    """A model whose forward says itself what its features are, when asked."""

    def __init__(self):
        super().__init__()
        self.tape = None

    def tap(self, name, tensor, axis=-1):
        if self.tape is not None and torch._C._current_graph_task_id() == -1:
            rows = tensor.detach().movedim(axis, -1)
            self.tape.setdefault(name, []).append(rows.reshape(-1, rows.shape[-1]).double())
        return tensor


@dataclass(frozen=True)
class Case:
    name: str
    build: Callable[[], nn.Module]
    inputs: Callable[[], Any]
    # Layers whose output a hook of the test's own stores: name, module, axis, side.
    hooks: tuple[tuple[str, str, int, str], ...] = ()
    taps: tuple[str, ...] = ()
    last: str | None = None
    loss: Callable[[Any], torch.Tensor] = field(default=lambda output: output.square().mean())


def out(name, axis=-1):
    return (name, name, axis, "output")


def into(module, axis=-1):
    return (f"{module} (input)", module, axis, "input")


class FunctionalMLP(Taped):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(6, 9), nn.Linear(9, 7), nn.Linear(7, 3)

    def forward(self, x):
        x = self.tap("fc1:relu", F.relu(self.fc1(x)))
        return self.fc3(self.tap("fc2:tanh", torch.tanh(self.fc2(x))))


class Gaussians(Taped):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(6, 9), nn.Linear(9, 7), nn.Linear(7, 3)

    def forward(self, x):
        x = self.tap("fc2 (input)", torch.exp(-self.fc1(x).square()))
        return self.fc3(self.tap("fc3 (input)", torch.cos(3 * self.fc2(x))))


class FunctionalCNN(Taped):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(2, 4, 3), nn.Conv2d(4, 5, 3)
        self.fc = nn.Linear(5, 3)

    def forward(self, x):
        x = F.max_pool2d(self.tap("conv1:relu", F.relu(self.conv1(x)), 1), 2)
        x = self.tap("conv2:silu", F.silu(self.conv2(x)), 1)
        return self.fc(self.tap("fc (input)", x.mean(dim=(2, 3))))


class SharedActivation(Taped):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(6, 9), nn.Linear(9, 7), nn.Linear(7, 3)
        self.act = nn.GELU()

    def forward(self, x):
        x = self.tap("fc1:act", self.act(self.fc1(x)))
        return {"logits": self.fc3(self.tap("fc2:act", self.act(self.fc2(x))))}


class Tied(Taped):
    """One layer of weights called twice."""

    def __init__(self):
        super().__init__()
        self.lift, self.again, self.head = nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 2)

    def forward(self, x):
        x = self.tap("lift:tanh", torch.tanh(self.lift(x)))
        for _ in range(2):
            x = self.tap("again:tanh", torch.tanh(self.again(x)))
        self.tap("head (input)", x)
        return self.head(x)


class Residual(nn.Module):
    def __init__(self, width, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.relu(x + self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x))))))


class ResidualNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(2, 6, 3), nn.BatchNorm2d(6), nn.ReLU())
        self.blocks = nn.Sequential(Residual(6), Residual(6))
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        return self.fc(self.blocks(self.stem(x)).mean(dim=(2, 3)))


class Shortcuts(Taped):
    """y + σ(Wy) without a block of its own."""

    def __init__(self):
        super().__init__()
        self.lift, self.one, self.two = nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 8)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        y = self.tap("lift:elu", F.elu(self.lift(x)))
        y = self.tap("two (input)", y + F.elu(self.one(y)))
        return self.head(self.tap("head (input)", y + F.elu(self.two(y))))


class ConvNeXtBlock(nn.Module):
    """Channels last inside, channels first outside; as many channels as columns of the image."""

    def __init__(self, width):
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.norm, self.up, self.down = (
            nn.LayerNorm(width),
            nn.Linear(width, 12),
            nn.Linear(12, width),
        )

    def forward(self, x):
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        return x + self.down(F.gelu(self.up(y))).permute(0, 3, 1, 2)


class Encoder(nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.embed = nn.Embedding(11, 8)
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, **options)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm, self.head = nn.LayerNorm(8), nn.Linear(8, 11)

    def forward(self, tokens, padding=None):
        hidden = self.encoder(self.embed(tokens), src_key_padding_mask=padding)
        return self.head(self.norm(hidden))


class AttentionBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm = nn.LayerNorm(8)
        self.mlp = nn.Sequential(nn.Linear(8, 12), nn.GELU(), nn.Linear(12, 8))

    def forward(self, x):
        x = x + self.attention(x, x, x, need_weights=False)[0]
        return x + self.mlp(self.norm(x))


class AttentionNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([AttentionBlock(), AttentionBlock()])
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return (self.head(x.mean(1)), x)


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.rnn = kind(5, 7, batch_first=True)
        self.head = nn.Linear(7, 2)

    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1])


class Packed(Recurrent):
    def forward(self, x):
        lengths = torch.tensor([4, 3, 2, 2])[: len(x)]
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True)
        return self.head(self.rnn(packed)[1][-1])


class Bag(nn.Module):
    def __init__(self):
        super().__init__()
        self.bag = nn.EmbeddingBag(13, 6)
        self.net = nn.Sequential(nn.Linear(6, 8), nn.Hardswish(), nn.Linear(8, 2))

    def forward(self, tokens):
        return self.net(self.bag(tokens))


class Checkpointed(nn.Module):
    def __init__(self, reentrant):
        super().__init__()
        self.first = nn.Sequential(nn.Linear(6, 9), nn.ReLU(), nn.Linear(9, 7), nn.Tanh())
        self.second, self.reentrant = nn.Linear(7, 2), reentrant

    def forward(self, x):
        return self.second(checkpoint(self.first, x, use_reentrant=self.reentrant))


class CheckpointedFunctions(Taped):
    def __init__(self, reentrant):
        super().__init__()
        self.fc1, self.fc2, self.reentrant = nn.Linear(6, 9), nn.Linear(9, 2), reentrant

    def part(self, x):
        return self.tap("fc1:relu", F.relu(self.fc1(x)))

    def forward(self, x):
        return self.fc2(checkpoint(self.part, x, use_reentrant=self.reentrant))


class Chosen(nn.Module):
    """Containers by name, and a dataclass as the result."""

    @dataclass
    class Output:
        logits: torch.Tensor
        hidden: torch.Tensor

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleDict({"a": nn.Linear(6, 9), "b": nn.Linear(9, 7)})
        self.acts = nn.ModuleList([nn.SELU(), nn.Softplus()])
        self.head = nn.Linear(7, 2)

    def forward(self, x):
        x = self.acts[0](self.layers["a"](x))
        x = self.acts[1](self.layers["b"](x))
        return Chosen.Output(self.head(x), x)


class Swish(nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(x)


class Branches(Taped):
    """Two layers on the same raw input, one of them without activation."""

    def __init__(self):
        super().__init__()
        self.left, self.right, self.head = nn.Linear(6, 4), nn.Linear(6, 5), nn.Linear(9, 2)

    def forward(self, x):
        left = self.tap("left:relu", F.relu(self.left(x)))
        right = self.tap("right:relu", F.relu(self.right(x)))
        return self.head(self.tap("head (input)", torch.cat([left, right], -1)))


def vectors():
    return torch.randn(12, 6)


def images(channels=2, *size):
    return lambda: torch.randn(5, channels, *(size or (9, 8)))


def tokens():
    return torch.randint(11, (4, 6))


def seq(*layers):
    return lambda: nn.Sequential(*[layer() for layer in layers])


def _lin(*sizes):
    return lambda: nn.Linear(*sizes)


def _part(kind, *args, **options):
    return lambda: kind(*args, **options)


CASES = [
    Case(
        "mlp",
        seq(_lin(6, 9), nn.ReLU, _lin(9, 7), nn.Tanh, _lin(7, 3)),
        vectors,
        (out("1"), out("3")),
        last="3",
    ),
    Case("functional mlp", FunctionalMLP, vectors, taps=("fc1:relu", "fc2:tanh"), last="fc2:tanh"),
    Case(
        "functions of one's own",
        Gaussians,
        vectors,
        taps=("fc2 (input)", "fc3 (input)"),
        last="fc3 (input)",
    ),
    Case(
        "an activation of one's own",
        seq(_lin(6, 9), Swish, _lin(9, 3)),
        vectors,
        (out("1"),),
        last="1",
    ),
    Case(
        "cnn",
        seq(
            _part(nn.Conv2d, 2, 4, 3),
            nn.ReLU,
            _part(nn.MaxPool2d, 2),
            _part(nn.Conv2d, 4, 5, 3),
            nn.ELU,
            _part(nn.AdaptiveAvgPool2d, 1),
            nn.Flatten,
            _lin(5, 3),
        ),
        images(),
        (out("1", 1), out("4", 1), into("7")),
        last="7 (input)",
    ),
    Case(
        "functional cnn",
        FunctionalCNN,
        images(),
        taps=("conv1:relu", "conv2:silu", "fc (input)"),
        last="fc (input)",
    ),
    Case(
        "grouped and depthwise",
        seq(
            _part(nn.Conv2d, 4, 8, 3, groups=2),
            nn.ReLU6,
            _part(nn.Conv2d, 8, 8, 3, groups=8),
            _part(nn.BatchNorm2d, 8),
            nn.Hardtanh,
        ),
        images(4),
        (out("1", 1), out("4", 1)),
    ),
    Case(
        "convolution in 1-D",
        seq(_part(nn.Conv1d, 2, 7, 3), nn.ReLU, _part(nn.Conv1d, 7, 7, 3), nn.LeakyReLU),
        images(2, 11),
        (out("1", 1), out("3", 1)),
    ),
    Case(
        "convolution in 3-D",
        seq(_part(nn.Conv3d, 2, 4, 2), _part(nn.BatchNorm3d, 4), nn.CELU),
        images(2, 4, 5, 4),
        (out("2", 1),),
    ),
    Case(
        "transposed convolution",
        seq(_part(nn.ConvTranspose2d, 2, 4, 3), nn.PReLU, _part(nn.Conv2d, 4, 2, 1)),
        images(),
        (out("1", 1),),
    ),
    Case(
        "batch norm, dropout",
        seq(_lin(6, 9), _part(nn.BatchNorm1d, 9), nn.ReLU, _part(nn.Dropout, 0.5), _lin(9, 3)),
        vectors,
        (into("4"),),
        last="4 (input)",
    ),
    Case(
        "layer norm on tokens",
        seq(_lin(6, 9), _part(nn.LayerNorm, 9), nn.Mish, _lin(9, 3)),
        lambda: torch.randn(4, 5, 6),
        (out("2"),),
        last="2",
    ),
    Case(
        "group norm",
        seq(_part(nn.Conv2d, 2, 6, 3), _part(nn.GroupNorm, 3, 6), nn.SiLU),
        images(),
        (out("2", 1),),
    ),
    Case(
        "residual blocks",
        ResidualNet,
        images(),
        (out("stem.2", 1), out("blocks.0", 1), out("blocks.1", 1), into("fc")),
        last="fc (input)",
    ),
    Case(
        "shortcuts",
        Shortcuts,
        vectors,
        taps=("lift:elu", "two (input)", "head (input)"),
        last="head (input)",
    ),
    Case(
        "channels last inside a block",
        seq(_part(ConvNeXtBlock, 8), _part(ConvNeXtBlock, 8)),
        images(8, 8, 8),
        (out("0", 1), out("1", 1)),
    ),
    Case(
        "transformer encoder",
        Encoder,
        tokens,
        (out("encoder.layers.0"), out("encoder.layers.1"), into("head")),
        last="head (input)",
    ),
    Case(
        "transformer, norm first, gelu",
        lambda: Encoder(norm_first=True, activation="gelu"),
        lambda: {"tokens": tokens(), "padding": torch.arange(6).repeat(4, 1) > 3},
        (out("encoder.layers.0"), out("encoder.layers.1"), into("head")),
        last="head (input)",
    ),
    Case(
        "attention blocks, tuple",
        AttentionNet,
        lambda: torch.randn(4, 5, 8),
        (out("blocks.0"), out("blocks.1"), into("head")),
        last="head (input)",
        loss=lambda output: output[0].square().mean(),
    ),
    Case(
        "lstm",
        lambda: Recurrent(nn.LSTM),
        lambda: torch.randn(4, 5, 5),
        (out("rnn"), into("head")),
        last="head (input)",
    ),
    Case(
        "gru",
        lambda: Recurrent(nn.GRU),
        lambda: torch.randn(4, 5, 5),
        (out("rnn"), into("head")),
        last="head (input)",
    ),
    Case(
        "packed sequence",
        lambda: Packed(nn.GRU),
        lambda: torch.randn(4, 4, 5),
        (out("rnn"), into("head")),
        last="head (input)",
    ),
    Case(
        "bag of embeddings", Bag, lambda: torch.randint(13, (6, 4)), (out("net.1"),), last="net.1"
    ),
    Case(
        "weight tying",
        Tied,
        vectors,
        taps=("lift:tanh", "again:tanh", "head (input)"),
        last="head (input)",
    ),
    Case(
        "shared activation, dict",
        SharedActivation,
        vectors,
        taps=("fc1:act", "fc2:act"),
        last="fc2:act",
        loss=lambda output: output["logits"].square().mean(),
    ),
    Case(
        "checkpoint, reentrant",
        lambda: Checkpointed(True),
        lambda: torch.randn(12, 6, requires_grad=True),
        (out("first.1"), out("first.3")),
        last="first.3",
    ),
    Case(
        "checkpoint",
        lambda: Checkpointed(False),
        vectors,
        (out("first.1"), out("first.3")),
        last="first.3",
    ),
    Case(
        "checkpointed functions",
        lambda: CheckpointedFunctions(False),
        vectors,
        taps=("fc1:relu",),
        last="fc1:relu",
    ),
    Case(
        "containers, dataclass",
        Chosen,
        vectors,
        (out("acts.0"), out("acts.1")),
        last="acts.1",
        loss=lambda output: output.logits.square().mean(),
    ),
    Case(
        "branches",
        Branches,
        vectors,
        taps=("left:relu", "right:relu", "head (input)"),
        last="head (input)",
    ),
]
