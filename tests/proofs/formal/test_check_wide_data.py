"""check_data.py sees through folders of wide layers and rounded Gram matrices made to deceive.

What tests of narrow layers plant, planted here too; what `make` sees is in tests/slow/formal.
"""

from __future__ import annotations

import json
import runpy
import shutil
import sys

import numpy as np
import pytest

from epsrank.proofs.formal import DEVELOPMENT
from epsrank.proofs.formal.export import audit_text, export_project
from epsrank.proofs.formal.wide_certificate import certify_gram_rank, certify_wide_rank

from .forging import attacks, changed
from .measurements import waves

CHECK_DATA = runpy.run_path(str(DEVELOPMENT / "exported" / "check_data.py"))
EPS = 0.0009999999999999998
WEIGHTS = np.arange(12.0) + 0.5
MADE = {"wide": certify_wide_rank, "gram": certify_gram_rank}
KINDS = pytest.mark.parametrize("kind", list(MADE))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """One folder of each kind, with the files that they are of."""
    place = tmp_path_factory.mktemp("made")
    np.save(place / "phi.npy", waves(12, 4))
    np.save(place / "w.npy", WEIGHTS)
    for kind, certify in MADE.items():
        found = {"net": certify(waves(12, 4), EPS, weights=WEIGHTS, measure="volume")}
        export_project(place / kind, found, files={"net": place / "phi.npy"})
    return place


@pytest.fixture
def given(made, kind, tmp_path):
    for file in ("phi.npy", "w.npy"):
        shutil.copyfile(made / file, tmp_path / file)
    shutil.copytree(made / kind, tmp_path / "folder")
    return tmp_path


@pytest.fixture
def check(monkeypatch, capsys):
    def run(given, features="phi.npy", weights="w.npy"):
        words = [given / features, "--folder", given / "folder", "--weights", given / weights]
        words += ["--record", DEVELOPMENT / "record.json"]
        monkeypatch.setattr(sys, "argv", ["check_data.py", *map(str, words)])
        try:
            code = CHECK_DATA["main"]()
        except SystemExit as end:
            code = end.code
        found = capsys.readouterr()
        return code, found.out + found.err

    return run


@KINDS
def test_an_honest_folder_passes_and_its_claim_is_printed(given, check, kind):
    code, said = check(given)
    assert code == 0, said
    words = f"The ε-rank of 4 neurons at 12 samples (float64, volume measure) at ε = {EPS} is "
    assert words in said
    assert ("for every symmetric matrix whose entries are within 2^-" in said) == (kind == "gram")
    readme = (given / "folder" / "README.md").read_text("utf-8")
    assert "check_data.py FEATURES --weights WEIGHTS" in readme
    assert ("of a rounded" in readme or "a rounded Gram" in readme) == (kind == "gram")


def _told(**more):
    """Change the .json alone."""

    def plant(folder):
        file = folder / "measurements" / "net.json"
        about = json.loads(file.read_text("utf-8"))
        assert all(about.get(key) != value for key, value in more.items())
        file.write_text(json.dumps(about | more), "utf-8")

    return plant


def _flipped(folder):
    about = json.loads((folder / "measurements" / "net.json").read_text("utf-8"))
    about["below"]["signs"][0] = not about["below"]["signs"][0]
    (folder / "measurements" / "net.json").write_text(json.dumps(about), "utf-8")


NET = "measurements/net"
ATTACKS = [
    *attacks("net", "check_near"),
    (changed("theories/brackets.v", "(** * ", "(** *  "), "brackets.v is NOT THE ONE"),
    (lambda folder: (folder / "theories/check_near.v").rename(folder / "near.v"), "near.v does"),
    (changed("audit.v", "volume", "mean"), "audit.v is NOT"),
    (changed("audit.v", "is 4.", "is 3."), "audit.v is NOT"),
    (changed("audit.v", "= 4%nat", "= 3%nat"), "audit.v is NOT"),
    (changed(f"{NET}.v", "true", "false"), "net.v is NOT"),
    (changed(f"{NET}_data.v", "0x", "0x1"), "NOT THOSE"),
    (changed(f"{NET}_data.v", "\nDefinition", "\nAxiom oops : False.\nDefinition"), "NOT THOSE"),
    (_flipped, "net.v is NOT"),
    (_told(rank=3), "audit.v is NOT"),
    (_told(rank="four"), "net.json is DAMAGED"),
    (_told(measure="raw "), "net.json is DAMAGED"),
    (_told(eps="1/4"), "audit.v is NOT"),
    (_told(eps="1/0"), "net.json is DAMAGED"),
    (_told(eps="1e-9999999999"), "net.json is DAMAGED"),
    (_told(eps="1E+9999999999"), "net.json is DAMAGED"),
    (_told(cut=7), "net.v is NOT"),
    (_told(exponent=7), "net.v is NOT"),
    (_told(below={}), "net.json is DAMAGED"),
    (_told(above={"signs": [True], "rows": [["one"]]}), "net.json is DAMAGED"),
    # The .json is read by other programs: what it says of the features is compared too.
    (_told(dtype="float32"), "net.json is NOT"),
    (_told(shape=[4, 12]), "net.json is NOT"),
    (_told(data={}), "net.json is NOT"),
    # Another kind of theorem, whose integers are not there.
    (_told(kind="rank"), "net.v is NOT"),
    (_told(kind="floor"), "net.json is DAMAGED"),
    (_told(kind="dense"), "net.json is DAMAGED"),
    (lambda folder: (folder / f"{NET}.json").write_text("[" * 10**5), "net.json is DAMAGED"),
]  # fmt: skip
OF_GRAM = [
    (_told(digits=7), "net.json is DAMAGED"),
    (_told(digits=7, bound=str(4 / 2**8)), "NOT THOSE"),
    (_told(digits=10**12), "net.json is DAMAGED"),
    (_told(digits=-1), "net.json is DAMAGED"),
    (_told(bound="1e-9999999999"), "net.json is DAMAGED"),
    # A smaller distance than rounding has, with a proof that is right about it.
    (_told(bound="1/1267650600228229401496703205376"), "net.json is DAMAGED"),
    (changed(f"{NET}_data.v", "digits : nat := ", "digits : nat := 1"), "NOT THOSE"),
    (changed("audit.v", "digits.+1)^-1", "digits.+2)^-1"), "audit.v is NOT"),
    (_told(kind="wide"), "NOT THOSE"),
]
OF_WIDE = [(_told(kind="gram", digits=9, bound="1/256"), "NOT THOSE")]


@pytest.mark.parametrize(
    ("kind", "plant", "words"),
    [(kind, *attack) for kind in MADE for attack in ATTACKS]
    + [("gram", *attack) for attack in OF_GRAM]
    + [("wide", *attack) for attack in OF_WIDE],
)
def test_a_folder_made_to_deceive_is_refused(given, check, plant, words):
    plant(given / "folder")
    code, said = check(given)
    assert code == 1, said
    assert words in said


@KINDS
def test_other_features_and_other_weights_are_told(given, check):
    other = waves(12, 4)
    other[3, 1] = np.nextafter(other[3, 1], 2)
    np.save(given / "other.npy", other)
    code, said = check(given, features="other.npy")
    assert (code, "NOT as it must be" in said) == (1, True)
    np.save(given / "less.npy", WEIGHTS[1:])
    assert check(given, weights="less.npy")[0] == 2
    np.save(given / "more.npy", np.nextafter(WEIGHTS, 20))
    assert check(given, weights="more.npy")[0] == 1


@KINDS
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int64", "bool"])
@pytest.mark.parametrize("measure", ["mean", "raw"])
def test_every_file_is_written_anew_as_the_product_writes_it(kind, dtype, measure):
    features = (waves() > 0) if dtype == "bool" else (100 * waves()).astype(dtype)
    made = MADE[kind](features, 0.37, measure=measure)
    about = json.loads(json.dumps(made.to_json()))
    found = CHECK_DATA["Certificate"]("net", about, features, None)
    numbers = CHECK_DATA["Numbers"](features, None, measure)
    assert found.definitions(numbers, "") == made.data_file()
    assert found.proof() == made.proof_file("net", "EpsRank.Measurements.net_data")
    assert found.says == made.about()
    assert CHECK_DATA["audit"]([found]) == audit_text({"net": made})
