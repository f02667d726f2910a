"""Wheel and sdist of this tree: what is in them, and that they work beside the user's own names."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

pytest.importorskip("hatchling", reason="needs hatchling: pip install 'epsrank[dev]'")

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("theory", "numerics", "proofs")
# In a process of its own: the hook is imported by its path, and SystemExit is an answer.
_BUILD = """
import sys
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

kind, folder = sys.argv[1:]
builder = {"sdist": SdistBuilder, "wheel": WheelBuilder}[kind](".")
print(next(builder.build(directory=folder, versions=["standard"])))
"""

pytestmark = pytest.mark.skipif(
    not (ROOT / "epsrank" / "theory").is_symlink(), reason="needs a checkout"
)


def build(kind: str, source: Path, out: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _BUILD, kind, str(out)], cwd=source, capture_output=True, text=True
    )


def built(kind: str, source: Path, out: Path) -> Path:
    done = build(kind, source, out)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.splitlines()[-1])


def files_of_the_package(root: Path) -> set[str]:
    """List the files of the package by their names in the wheel, without what is compiled."""
    found = set()
    for folder, _, files in os.walk(root / "epsrank", followlinks=True):
        place = Path(folder).relative_to(root)
        found |= {(place / name).as_posix() for name in files if "__pycache__" not in place.parts}
    made = (".vo", ".vok", ".vos", ".glob", ".aux", ".lia.cache", ".pyc")
    return {
        name
        for name in found
        if not name.endswith(made) and not Path(name).name.startswith(("CoqMakefile", ".CoqMakef"))
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_the_wheel_holds_the_package_alone(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    names = {entry.filename for entry in entries}
    packaged = {name for name in names if name.startswith("epsrank/")}
    assert packaged == files_of_the_package(ROOT)
    assert {name.partition("/")[0] for name in names - packaged} == {wheel_info(wheel)}
    # The upper bits are the kind of file; 0o12 is a link.
    ours = [entry for entry in entries if entry.filename in packaged]
    assert {entry.external_attr >> 28 for entry in ours} == {0o10}
    assert all(entry.file_size for entry in entries if entry.filename.endswith("/cli/front.py"))
    for room in ROOMS:
        assert sum(name.startswith(f"epsrank/{room}/") for name in packaged) > 50


def wheel_info(wheel: Path) -> str:
    name, version = wheel.name.split("-")[:2]
    return f"{name}-{version}.dist-info"


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """Make the folder of a user who has names of ours; whoever imports them, is found out."""
    wrong = "raise RuntimeError('the file of the user was imported')\n"
    for room in ("theory", "proofs"):
        (tmp_path / room).mkdir()
        (tmp_path / room / "__init__.py").write_text(wrong)
    (tmp_path / "numerics.py").write_text(wrong)
    (tmp_path / "features.csv").write_text("1,0\n0,1\n1,1\n")
    (tmp_path / "SPEC.toml").write_text(
        'seeds = 2\n[fixed]\ntask = "cosines"\ndepth = 1\nwidth = 3\nsteps = 2\nn_train = 20\n'
        'device = "cpu"\n'
    )
    return tmp_path


def run_there(site: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the user's folder, which it searches first, and then where the wheel lies."""
    one_name = str(ROOT / "tests" / "one_name")  # it would refuse the user's own names
    rest = [
        p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p not in ("", one_name)
    ]
    path = [str(folder), str(site), *(p for p in rest if Path(p).resolve() != ROOT)]
    environment: Mapping[str, str] = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
    return subprocess.run(
        [sys.executable, *words], cwd=folder, capture_output=True, text=True, env=environment
    )


def test_the_wheel_works_beside_modules_of_the_same_names(unpacked: Path, theirs: Path) -> None:
    code = (
        "import epsrank; from epsrank import RankMonitor, epsilon_rank; print(epsrank.__file__); "
        "print(int(epsilon_rank([[1.0, 0.0], [0.0, 1.0]], 1e-6)))"
    )
    done = run_there(unpacked, theirs, "-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [str(unpacked / "epsrank" / "__init__.py"), "2"]
    done = run_there(unpacked, theirs, "-c", "import theory")
    assert "the file of the user was imported" in done.stderr  # so that the check can fail
    done = run_there(unpacked, theirs, "-m", "epsrank", "rank", "features.csv", "--json")
    assert done.returncode == 0, done.stderr
    assert '"n_features": 2' in done.stdout


@pytest.fixture
def without_links(tmp_path: Path) -> Path:
    """Copy what a wheel is built from as a copy without links holds it: their targets as text."""
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    ignored = shutil.ignore_patterns("__pycache__", *ROOMS)
    shutil.copytree(ROOT / "epsrank", tmp_path / "epsrank", ignore=ignored)
    for room in ROOMS:
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
        (tmp_path / "epsrank" / room).write_text(f"../{room}")
    return tmp_path


_LINE = "epsrank/theory is not a folder: this copy was made without symbolic links"


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_a_copy_without_links_is_not_built(kind: str, without_links: Path) -> None:
    done = build(kind, without_links, without_links / "dist")
    assert done.returncode == 1
    assert done.stderr.startswith(_LINE)
    assert done.stderr.strip().count("\n") == 0
    assert not list(without_links.glob("dist/*"))


def test_a_copy_without_links_is_not_imported(without_links: Path) -> None:
    done = run_there(without_links, without_links, "-c", "import epsrank")
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(f"ImportError: {_LINE}; clone it with git")


def test_a_source_archive_has_real_files_and_makes_the_same_wheel(
    wheel: Path, tmp_path: Path
) -> None:
    archive = built("sdist", ROOT, tmp_path / "dist")
    with tarfile.open(archive) as packed:
        members = packed.getmembers()
        inside = [m for m in members if "/epsrank/" in m.name]
        assert inside
        assert all(member.isfile() or member.isdir() for member in inside)
        packed.extractall(tmp_path, filter="data")
    (source,) = (path for path in tmp_path.iterdir() if path.name.startswith("epsrank-"))
    assert files_of_the_package(source) == files_of_the_package(ROOT)
    again = built("wheel", source, tmp_path / "again")
    with zipfile.ZipFile(wheel) as first, zipfile.ZipFile(again) as second:
        assert first.namelist() == second.namelist()
        for name in first.namelist():
            if name.startswith("epsrank/"):
                assert first.read(name) == second.read(name), name
