"""Every Python block of the page on integrations is run, and prints what the page says."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "monitoring-integrations.md"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning:google.protobuf.*"),
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*number of training batches"),
    pytest.mark.filterwarnings("ignore:'pin_memory' argument is set as true"),
]


def differences(page: str) -> list[tuple[str, str]]:
    """Run the blocks of a page, and return what was printed otherwise than it says."""
    names: dict[str, Any] = {"__name__": "page"}
    printed: str | None = None
    wrong = []
    for language, text in _BLOCK.findall(page):
        if language == "python":
            output = io.StringIO()
            with contextlib.redirect_stdout(output):
                exec(compile(text, str(PAGE), "exec"), names)
            printed = output.getvalue()
        elif language == "text" and printed is not None:
            # Not what the Hugging Face packages say themselves.
            lines = printed.splitlines()
            found = [line for line in lines if not line.startswith(("{'", "[INFO]"))]
            if found != text.splitlines():
                wrong.append((printed, text))
            printed = None
    return wrong


def test_the_page_is_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("lightning", "transformers", "accelerate", "tensorboard"):
        pytest.importorskip(package, reason="pip install 'epsrank[integrations]'")
    monkeypatch.chdir(tmp_path)
    assert differences(PAGE.read_text(encoding="utf-8")) == []


def test_the_comparison_can_fail() -> None:
    page = "```python\nprint(1)\n```\n```text\n{}\n```\n"
    assert differences(page.format(1)) == []
    assert len(differences(page.format(2))) == 1


def test_links_exist() -> None:
    text = _BLOCK.sub("", PAGE.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)#:]+)", text):
        assert (PAGE.parent / target).exists(), target
