"""The examples of the documentation do what is printed below them; pages are found by walking."""

import doctest
import re
from pathlib import Path

import pytest

PAGES = [p for p in (Path(__file__).parents[1] / "docs").glob("*.md") if ">>>" in p.read_text()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_run(page):
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(), flags=re.DOTALL)
    text = "\n".join(block for block in blocks if ">>>" in block)
    test = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
    lines: list[str] = []
    results = doctest.DocTestRunner().run(test, out=lines.append)
    assert results.attempted
    assert not results.failed, "".join(lines)
