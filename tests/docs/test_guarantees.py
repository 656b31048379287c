"""docs/guarantees.md promises nothing that no test keeps: every test that it names exists, and every area has some."""

import ast
import re
from functools import cache

import pytest

from tests.support.paths import ROOT

PAGE = (ROOT / "docs/guarantees.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`(tests/(?:[a-z]+/)?test_[a-z_]+\.py)(?:::(test_[a-z0-9_]+))?`")


@cache
def functions(path: str) -> frozenset[str]:
    """The tests of a file, without running it."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


def sections() -> dict[str, str]:
    """The text under each heading of the second level."""
    parts = re.split(r"^## (.+)$", PAGE, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


AREAS = [area for area, text in sections().items() if "| Promise |" in text]


@pytest.mark.parametrize(("path", "test"), sorted(set(NAMED.findall(PAGE))))
def test_every_test_on_the_page_exists(path, test):
    assert (ROOT / path).is_file(), path
    assert not test or test in functions(path), f"{path} has no {test}"


def test_every_area_with_a_table_is_looked_at():
    """One that is removed is missed, and so is a table whose head is spelled otherwise."""
    assert len(AREAS) >= 11
    assert len(re.findall(r"^\|:--", PAGE, re.MULTILINE)) == len(AREAS)


@pytest.mark.parametrize("area", AREAS)
def test_every_area_names_tests_that_keep_it(area):
    assert sum(bool(test) for _, test in NAMED.findall(sections()[area])) >= 2


def test_every_promise_names_a_test():
    """A promise is a row of a table: what is promised, in bold, and its tests."""
    for area in AREAS:
        rows = re.findall(r"^\| (\*\*.*) \|$", sections()[area], re.MULTILINE)
        assert len(rows) == len(re.findall(r"^\|", sections()[area], re.MULTILINE)) - 2 > 0, area
        for row in rows:
            promise, _, tests = row.partition(" | ")
            assert not NAMED.search(promise), f"{area}: {promise}"
            assert NAMED.search(tests), f"{area}: {promise}"
            assert not NAMED.sub("", tests).replace("<br>", "").strip(), f"{area}: {tests}"


def test_the_page_says_what_is_not_promised_and_how_to_run_the_tests():
    assert len(re.findall(r"^- ", sections()["What is not promised"], re.MULTILINE)) >= 5
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"make (test[a-z-]*)", sections()["How to run the tests"]))
    assert {"test", "test-slow", "test-exhaustive"} <= named <= targets


def test_nothing_on_the_page_looks_like_a_test_and_is_not_checked():
    assert len(re.findall(r"test_[a-z0-9_]+", PAGE)) == sum(1 + bool(test) for _, test in NAMED.findall(PAGE))
