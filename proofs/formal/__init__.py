"""The Coq development from Python: compile it, audit it, and derive evidence from it."""

from epsrank.proofs.formal.compilation import Compiled, check_text, compile_development
from epsrank.proofs.formal.sources import DEVELOPMENT, Development, read_development
from epsrank.proofs.formal.toolchain import Coq, CoqError, explain_missing, find_coq, require_coq

__all__ = [
    "DEVELOPMENT",
    "Compiled",
    "Coq",
    "CoqError",
    "Development",
    "check_text",
    "compile_development",
    "explain_missing",
    "find_coq",
    "read_development",
    "require_coq",
]
