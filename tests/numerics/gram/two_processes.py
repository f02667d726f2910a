"""What each of two processes does; a module of its own, so that a fresh process can import it."""

from __future__ import annotations

import os

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard
from torch.nn.parallel import DistributedDataParallel

from epsrank.numerics.gram.layer import LayerAccumulator
from epsrank.numerics.monitor.model.capture import Capture
from epsrank.numerics.monitor.model.find import find_layers
from epsrank.numerics.monitor.model.probing import probe_pass

SIZES = ((3, 20), (20, 5), (7, 0))  # rows of each process in each step: uneven, and none


def network():
    torch.manual_seed(5)
    return nn.Sequential(
        nn.Linear(4, 10), nn.Tanh(), nn.Linear(10, 6), nn.ReLU(), nn.Linear(6, 2)
    ).double()


def data(process):
    generator = torch.Generator().manual_seed(process)
    return [
        torch.randn(sizes[process], 4, dtype=torch.float64, generator=generator) for sizes in SIZES
    ]


def sums_of(model, batches, forgetting):
    plan = find_layers(model)
    sums = {name: LayerAccumulator(n) for name, n in zip(plan.names, (10, 6), strict=True)}
    with Capture(plan, lambda name, features: sums[name].update(features)) as capture:
        for batch in batches:
            for accumulator in sums.values():
                accumulator.forget(forgetting)
            model(batch).square().sum().backward()
    assert not capture.problems
    return sums


def sharded(kind):
    """Return whether a sharded model shows the features of the plain one, in steps and probes."""
    plain, x = network(), torch.randn(9, 4, dtype=torch.float64)
    truth = {"1": plain[:2](x).detach(), "3": plain[:4](x).detach()}
    if kind == "wrapper":
        model = FullyShardedDataParallel(plain, device_id=torch.device("cpu"))
    else:
        mesh = init_device_mesh("cpu", (2,))
        for layer in (plain[0], plain[2]):
            fully_shard(layer, mesh=mesh)
        model = fully_shard(plain, mesh=mesh)
    plan, same = find_layers(model, example=x), []
    assert plan.names == ("1", "3")

    def compare(name, features):
        same.append(torch.allclose(features, truth[name], rtol=1e-13))

    with Capture(plan, compare):
        model(x).sum().backward()
    probe_pass(plan, x, compare)
    model(x).sum().backward()
    return len(same) == 4 and all(same)


def work(process, folder):
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"  # not looked for by the machine's name
    dist.init_process_group("gloo", init_method=f"file://{folder}/init", rank=process, world_size=2)
    model = DistributedDataParallel(network())
    result = {}
    for forgetting in (1.0, 0.5):
        for name, accumulator in sums_of(model, data(process), forgetting).items():
            before = accumulator.gram().values
            total = accumulator.all_reduce()
            assert (accumulator.gram().values == before).all()  # its own sums are its own
            gram = total.gram()
            result[f"{name} {forgetting}"] = {
                "values": torch.from_numpy(gram.values),
                "error": gram.error,
                "mass": gram.mass,
                "n_samples": gram.n_samples,
                "mean_abs": torch.from_numpy(total.mean_abs),
            }
    empty = LayerAccumulator(3)
    if process == 0:
        empty.update(torch.ones(2, 3))
    result["one sided"] = {"n_samples": empty.all_reduce().gram().n_samples}
    result["sharded"] = {kind: sharded(kind) for kind in ("wrapper", "in place")}
    torch.save(result, f"{folder}/result{process}")
    dist.destroy_process_group()
