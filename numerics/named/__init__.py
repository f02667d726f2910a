"""What a user names as ``package.module:attribute``: found, called, and hashed by its source.

Importing a module runs its code. That happens only because the user named it; nothing of a user's
is ever unpickled. Begin with `names`, then `sources`.
"""

from epsrank.numerics.named.calls import call_named, named_line, required, takes, user_code
from epsrank.numerics.named.names import (
    find,
    find_module,
    is_name,
    module_digest,
    name_of,
    source_digest,
)
from epsrank.numerics.named.places import folder, looking_from
from epsrank.numerics.named.sources import SOURCES, file_digest

__all__ = [
    "SOURCES",
    "call_named",
    "file_digest",
    "find",
    "find_module",
    "folder",
    "is_name",
    "looking_from",
    "module_digest",
    "name_of",
    "named_line",
    "required",
    "source_digest",
    "takes",
    "user_code",
]
