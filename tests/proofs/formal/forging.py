"""Exported folders made to deceive: what is planted in them, and what check_data.py says."""

from __future__ import annotations

import os


def changed(file, old, new):
    """Plant another text, where the old one stands first."""

    def plant(folder):
        text = (folder / file).read_text("utf-8")
        assert old in text
        (folder / file).write_text(text.replace(old, new, 1), "utf-8")

    return plant


def added(file, text=""):
    """Plant a file more."""

    def plant(folder):
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_text(text)

    return plant


def _linked(folder):
    (folder / "audit.v").rename(folder.parent / "audit.v")
    (folder / "audit.v").symlink_to(folder.parent / "audit.v")


def attacks(name, theory):
    """Return what can be planted whatever the kind of the theorem `name`, which needs `theory`."""
    proof, module = f"measurements/{name}.v", f"EpsRank.Measurements.{name}"
    return [
        # make takes this one first.
        (added("GNUmakefile", "all:\n\t@echo every theorem holds\n"), "GNUmakefile does NOT"),
        (added("CoqMakefile.local"), "CoqMakefile.local does NOT"),
        (changed("Makefile", "cmp", "true"), "Makefile is NOT THE ONE"),
        (lambda folder: (folder / "Makefile").unlink(), "Makefile is NOT THE ONE"),
        (changed("check_data.py", "good and", "True or"), "check_data.py is NOT THE ONE"),
        (changed("texts.toml", "{rank}%nat", "{rank}%nat "), "texts.toml is NOT THE ONE"),
        (changed(f"theories/{theory}.v", "(** * ", "(** *  "), f"{theory}.v is NOT THE ONE"),
        (added("theories/evil.v"), "evil.v is NOT THE ONE"),
        (added("theories/evil.vo"), "evil.vo does NOT"),
        (added(f"theories/sub/{theory}.v"), f"sub/{theory}.v does NOT"),
        (added("measurements/more.v"), "more.v does NOT"),
        (added("plugin.cmxs"), "plugin.cmxs does NOT"),
        # Coq reads it in place of a .vo that is older.
        (added(f"theories/{theory}.vio"), f"{theory}.vio does NOT"),
        (lambda folder: os.mkfifo(folder / "theories/pipe.v"), "pipe.v does NOT"),
        (_linked, "audit.v does NOT"),
        # A proof that needs an axiom, and an audit that expects it.
        (changed("audit.expected", "Closed", "Axioms:\noops : False\nClosed"), "expected is NOT"),
        (changed("audit.v", f"Require {module}.",
                 f'Notation "x = y" := True.\nRequire {module}.'), "audit.v is NOT"),
        (changed("audit.v", "\n", "\r\n"), "audit.v is NOT"),
        # Anything that runs while a proof is compiled.
        (changed(proof, "Proof.", "Elpi Query lp:{{ true }}.\nProof."), f"{name}.v is NOT"),
        (changed(proof, "Proof. move=> R", "Proof. Admitted. (*"), f"{name}.v is NOT"),
        # A theorem that nobody compares with the features.
        (lambda folder: (folder / f"measurements/{name}.json").unlink(), "audit.v is NOT"),
    ]  # fmt: skip
