"""Made-up records of training runs, for tests that need a record and no training."""

import hashlib

from tsslbp.settings import digest
from tsslbp.storage.records import DataRecord, Epoch, ModelRecord, Provenance, SeedProvenance, SeedRecord


def make_epoch(epoch: int, seed: int = 0) -> Epoch:
    accuracy = round(99 - 30 / (epoch + 0.5) - 0.1 * seed, 2)
    return Epoch(epoch=epoch, train_loss=8 / (epoch + 1), train_accuracy=accuracy + 0.5, test_accuracy=accuracy, firing_rates=(0.1, 0.05))


def make_seed(seed: int, epochs: int = 3, model: str = "digits-mlp") -> SeedRecord:
    return SeedRecord(
        seed=seed,
        run_id=digest([model, seed]),
        history=tuple(make_epoch(epoch, seed) for epoch in range(1, epochs + 1)),
        confusion=((9, 1), (2, 8)),
        best_weights_sha256=digest(["best", seed]) * 2,
        final_weights_sha256=digest(["final", seed]) * 2,
    )


def make_provenance(seed: int, epochs: int = 3) -> SeedProvenance:
    return SeedProvenance(
        seed=seed,
        started="2026-01-02T03:04:05+00:00",
        git_commit="a" * 40,
        device="cpu",
        threads=2,
        versions={"torch": "2.0"},
        seconds=(2.0,) * epochs,
    )


def make_record(
    seeds: tuple[int, ...] = (0, 1), epochs: int = 3, model: str = "digits-mlp", experiment: str = "quickstart"
) -> tuple[ModelRecord, Provenance]:
    record = ModelRecord(
        experiment=experiment,
        model=model,
        recipe="2021-03",
        settings={"architecture": "400-400", "epochs": epochs, "loss": {"kind": "kernel", "desired_train": [0, 1]}, "dropout": 0.0},
        data=DataRecord(dataset="digits", title="Digits", checksum=digest("data"), train_samples=1000, test_samples=20, subset=("half",)),
        code=digest("code"),
        seeds=tuple(make_seed(seed, epochs, model) for seed in seeds),
    )
    return record, Provenance(seeds=tuple(make_provenance(seed, epochs) for seed in seeds))


def of_weights(record: ModelRecord, best: bytes = b"", final: bytes = b"") -> ModelRecord:
    """The record, with files of these contents as the weights of every seed."""
    checksums = {f"{which}_weights_sha256": hashlib.sha256(data).hexdigest() for which, data in (("best", best), ("final", final))}
    return record.model_copy(update={"seeds": tuple(seed.model_copy(update=checksums) for seed in record.seeds)})
