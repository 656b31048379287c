"""What a worker process of the local engine does: it takes jobs from a pipe and sends back what they come to.

`tsslbp/worker.py` is where such a process begins, `processes.py` what its driver sees of it.
"""

from multiprocessing.connection import Connection

from tsslbp.engines.jobs import Job, Started
from tsslbp.engines.messages import Batch, Broken, Packed, send_pieces
from tsslbp.engines.work import Measured, load_job_splits, newest_state, prepare_job, refuse_other_code, train_job
from tsslbp.method.batches import Splits
from tsslbp.seed_training import import_method
from tsslbp.storage.meaning import code_meaning


def serve(connection: Connection) -> None:
    """Do one job after the other until the driver closes the pipe.

    Raises:
        EOFError: it closed the pipe.
    """
    splits = None
    while True:
        job = connection.recv()
        try:
            # The digest after all imports: of an edit in between this process may run the old code, but it never goes unseen.
            import_method(job.task.model.loss.kind, job.task.device)
            refuse_other_code(job, code_meaning(job.task.model.loss.kind, job.task.device))
            device = prepare_job(job)
            splits = splits or load_job_splits(job)
            connection.send(Started(job.seed, device))
            _train(connection, job, splits)
        except (BrokenPipeError, ConnectionResetError):
            raise
        except Exception as error:
            connection.send(Broken.by(job.seed, error))


def _train(connection: Connection, job: Job, splits: Splits) -> None:
    def on_batch(epoch: int, samples: int) -> None:
        connection.send(Batch(job.seed, epoch, samples))

    for result in train_job(job, splits, newest_state(job), on_batch):
        if isinstance(result, Measured):
            connection.send(Packed(job.seed, result.row, result.seconds, len(result.packed)))
            send_pieces(connection, result.packed)
        else:
            connection.send(result)
