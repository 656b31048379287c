"""Tracking on a server instead of a file."""

from contextlib import ExitStack
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from tests.record_builders import make_provenance, make_record, make_seed
from tests.servers import free_port, running, wait_until
from tsslbp.tracking import LiveLog, identity, import_records, tracking_store, verify


@pytest.mark.slow
def test_a_server_that_comes_late_and_a_fresh_clone(tmp_path: Path) -> None:
    """Training starts while the server is down; then a second clone logs the same records to the same server."""
    port = free_port()
    uri, (record, provenance) = f"http://127.0.0.1:{port}", make_record(seeds=(0,))
    warnings: list[str] = []
    (tmp_path / "server").mkdir()
    (tmp_path / "weights").write_bytes(b"weights")
    arguments = (
        "--backend-store-uri",
        f"sqlite:///{tmp_path}/server/mlflow.db",
        "--artifacts-destination",
        tmp_path / "server",
        "--workers",
        1,
    )
    who = identity(record, 0, make_seed(0).run_id, make_provenance(0))
    for clone in ("first", "second"):
        (tmp_path / clone).mkdir()
    first, second = (tracking_store(tmp_path / clone, uri) for clone in ("first", "second"))
    with ExitStack() as server:
        with LiveLog(first, warnings.append) as log:
            log.epoch(who, record.seeds[0].history[0], 100.0)
            wait_until(lambda: len(warnings) == 1, "a warning")
            server.enter_context(running("mlflow", "server", "--host", "127.0.0.1", "--port", port, *arguments))
            wait_until(lambda: _is_up(uri), "the server is up", 60)
            log.finish(who, record.seeds[0], {"best.safetensors": tmp_path / "weights"})
            log.model(record, provenance)
        import_records(second, [(record, provenance)])
        verify(second, [record])
    assert list((tmp_path / "server").rglob("best.safetensors"))
    assert len(warnings) == 1


def _is_up(uri: str) -> bool:
    try:
        with urlopen(f"{uri}/health", timeout=2):
            return True
    except (URLError, OSError):
        return False
