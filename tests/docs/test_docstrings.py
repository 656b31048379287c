"""Every example in a docstring of the library runs, and every public name has one."""

import doctest
import importlib
import inspect

import pytest

import tsslbp
from tests.support.paths import ROOT

WITH_EXAMPLES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted((ROOT / "tsslbp").rglob("*.py"))
    if ">>>" in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_of_a_module_run(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # an example may write a file
    (tmp_path / "reports").symlink_to(ROOT / "reports")  # or read one that is in git
    module = importlib.import_module(name)
    examples = [example for test in doctest.DocTestFinder().find(module) for example in test.examples]
    assert not all(example.options.get(doctest.SKIP) for example in examples)
    results = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert results.failed == 0, "what was expected and what came is printed above"


@pytest.mark.parametrize("name", [name for name in tsslbp.__all__ if not inspect.ismodule(getattr(tsslbp, name, None))])
def test_every_public_name_has_an_example(name):
    assert ">>>" in inspect.getdoc(getattr(tsslbp, name))
