"""What the site does beyond Sphinx: links out of docs/, formulas, names in docstrings, pictures."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.pycode import ModuleAnalyzer

import epsrank
from epsrank.proofs.report.formulas import broken, inline
from epsrank.proofs.report.scripts import scripts
from epsrank.proofs.report.words import EXPERIMENTS, STATEMENTS

ROOT = Path(__file__).resolve().parents[1]
#: Modules whose names are public, the first that holds a name being its home.
PUBLIC = ("epsrank", "epsrank.strategies", "epsrank.testing", "epsrank.sinks",
          "epsrank.callbacks", "epsrank.metrics",
          "epsrank.losses", "epsrank.plots")  # fmt: skip

_OUTSIDE = re.compile(r"\[([^\]]*)\]\(\.\./([^)\s#]+)(?:#[^)\s]*)?\)")
#: What has a page here although its text lies outside of docs/.
_HERE = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md",
         "README.md": "index.md"}  # fmt: skip
_CODE = re.compile(r"(``.+?``)", re.DOTALL)
_OPTION = re.compile(r"(?<![\w`-])(--[a-z][\w-]*)")


def links_inside(app: Sphinx, docname: str, source: list[str]) -> None:
    """Turn links that leave docs/ into links to a page here, a copy of the file, or plain text."""
    if "/" in docname:
        return

    def other(match: re.Match[str]) -> str:
        text, path = match[1], match[2]
        if path in _HERE:
            return f"[{text}]({_HERE[path]})"
        return match[0] if (ROOT / path).is_file() else text

    source[0] = _OUTSIDE.sub(other, source[0])


def _writes(made: Callable[[str], str]) -> Callable[[Any, nodes.Node], None]:
    """Return what writes a formula as MathML, which needs neither a program nor the network."""

    def write(self: Any, node: nodes.Node) -> None:
        self.body.append(made(node.astext()))
        raise nodes.SkipNode

    return write


def _block(latex: str) -> str:
    return f'<div class="formula">{broken(latex)}</div>'


@cache
def homes() -> dict[str, str]:
    """Return the public module of each public name."""
    found: dict[str, str] = {}
    for module in PUBLIC:
        for name in import_module(module).__all__:
            found.setdefault(name, module)
    return found


def a_name(
    role: str,
    raw: str,
    text: str,
    lineno: int,
    inliner: Any,
    options: Any = None,
    content: Any = (),
) -> tuple[list[nodes.Node], list[nodes.system_message]]:
    """Return single backticks as a link where they name something public, else as code."""
    name = text.removeprefix("epsrank.")
    code = nodes.literal(raw, text, classes=["xref", "py"])
    first = name.partition(".")[0]
    home = homes().get(first)
    # Elsewhere `targets` and `coefficients` are arguments, and no strategies.
    drawn = home == "epsrank.strategies" and "/proofs/" not in (
        inliner.document.current_source or ""
    )
    if home is None or drawn:
        return [code], []
    # What a class has is on its page.
    link = addnodes.pending_xref(
        raw, code, refdomain="py", reftype="obj", reftarget=f"{home}.{first}", refwarn=True
    )
    link.source, link.line = inliner.document.current_source, lineno
    return [link], []


def bars_are_bars(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Keep |x| and 2**k from being read as markup, outside of code."""
    if what in {"data", "module"} and (comment := _comment(name)):
        lines[:] = comment
    text = "\n".join(lines)
    parts = _CODE.split(text)
    parts[::2] = [re.sub(r"(?<!\\)\|", r"\\|", part) for part in parts[::2]]
    lines[:] = "".join(parts).split("\n")


def _comment(name: str) -> list[str]:
    """Return the ``#:`` comment of a constant at its home: autodoc would describe `dict`."""
    module, _, short = name.rpartition(".")
    defined = epsrank._HOMES.get(short, module)
    package = import_module(defined)
    for candidate in (defined, *_parts(package)):
        docs = ModuleAnalyzer.for_module(candidate).find_attr_docs()
        if ("", short) in docs:
            return list(docs["", short])
    return []


def _parts(package: Any) -> list[str]:
    folder = Path(package.__file__).parent
    if Path(package.__file__).name != "__init__.py":
        return []
    return [f"{package.__name__}.{path.stem}" for path in sorted(folder.glob("[!_]*.py"))]


def bars_of_commands(app: Sphinx, context: Any, lines: list[str]) -> None:
    """Keep |Ω| in the help of commands from being read as markup, and --eps from being a dash."""
    for k, line in enumerate(lines):
        if not line.lstrip().startswith("..") and "``--" not in line:
            line = _OPTION.sub(r"``\1``", line)
        lines[k] = line.replace("|", r"\|")


#: Short names of statements and experiments; an L1 loss is none.
_SHORT = re.compile(r"(?<![\w–-])(?<!smooth )([A-Z]\d+)(?![\w″′]| loss)")
#: Where names stand beside them, or where they name anything.
_SPELT_OUT = {"concepts/symbols", "evidence/claims", "changelog"}


def _meaning(short: str) -> str:
    """Return what a short name stands for; C1 to C4 stand for two things."""
    found = [STATEMENTS.get(short, ""), f"experiment: {EXPERIMENTS.get(short, '')}".rstrip(": ")]
    return "; ".join(part for part in found if part not in {"", "experiment"})


def short_names(app: Sphinx, doctree: nodes.document) -> None:
    """Give F2, A1 and the like their names, which a pointer at them shows."""
    if app.env.docname in _SPELT_OUT or "generated/" in app.env.docname:
        return
    for text in list(doctree.findall(nodes.Text)):
        parent = text.parent
        if isinstance(parent, nodes.literal | nodes.literal_block | nodes.title | nodes.raw):
            continue
        parts = _SHORT.split(text.astext())
        if len(parts) == 1:
            continue
        made: list[nodes.Node] = []
        for k, part in enumerate(parts):
            meaning = _meaning(part) if k % 2 else ""
            plain = nodes.Text(part)
            made.append(
                nodes.abbreviation("", "", plain, explanation=meaning) if meaning else plain
            )
        parent.replace(text, made)


def indices_and_powers(app: Sphinx, doctree: nodes.document) -> None:
    """Set λ_{p+1} and σ^{L−2} below and above the line, outside of code and formulas."""
    code = (nodes.literal, nodes.FixedTextElement, nodes.math, nodes.title, nodes.raw)
    for text in list(doctree.findall(nodes.Text)):
        if "_" not in text and "^" not in text:
            continue
        above: nodes.Node | None = text.parent
        while above is not None and not isinstance(above, (*code, addnodes.desc_signature)):
            above = above.parent
        if above is None:
            text.parent.replace(text, _set(text.astext()))


def _set(text: str) -> list[nodes.Node]:
    kinds = {"sub": nodes.subscript, "sup": nodes.superscript}
    return [
        kinds[kind]("", "", *_set(piece)) if kind else nodes.Text(piece)
        for kind, piece in scripts(text)
    ]


def for_phones(app: Sphinx, doctree: nodes.document) -> None:
    """Put NAME-narrow.svg beside NAME.svg where there is one: each screen shows one of the two."""
    for image in list(doctree.findall(nodes.image)):
        narrow = image["uri"].replace(".svg", "-narrow.svg")
        if (
            narrow != image["uri"]
            and (Path(app.env.doc2path(app.env.docname)).parent / narrow).is_file()
        ):
            twin = image.deepcopy()
            twin["uri"] = narrow
            image["classes"].append("wide")
            twin["classes"].append("phone")
            image.parent.insert(image.parent.index(image) + 1, twin)


def sentences(app: Sphinx, doctree: nodes.document) -> None:
    """Let printed lines that are no table be broken, so that none is cut off at the edge."""
    for block in doctree.findall(nodes.literal_block):
        if block.get("language") == "text" and not re.search(r"\S  +\S", block.astext()):
            block["classes"].append("sentences")


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect all of it."""
    app.add_role("name", a_name)
    app.add_html_math_renderer("mathml", (_writes(inline), None), (_writes(_block), None))
    app.connect("source-read", links_inside)
    # Before Sphinx collects the images of a page.
    app.connect("doctree-read", for_phones, priority=100)
    app.connect("doctree-read", short_names)
    app.connect("doctree-read", indices_and_powers)
    app.connect("doctree-read", sentences)
    app.connect("autodoc-process-docstring", bars_are_bars)
    for part in ("description", "options", "arguments", "usage", "epilog"):
        app.connect(f"sphinx-click-process-{part}", bars_of_commands)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
