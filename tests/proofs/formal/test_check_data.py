"""check_data.py sees through a folder of certificates that somebody has prepared to deceive.

Nothing is compiled: what `make` sees is in tests/slow/formal.
"""

from __future__ import annotations

import json
import runpy
import shutil
import sys
from fractions import Fraction

import numpy as np
import pytest

from epsrank.proofs.formal import DEVELOPMENT
from epsrank.proofs.formal.export import audit_text, export_project
from epsrank.proofs.formal.floor_certificate import certify_floor
from epsrank.proofs.formal.rank_certificate import certify_rank
from epsrank.proofs.formal.records import RECORD, exported_digests
from epsrank.theory.errors import InputError

from .forging import attacks, changed
from .measurements import targets, waves

CHECK_DATA = runpy.run_path(str(DEVELOPMENT / "exported" / "check_data.py"))
RELEASED = DEVELOPMENT / RECORD


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    """A folder of two certificates, with the files that it is of."""
    place = tmp_path_factory.mktemp("honest")
    np.save(place / "phi.npy", waves(12, 4))
    np.save(place / "u.npy", targets(12, 2))
    certificates = {
        "rank": certify_rank(waves(12, 4), Fraction(1, 3), measure="raw"),
        "bounded": certify_floor(waves(12, 4), targets(12, 2), 0.1),
    }
    export_project(place / "folder", certificates)
    return place


@pytest.fixture
def given(honest, tmp_path):
    shutil.copytree(honest, tmp_path / "given")
    return tmp_path / "given"


@pytest.fixture
def check(monkeypatch, capsys):
    def run(given, *more, features="phi.npy", record=RELEASED):
        words = [given / features, "--target", given / "u.npy", "--folder", given / "folder"]
        words += ["--record", record] if record else []
        monkeypatch.setattr(sys, "argv", ["check_data.py", *map(str, [*words, *more])])
        try:
            code = CHECK_DATA["main"]()
        except SystemExit as end:
            code = end.code
        found = capsys.readouterr()
        return code, found.out + found.err

    return run


def test_an_honest_folder_passes_and_its_claims_are_printed(given, check):
    code, said = check(given)
    assert code == 0, said
    assert "The ε-rank of 4 neurons at 12 samples (float64, raw measure) at ε = 1/3 is" in said
    assert "No output layer of norm at most 0.1 on these 4 neurons" in said
    assert said.count("its numbers are those of") == 2
    assert "as are Makefile, check_data.py, texts.toml" in said
    assert "were not looked at" in check(given, record=None)[1]
    # What `make` leaves behind belongs here.
    for name in ("theories/form.vo", "measurements/.rank_data.aux", "audit.glob", "audit.found"):
        (given / "folder" / name).touch()
    assert check(given)[0] == 0


RANK = "measurements/rank"
BOUNDED = "measurements/bounded"


def _second_rank(folder):
    """Plant a certificate whose proof has the name of the first one's numbers, all written well."""
    features, place = waves(12, 4), folder / "measurements"
    shutil.copyfile(place / "rank.json", place / "rank_data.json")
    made = []
    for name in ("bounded", "rank", "rank_data"):
        about = json.loads((place / f"{name}.json").read_text("utf-8"))
        made.append(CHECK_DATA["Certificate"](name, about, features, targets(12, 2)))
        (place / f"{name}.v").write_text(made[-1].proof())
    (place / "rank_data_data.v").write_text(
        made[-1].definitions(CHECK_DATA["Numbers"](features, None, "raw"), "")
    )
    (folder / "audit.v").write_text(CHECK_DATA["audit"](made))
    (folder / "audit.expected").write_text(CHECK_DATA["TEXTS"]["closed"] * 3)


@pytest.mark.parametrize(
    ("plant", "words"),
    [
        *attacks("rank", "form"),
        (changed("audit.v", "raw measure)", "mean measure)"), "audit.v is NOT"),
        (changed("audit.v", "is 2.", "is 3."), "audit.v is NOT"),
        (changed("audit.v", "= 2%nat", "= 3%nat"), "audit.v is NOT"),
        (changed(f"{RANK}_data.v", "0x1", "0x2"), "NOT THOSE"),
        (changed(f"{RANK}_data.v", "Definition data", "Axiom oops : False.\nDefinition data"),
         "NOT THOSE"),
        # The claim is another: the file does not say so.
        (changed(f"{RANK}.json", '"rank": 2', '"rank": 3'), "audit.v is NOT"),
        (changed(f"{RANK}.json", '"raw"', '"mean"'), "NOT THOSE"),
        # The claim would have 2, and who reads the file something else.
        (changed(f"{RANK}.json", '"rank": 2', '"rank": 2.9'), "rank.json is DAMAGED"),
        (changed(f"{RANK}.json", '"rank": 2', '"rank": "2"'), "rank.json is DAMAGED"),
        # rank_data.v cannot be the numbers of one and the proof of another.
        (_second_rank, "rank_data.json is DAMAGED"),
        (changed(f"{RANK}.json", '"1/3"', '"1/4"'), "audit.v is NOT"),
        (changed(f"{RANK}.json", '"1/3"', '"1/0"'), "rank.json is DAMAGED"),
        (changed(f"{RANK}.json", '"raw"', '"r\\naw"'), "rank.json is DAMAGED"),
        (changed(f"{BOUNDED}.json", '"x": "', '"x": "1e-9999999999", "y": "'), "is DAMAGED"),
        (changed(f"{BOUNDED}.json", '_squared": "', '_squared": "9e9999999999", "y": "'),
         "bounded.json is DAMAGED"),
        (changed(f"{RANK}.json", "{", "", ), "rank.json is DAMAGED"),
    ],
)  # fmt: skip
def test_a_folder_made_to_deceive_is_refused(given, check, plant, words):
    plant(given / "folder")
    code, said = check(given)
    assert code == 1, said
    assert words in said


def test_features_of_every_kind_are_read_exactly_or_refused(given, check):
    phi = waves(12, 4)
    np.savez(given / "two.npz", decoy=phi, features=2 * phi)
    kinds = {
        "nan": np.where(phi == phi[0, 0], np.nan, phi),
        "inf": np.where(phi == phi[0, 0], -np.inf, phi),
        "long": phi.astype(np.longdouble),
        "complex": phi.astype(complex),
        "flat": phi.ravel(),
        "deep": phi[:, :, None],
        "none": phi[:0],
        "object": phi.astype(object),
        "struct": np.zeros(3, dtype=[("a", "f8")]),
    }
    (given / "gone.npy").symlink_to("nowhere")
    (given / "text.npz").write_text("no archive")
    for file in ("gone.npy", "text.npz", "folder"):
        assert check(given, features=file)[0] == 2, file
    for name, array in kinds.items():
        np.save(given / f"{name}.npy", array)
        assert check(given, features=f"{name}.npy")[0] == 2, name
    # One array of several is named, never guessed.
    assert check(given, features="two.npz")[0] == 2
    assert check(given, "--key", "decoy", features="two.npz")[0] == 0
    assert check(given, "--key", "features", features="two.npz")[0] == 1
    assert check(given, "--key", "", features="two.npz")[0] == 2
    # The same numbers in another order of bytes or of memory.
    for same in (phi.astype(">f8"), np.asfortranarray(phi)):
        np.save(given / "same.npy", same)
        assert check(given, features="same.npy")[0] == 0
    # The numbers are others where a bit is, and the type is part of the claim.
    other = phi.copy()
    other[3, 1] = np.nextafter(other[3, 1], 2)
    np.save(given / "other.npy", other)
    assert "NOT THOSE" in check(given, features="other.npy")[1]


@pytest.mark.parametrize(
    "text", ["1,2\n3\n", "", "a,b\n", "1,nan\n", "1;2\n", "1,1_0\n", "1,1e400\n", "1,2\f3,4\n"]
)
def test_tables_that_could_be_read_in_two_ways_are_refused(tmp_path, text):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(SystemExit):
        CHECK_DATA["read"](str(tmp_path / "a.csv"))


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int64", "uint64", "bool"])
@pytest.mark.parametrize("outputs", [1, 2])
def test_every_file_is_written_anew_as_the_product_writes_it(dtype, outputs):
    features = (waves() > 0) if dtype == "bool" else (100 * waves()).astype(dtype)
    goal = targets(outputs=outputs)
    certificates = {
        "a": certify_floor(features, goal, 1e-30),
        "z": certify_rank(features, 0.9999999999999999),
    }
    found = []
    for name, certificate in certificates.items():
        about = json.loads(json.dumps(certificate.to_json()))
        found.append(CHECK_DATA["Certificate"](name, about, features, goal))
        data = f"EpsRank.Measurements.{name}_data"
        assert found[-1].proof() == certificate.proof_file(name, data)
        assert found[-1].says == certificate.about()
    assert CHECK_DATA["audit"](found) == audit_text(certificates)


def test_the_record_knows_the_programs_of_an_export():
    # Written by `epsrank prove --record`, which a change of these programs calls for.
    known = json.loads(RELEASED.read_text("utf-8"))["exported"]
    assert known == exported_digests(DEVELOPMENT)
    assert set(known) == {"Makefile", "check_data.py", "texts.toml"}


@pytest.mark.parametrize("names", [("a", "a_data"), ("Net", "net"), ("n", "N_DATA")])
def test_two_certificates_never_share_a_file(tmp_path, names):
    one = certify_rank([[2.0]], 1.0, measure="raw")
    with pytest.raises(InputError, match="would be a file"):
        export_project(tmp_path / "new", dict.fromkeys(names, one))
    assert not (tmp_path / "new").exists()
