"""One line for each thing that can go wrong with a tracking store, without a store."""

import errno

import pytest

from tsslbp.tracking.faults import explain

URI = "sqlite:////home/someone/mlflow.db"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
def test_the_fault_of_another_file_is_not_blamed_on_the_database(number):
    said = str(explain(URI, "mlflow.db", OSError(number, "Whatever it is", "checkpoints/seed-0-best.safetensors")))
    assert said == "MLflow at mlflow.db did not get all: checkpoints/seed-0-best.safetensors: Whatever it is"


def test_the_databases_own_lock_is_the_database():
    said = str(explain(URI, "mlflow.db", PermissionError(errno.EACCES, "Permission denied", "/home/someone/mlflow.db.lock")))
    assert said == "MLflow at mlflow.db cannot be written; check the rights of the file and its folder"


def test_a_full_disk_under_the_database_is_told_as_before():
    said = str(explain(URI, "mlflow.db", RuntimeError("(sqlite3.OperationalError) database or disk is full")))
    assert said == "MLflow at mlflow.db cannot be written, the disk is full; make room"
