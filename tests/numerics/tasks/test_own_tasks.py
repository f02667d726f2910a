"""Tasks of the user's: functions, problems, data sets, files; whatever is wrong is one line."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from epsrank.numerics.tasks import load_task
from epsrank.theory.errors import InputError

CODE = """
import math
import numpy as np, torch
from epsrank import BoundaryProblem
from epsrank.numerics.operators import poisson
from epsrank.numerics.tasks import Task

def chirp(x):
    return np.cos(20 * x**2)
chirp.domain = (-1, 1)

def of_torch(x):
    return torch.cos(20 * x[:, 0] ** 2)
of_torch.domain = [(-1, 1)]
of_torch.n_train = 40

def gauss(x):
    return x[:, 0] ** 3
gauss.domain, gauss.quadrature, gauss.n_train = (0, 2), True, 8

def two(x, y):
    return np.stack([x + y, x * y, y], axis=1)
two.domain = [(0, 1), (-1, 0)]

def box(x):
    return x.sum(axis=1)

class Wave:
    def __init__(self, k): self.k = k
    def __call__(self, x): return np.sin(self.k * x)
wave = Wave(3)
wave.domain = (0, 1)

def of_math(x):
    return math.cos(x)
def logarithm(x):
    return np.log(x)
def short(x):
    return x[:3]
def text(x):
    return np.array(["a"] * len(x))
def raises(x):
    raise ValueError("not today")
number = 3

def drawn(seed):
    r = np.random.default_rng(seed)
    return r.normal(size=(50, 2)), r.normal(size=50)
def by_globals():
    return torch.randn(20, 1), torch.rand(20, 3), torch.randn(6, 1), torch.rand(6, 3)
def labels():
    return np.arange(30.0).reshape(15, 2), np.arange(15) % 3
def holes():
    return np.array([1.0, np.nan, 2.0]), np.zeros(3)
def none():
    return np.zeros((0, 2)), np.zeros(0)
def uneven():
    return np.zeros((4, 1)), np.zeros(5)
def three():
    return 1, 2, 3
def nothing():
    return None
def makes_function():
    return chirp

class Digits(torch.utils.data.Dataset):
    def __len__(self): return 10
    def __getitem__(self, i):
        return torch.full((2, 3, 4), float(i)), i % 2
def both():
    return Digits(), Digits()
class Ragged(Digits):
    def __getitem__(self, i): return torch.zeros(i), 0

zero = lambda x: np.zeros(len(x))
pde = BoundaryProblem("-u''=1", poisson(), ((0.0, 1.0),), lambda x: np.ones(len(x)), zero)
columns = BoundaryProblem("", poisson(), ((0.0, 1.0),), lambda x: np.ones((len(x), 2)), zero)
x = torch.linspace(0, 1, 5)[:, None]
made = Task("mine", "regression", x, x**2, x, x**2, "x²")
crooked = Task("mine", "regression", x, x[:3], x, x, "")
"""


@pytest.fixture(autouse=True, scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("own")
    (place / "own_tasks_of_a_user.py").write_text(CODE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        yield place


def own(name, **given):
    return load_task(f"own_tasks_of_a_user:{name}", **given)


@pytest.mark.parametrize(
    ("name", "given", "shapes"),
    [
        ("chirp", {}, (500, 1, 1)),
        ("chirp", {"n_train": 30, "n_test": 7, "domain": (0, 1)}, (30, 1, 1)),
        ("of_torch", {}, (40, 1, 1)),
        ("gauss", {}, (8, 1, 1)),
        ("two", {"n_train": 36}, (36, 2, 3)),
        ("box", {"domain": [(0, 1)] * 3, "n_train": 27}, (27, 3, 1)),
        ("wave", {}, (500, 1, 1)),
        ("drawn", {}, (40, 2, 1)),
        ("by_globals", {}, (20, 1, 3)),
        ("labels", {}, (12, 2, 3)),
        ("Digits", {}, (8, 24, 2)),
        ("both", {"n_train": 6}, (6, 24, 2)),
        ("pde", {"n_train": 9}, (11, 1, 1)),
        ("made", {}, (5, 1, 1)),
        ("makes_function", {}, (500, 1, 1)),
    ],
)
def test_what_can_be_a_task(name, given, shapes):
    task = own(name, dtype=torch.float64, **given)
    assert (task.n_samples, task.n_inputs, task.n_outputs) == shapes
    assert task.x.dtype == task.y_test.dtype == torch.float64
    assert task.name == f"own_tasks_of_a_user:{name}"
    assert task.fingerprint() == own(name, **given).fingerprint()
    assert own(name, dtype=torch.float32, **given).y.dtype == torch.float32


def test_their_samples_are_what_the_user_means():
    chirp = own("chirp")
    assert torch.equal(chirp.y, load_task("chirp").y)
    assert chirp.domain == ((-1.0, 1.0),)
    np.testing.assert_allclose(own("of_torch", n_train=500).y, chirp.y, atol=1e-14)
    two = own("two", n_train=9)
    assert torch.equal(two.y[:, 1], two.x[:, 0] * two.x[:, 1])
    gauss = own("gauss")
    assert gauss.measure == "volume"
    assert float((gauss.weights * gauss.y[:, 0]).sum()) == pytest.approx(4)
    labels = own("labels")
    assert labels.kind == "classification"
    assert torch.equal(labels.y.argmax(dim=1), (labels.x[:, 0] / 2).round().long() % 3)
    # Test samples are other ones, and drawn by the seed.
    assert not set(labels.x[:, 0].tolist()) & set(labels.x_test[:, 0].tolist())
    assert not torch.equal(own("drawn", seed=1).x, own("drawn", seed=2).x)
    assert own("Digits").image_shape == (2, 3, 4)
    assert bool(own("pde").y_test.isnan().all())


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("box", {}, r"domain of .*:box is not known; pass --domain A B"),
        ("box", {"domain": (1, 0)}, "domain is degenerate"),
        ("two", {"domain": [(0, 1)] * 3}, "takes 2 arguments, and its domain has 3 inputs"),
        ("of_math", {"domain": (0, 1)}, r"TypeError.* at own_tasks_of_a_user\.py:\d+.*np\.cos"),
        ("logarithm", {"domain": (-1, 1)}, r"250 NaN or infinite values, the first at x = \(-1\)"),
        ("short", {"domain": (0, 1)}, r"shape \(3, 1\) for 500 points"),
        ("text", {"domain": (0, 1)}, "return numbers of shape"),
        ("raises", {"domain": (0, 1)}, r"ValueError: not today at own_tasks_of_a_user\.py:\d+"),
        ("number", {}, "is a int; name a function of x, a BoundaryProblem"),
        ("missing", {}, "has no missing"),
        ("holes", {}, "1 NaN or infinite entries in x, first in row 1"),
        ("uneven", {}, r"x of shape \(4, 1\) and y of shape \(5,\)"),
        ("none", {}, "own_tasks_of_a_user:none holds no samples"),
        ("three", {}, "gives 3 parts"),
        ("nothing", {}, "is a NoneType"),
        ("Ragged", {}, "10 different shapes"),
        ("columns", {}, r"\.source returns shape \(\d+, 2\)"),
        ("crooked", {}, "parts that do not fit: x .5, 1., y .3, 1."),
        ("made", {"n_train": 3}, "n_train is given, but .* is a Task"),
        ("pde", {"domain": (0, 1)}, "domain is given, but .* brings its own"),
        ("drawn", {"domain": (0, 1)}, "domain is given, but .* holds data"),
        ("chirp", {"boundary_weight": 1.0}, "has no boundary"),
        ("chirp", {"data": "x.npy"}, "data is given"),
        ("both", {"n_train": 60}, "n_train is 60; there are 10 samples"),
    ],
)
def test_what_cannot_is_refused_in_one_line(name, given, said):
    with pytest.raises(InputError, match=said) as caught:
        own(name, **given)
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def files(folder):
    x = np.arange(40.0).reshape(20, 2)
    np.save("x.npy", x)
    np.save("y.npy", x.sum(axis=1))
    np.save("k.npy", np.arange(20) % 4)
    np.save("few.npy", np.arange(3.0))
    np.save("many.npy", np.arange(20) * 1000)
    np.savez("pair.npz", x=x, y=x[:, :1])
    np.savez("four.npz", x_train=x, y_train=np.arange(20) % 4, x_test=x[:4], y_test=np.arange(4))
    np.savez("other.npz", a=x)
    table = {"a": x[:, 0], "b": x[:, 1], "y": x.sum(axis=1), "kind": ["u", "v"] * 10}
    pq.write_table(pa.table(table), "t.parquet")
    lines = ["a,b,y,kind"] + [f"{a},{b},{a + b},{'uv'[i % 2]}" for i, (a, b) in enumerate(x)]
    (folder / "t.csv").write_text("\n".join(lines) + "\n")
    (folder / "index.csv").write_text("index,a,y\n0,1.5,2\n1,2.5,3\n2,0.5,1\n")
    (folder / "gap.csv").write_text("a,y\n1.5,2\n,3\n")
    (folder / "broken.npy").write_bytes(b"not numpy")


@pytest.mark.parametrize(
    ("data", "columns", "kind", "shapes"),
    [
        (("x.npy", "y.npy"), (), "regression", (16, 2, 1)),
        (("x.npy", "k.npy"), (), "classification", (16, 2, 4)),
        (("x.npy", "y.npy", "x.npy", "y.npy"), (), "regression", (20, 2, 1)),
        ("pair.npz", (), "regression", (16, 2, 1)),
        ("four.npz", (), "classification", (20, 2, 4)),
        ("t.parquet", ("y", "b"), "regression", (16, 1, 2)),
        ("own_tasks_of_a_user:Digits", (), "classification", (8, 24, 2)),
        ("own_tasks_of_a_user:by_globals", (), "regression", (20, 1, 3)),
    ],
)
def test_files_of_the_user(files, data, columns, kind, shapes):
    if columns:  # of a table every other column is an input, and has to hold numbers
        with pytest.raises(InputError, match="column 'kind' of string, which are no numbers"):
            load_task("data", data=data, target_columns=columns)
        table = pq.read_table("t.parquet").drop_columns("kind")
        pq.write_table(table, "numbers.parquet")
        data = "numbers.parquet"
    task = load_task("data", data=data, target_columns=columns)
    assert task.kind == kind
    assert (task.n_samples, task.n_inputs, task.n_outputs) == shapes


def test_columns_of_a_table_are_chosen(files):
    for name in ("t.parquet", "t.csv"):
        task = load_task("data", data=name, target_columns=["y"], input_columns=["b"])
        assert (task.n_inputs, task.n_outputs) == (1, 1)
    for columns, said in (
        (["z"], "input_columns name 'z'; t.csv has a, b, y, kind"),
        (["b", "y"], "input_columns name 'y', a target"),
        (["kind"], "column 'kind' of string"),
    ):
        with pytest.raises(InputError, match=said):
            load_task("data", data="t.csv", target_columns=["y"], input_columns=columns)
    with pytest.raises(InputError, match="input_columns are given with 'cosines'"):
        load_task("cosines", input_columns=["a"])


def test_tables_and_arrays_give_the_same_samples(files):
    parquet, csv = (
        load_task("data", data=name, target_columns=["kind"]) for name in ("t.parquet", "t.csv")
    )
    assert parquet.kind == "classification"
    for name in ("x", "y", "x_test", "y_test"):
        assert torch.equal(getattr(parquet, name), getattr(csv, name))


@pytest.mark.parametrize(
    ("data", "columns", "said"),
    [
        (None, (), "data is not given"),
        ("none.npz", (), "data .*none.npz does not exist"),
        ("x.npy", (), "data is x.npy; name X.npy Y.npy"),
        (("x.npy", "few.npy"), (), r"x of shape \(20, 2\) and y of shape \(3,\)"),
        (("x.npy", "many.npy"), (), "20 different labels for 20 samples; write y as floats"),
        ("other.npz", (), "holds a; save it with x"),
        ("broken.npy", (), "data is broken.npy"),
        (("broken.npy", "y.npy"), (), "is not a .npy file"),
        ("t.csv", (), "are not named; t.csv has a, b, y, kind"),
        ("t.csv", ("z",), "are missing z; t.csv has a, b, y, kind"),
        ("t.csv", ("a", "b", "y", "kind"), "are all columns"),
        ("index.csv", ("y",), "has an index, column 'index'"),
        ("gap.csv", ("y",), "1 empty entries in column 'a'"),
        (("x.npy", "y.npy"), ("y",), "data is no table"),
        ("own_tasks_of_a_user:nothing", (), "gives a NoneType"),
    ],
)
def test_bad_files_are_refused_in_one_line(files, data, columns, said):
    with pytest.raises(InputError, match=said) as caught:
        load_task("data", data=data, target_columns=columns)
    assert "\n" not in str(caught.value)
