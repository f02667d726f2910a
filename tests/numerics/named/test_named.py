"""What users name: found, called with a seed of its own, hashed by its source."""

from __future__ import annotations

import importlib
import os
import random
import re
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from epsrank.numerics.named import (
    call_named,
    file_digest,
    find,
    is_name,
    looking_from,
    name_of,
    source_digest,
)
from epsrank.theory.errors import InputError


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder of the user's, with a module and a package."""
    (tmp_path / "mine.py").write_text("import helper\nimport numpy\n\ndef f(x):\n    return x\n")
    (tmp_path / "helper.py").write_text("SIZE = 1\n")
    (tmp_path / "unused.py").write_text("SIZE = 1\n")
    package = tmp_path / "pack" / "inner"
    package.mkdir(parents=True)
    (tmp_path / "pack" / "__init__.py").write_text("")
    (tmp_path / "pack" / "near.py").write_text("SIZE = 2\n")
    (package / "__init__.py").write_text("")
    (package / "deep.py").write_text("from .. import near\n\nclass A:\n    size = near.SIZE\n")
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None) or ""
        if file.startswith(str(tmp_path)):
            del sys.modules[name]


digest = partial(source_digest, argument="task")
look = partial(find, argument="task")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("mine:f", True),
        ("a.b:C.d", True),
        ("mine", False),
        (":f", False),
        ("mine:", False),
        ("C:\\data.npy", False),
        ("data/x.npy", False),
        ("a:b:c", False),
        (3, False),
    ],
)
def test_what_is_a_name(text, named):
    assert is_name(text) is named


def test_names_are_found_in_the_folder_of_the_user(here):
    assert look("mine:f")(3) == 3
    assert look("pack.inner.deep:A.size") == 2
    assert str(here) not in sys.path
    with pytest.raises(InputError, match=r"^task mine has no g; "):
        look("mine:g")
    told = rf"nowhere cannot be imported .* no nowhere in {re.escape(str(Path.cwd()))}"
    with pytest.raises(InputError, match=told):
        look("nowhere:g")


def test_another_folder_can_be_looked_from(here, monkeypatch):
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")
    with pytest.raises(InputError):
        look("mine:f")
    with looking_from(here):
        assert look("mine:f")(1) == 1


@pytest.mark.parametrize(
    ("spec", "file", "changes"),
    [
        ("mine:f", "mine.py", True),
        ("mine:f", "helper.py", True),
        ("mine:f", "unused.py", False),
        ("pack.inner.deep:A", "pack/near.py", True),
        ("pack.inner.deep:A", "pack/__init__.py", True),
        ("pack.inner.deep:A", "helper.py", False),
    ],
)
def test_the_hash_covers_what_is_imported_from_beside(here, spec, file, changes):
    before = digest(spec)
    path = here / file
    path.write_text(path.read_text() + "# another line\n")
    assert (digest(spec) != before) is changes
    # Elsewhere the same files have the same hash.
    again = here / "copy"
    again.mkdir()
    for source in [*here.glob("*.py"), *here.glob("pack/**/*.py")]:
        target = again / source.relative_to(here)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
    now = digest(spec)
    for name in ("mine", "helper", "pack", "pack.near", "pack.inner", "pack.inner.deep"):
        sys.modules.pop(name, None)
    with looking_from(again):
        assert digest(spec) == now


def test_a_source_that_changed_is_imported_anew(here, monkeypatch):
    assert look("pack.inner.deep:A.size") == 2
    near = here / "pack" / "near.py"
    # Of the same size and time: bytecode of the first would be taken for that of the second.
    stamp = near.stat()
    near.write_text("SIZE = 3\n")
    os.utime(near, ns=(stamp.st_atime_ns, stamp.st_mtime_ns + 1))
    assert look("pack.inner.deep:A.size") == 3
    first = look("mine:f")
    assert look("mine:f") is first
    (here / "mine.py").write_text("def f(x):\n    return 2 * x\n")
    monkeypatch.syspath_prepend(str(here))
    module = importlib.reload(sys.modules["mine"])
    # What the user has reloaded is not imported once more.
    assert look("mine:f") is module.f


def test_objects_have_names(here):
    for spec in ("mine:f", "pack.inner.deep:A"):
        assert name_of(look(spec), argument="task") == spec
    assert name_of(torch.nn.functional.softplus, argument="activation").endswith(":softplus")
    held = sys.modules["mine"].__dict__["held"] = object()
    assert name_of(held, argument="task") == "mine:held"
    for value in (lambda x: x, partial(len), object()):
        with pytest.raises(InputError, match=r"^task is .* no module has .*mine:name"):
            name_of(value, argument="task")
    own = type("Own", (), {"__module__": "__main__"})
    with pytest.raises(InputError, match="running script"):
        name_of(own, argument="task")


def test_what_the_code_raises_is_one_line_with_its_place(here):
    (here / "wrong.py").write_text(
        "import sys\nimport numpy as np\n\ndef f():\n    g()\n\ndef g():\n"
        "    np.zeros(2).reshape(3)\n\ndef leave():\n    sys.exit(3)\n"
    )
    for name, place in (("f", "ValueError: .* at wrong.py:8"), ("leave", "SystemExit: 3 at .*:11")):
        with pytest.raises(InputError, match=place) as caught:
            call_named(f"wrong:{name}", look(f"wrong:{name}"), {}, argument="task", seed=0)
        assert "\n" not in str(caught.value)
    (here / "broken.py").write_text("x = 1\ndef f(:\n")
    with pytest.raises(InputError, match=r"SyntaxError: .* at broken\.py:2"):
        look("broken:f")
    (here / "broken.py").write_text("x = 1\n\nraise KeyError('no')\n")
    with pytest.raises(InputError, match=r"KeyError: 'no' at broken\.py:3"):
        look("broken:f")


def test_a_factory_draws_by_the_seed_and_leaves_the_generators_alone():
    def factory(size: int = 1, *, seed: int = -1) -> tuple[float, ...]:
        return seed, size, random.random(), np.random.rand(), torch.rand(()).item()

    offered = {"seed": 4, "width": 50}
    state = torch.random.get_rng_state(), random.getstate()
    first, second, other = (
        call_named("mine:f", factory, offered, argument="task", seed=seed) for seed in (1, 1, 2)
    )
    assert first == second
    assert first[:2] == other[:2] == (4, 1)
    assert not set(first[2:]) & set(other[2:])
    assert torch.equal(torch.random.get_rng_state(), state[0])
    assert random.getstate() == state[1]


def test_files_are_known_by_their_content(tmp_path):
    file = tmp_path / "x.npy"
    file.write_bytes(b"abc")
    first = file_digest(file, argument="data")
    (tmp_path / "y.npy").write_bytes(b"abc")
    assert file_digest(tmp_path / "y.npy", argument="data") == first
    file.write_bytes(b"abd")
    assert file_digest(file, argument="data") != first
    with pytest.raises(InputError, match=r"^data is .*none\.npy, which cannot be read"):
        file_digest(Path("none.npy"), argument="data")
