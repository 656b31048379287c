"""What a worker process tells its driver of an error, and when it ends instead."""

from unittest.mock import Mock

import pytest

from tsslbp.engines import worker
from tsslbp.engines.messages import Broken


@pytest.mark.parametrize("error", [EOFError("Ran out of input"), ValueError("wrong"), OSError(5, "Input/output error")])
def test_an_error_of_a_job_is_told_and_not_taken_for_the_end_of_the_pipe(monkeypatch, error):
    """An empty file that is unpickled is an EOFError, too."""
    monkeypatch.setattr(worker, "import_method", Mock(side_effect=error))
    connection = Mock()
    connection.recv.side_effect = [Mock(seed=3), EOFError]
    with pytest.raises(EOFError):
        worker.serve(connection)
    (told,) = (call.args[0] for call in connection.send.call_args_list)
    assert isinstance(told, Broken)
    assert told.seed == 3


@pytest.mark.parametrize("error", [BrokenPipeError, ConnectionResetError])
def test_a_driver_that_is_gone_ends_it(monkeypatch, error):
    monkeypatch.setattr(worker, "import_method", Mock(side_effect=error))
    connection = Mock()
    with pytest.raises(error):
        worker.serve(connection)
    connection.send.assert_not_called()
