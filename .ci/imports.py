"""Import the modules of the installed package: all, or those outside a table of extras."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from pathlib import Path

import epsrank

package = Path(epsrank.__file__).parent
assert "site-packages" in package.parts, package
entries = []
if len(sys.argv) > 1:
    entries = [e for names in json.loads(Path(sys.argv[1]).read_text()).values() for e in names]
    # torch brings jinja2; with any other of these the check would show nothing.
    for name in ("matplotlib", "pyarrow", "sklearn", "tomli_w"):
        assert importlib.util.find_spec(name) is None, f"{name} is installed"
count = 0
for path in sorted(package.rglob("*.py")):
    parts = path.relative_to(package.parent).with_suffix("").parts
    module = ".".join(parts).removesuffix(".__init__")
    needs = any(f"{module}.".startswith(f"{entry}.") for entry in entries)
    if path.name != "__main__.py" and not needs:
        importlib.import_module(module)
        count += 1
print(f"imported {count} modules of the installed wheel")
