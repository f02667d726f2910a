"""The pages of the sources, the graph of claims and theorems, and the order of the statements."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree as Xml

import pytest

from epsrank.proofs.formal.declared import declared
from epsrank.proofs.formal.graph import Linked, dependency_graph
from epsrank.proofs.formal.interrogate import Printed
from epsrank.proofs.formal.pages import address, write_pages
from epsrank.proofs.formal.statements import parse_statements, render_statements
from epsrank.proofs.formal.uses import between, reduced, uses
from epsrank.theory.errors import InputError

SOURCE = """\
(** A fact <of use>. *)
Lemma small : 1 = 1. Proof. by []. Qed.
(** The claim. *)
Theorem big : 1 = 1. Proof. exact: small. Qed.
(** Its sequel. *)
Theorem bigger : 1 = 1. Proof. exact: big. Qed.
"""


def _compiled(folder: Path) -> SimpleNamespace:
    """A development as Coq would have left it: the source and its index."""
    lines = ["DIGEST 0", "FP.first"]
    for kind, name in (("prf", "small"), ("prf", "big"), ("prf", "bigger")):
        at = SOURCE.index(f" {name} :") + 1
        lines.append(f"{kind} {at}:{at + len(name) - 1} <> {name}")
    for name, word in (("small", "exact: small"), ("big", "exact: big.")):
        at = SOURCE.index(word) + len("exact: ")
        lines.append(f"R{at}:{at + len(name) - 1} P.first <> {name} thm")
    folder.mkdir(exist_ok=True)
    (folder / "first.glob").write_text("\n".join(lines))
    development = SimpleNamespace(
        files=("first.v",), text=lambda file: SOURCE, module=lambda file: "P.first"
    )
    return SimpleNamespace(folder=folder, development=development)


CLAIMS = [
    Linked("one-claim", "One & all [one-claim]", "One & all.", ["P.first.bigger", "P.first.big"])
]


def test_uses_are_followed_through_lemmas(tmp_path):
    compiled = _compiled(tmp_path)
    used = uses(compiled, declared(compiled))
    assert used["P.first.big"] == {"P.first.small"}
    assert between(used, ["P.first.bigger", "P.first.small"]) == {
        "P.first.bigger": {"P.first.small"},
        "P.first.small": set(),
    }


def test_what_follows_from_other_uses_is_left_out():
    graph = {"c": {"a", "b"}, "b": {"a"}, "a": set()}
    assert reduced(graph) == {"c": {"b"}, "b": {"a"}, "a": set()}


def test_pages_link_every_name_and_the_graph_is_well_formed(tmp_path):
    written = write_pages(_compiled(tmp_path / "made"), CLAIMS, tmp_path / "pages")
    assert {path.name for path in written} == {"graph.svg", "first.html", "index.html"}
    page = (tmp_path / "pages" / "first.html").read_text()
    assert '<b id="small">small</b>' in page
    assert '<a href="first.html#small">small</a>' in page
    assert "A fact &lt;of use&gt;." in page
    index = (tmp_path / "pages" / "index.html").read_text()
    assert '<h3 id="one-claim">' in index
    assert "The claim." in index
    drawing = Xml.parse(tmp_path / "pages" / "graph.svg").getroot()
    links = [item.get("href") for item in drawing.iter("{http://www.w3.org/2000/svg}a")]
    assert set(links) == {"first.html#big", "first.html#bigger", "index.html#one-claim"}
    titles = [item.text for item in drawing.iter("{http://www.w3.org/2000/svg}title")]
    assert "first.bigger uses first.big" in titles


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(InputError, match="taken cannot be written"):
        write_pages(_compiled(tmp_path / "made"), CLAIMS, tmp_path / "taken")


def test_many_claims_keep_apart(tmp_path):
    compiled = _compiled(tmp_path)
    names = declared(compiled)
    many = [Linked(f"claim-{i}", f"claim-{i}", "", ["P.first.big"]) for i in range(3)]
    drawing = Xml.fromstring(dependency_graph(many, names, {}, address))
    texts = drawing.iter("{http://www.w3.org/2000/svg}text")
    heights = [int(item.get("y")) for item in texts if item.get("class") == "claim"]
    assert len(set(heights)) == 3


def test_statements_stand_under_their_claims_and_are_read_again():
    made = {
        name: Printed(name, kind, f"text of {name}", "0123456789abcdef")
        for name, kind in (("P.b", "Theorem"), ("P.a", "Theorem"), ("P.d", "Definition"))
    }
    groups = [("first. A long sentence.", ["P.b"]), ("second. Another.", ["P.b", "P.a", "P.no"])]
    text = render_statements(made, "Coq", groups)
    assert parse_statements(text) == made
    assert text.index("# ---- first.") < text.index("Theorem P.b") < text.index("# ---- second.")
    assert (
        text.index("(See above: P.b.)") < text.index("Theorem P.a") < text.index("Definition P.d")
    )
    assert text.count("Theorem P.b  ") == 1
