"""The front page runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"
DOCS = ("caching.md", "compression.md", "retrieval.md", "testing.md")
PAGES = [README, *(README.parent / "docs" / page for page in DOCS)]
BLOCK = re.compile(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", re.DOTALL)
BLOCKS = [block for page in PAGES for block in BLOCK.findall(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize(("code", "output"), BLOCKS, ids=range(len(BLOCKS)))
def test_example_runs_as_printed(code, output, tmp_path):
    """Every Python block of the pages runs by itself in a fresh process and prints what stands under it."""
    code = code.replace("/tmp/memkit-readme", str(tmp_path))  # noqa: S108 - it is taken out here
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={})
    assert done.stderr == ""
    assert done.stdout == output


def test_first_screen_has_claim_and_example():
    """The first 30 lines say what it is and hold an example of at most 15 lines."""
    head = "\n".join(README.read_text(encoding="utf-8").splitlines()[:30])
    code = re.search(r"```python\n(.*?)```", head, re.DOTALL)
    assert code is not None
    assert len(code[1].splitlines()) <= 15
    assert "pip install memkit" not in README.read_text(encoding="utf-8")
