"""Where the tests of downloads find a server and a place to download to."""

import pytest

from tests.support.faulty_server import serving
from tests.support.source_builders import Place


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as running:
        yield running


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)
