"""Made-up runs for the tests of the report: plausible curves, no training."""

import hashlib
from pathlib import Path

import numpy as np

from stages.common import load_studies
from tests.support.paths import ROOT
from tsslbp.report.origin import Run
from tsslbp.settings import Settings, load_settings
from tsslbp.storage.records import DataRecord, Epoch, ModelRecord, Provenance, SeedProvenance, SeedRecord

PARAMS = ROOT / "params.yaml"


def settings() -> Settings:
    """The published protocol."""
    return load_settings(PARAMS)


def mixed_runs(settings: Settings) -> dict[str, Run]:
    """One full reproduction, one on a subset that broke off, one that fell short; the other models were not run."""
    note = "1,000 of the 60,000 training recordings"
    return {
        "mnist-cnn": make_run(settings, "mnist-cnn", epochs=100, plateau=99.48),
        "nmnist-cnn-t30": make_run(settings, "nmnist-cnn-t30", seeds=(0, 1), plateau=91, subset=(note,), failed={2: "out of memory"}),
        "fashion-mlp": make_run(settings, "fashion-mlp", seeds=(3,), epochs=7, plateau=89.6),
    }


def study_settings() -> dict[str, Settings]:
    """The studies of the published protocol."""
    return {path.parent.name: study for path, study in load_studies(PARAMS).items()}


def sample_studies() -> dict[str, Settings]:
    """Studies of the published protocol that stay as they are, whatever the project studies."""
    folder = Path(__file__).parent / "report_studies"
    return {name: load_settings(folder / f"{name}.yaml") for name in ("recipes", "ablation")}


def study_base_runs(base: Settings) -> dict[str, Run]:
    """Runs of the base beside which studies stand: a published row in full, and the mixed ones."""
    return mixed_runs(base) | {"fashion-mlp": make_run(base, "fashion-mlp", epochs=100, plateau=89.3)}


def study_runs(studies: dict[str, Settings]) -> dict[str, dict[str, Run]]:
    """One recipe like the published row, one below it, a short look at a third; some ablations of either model."""
    recipes, ablation = studies["recipes"], studies["ablation"]
    plateaus = {"2021-03": 89.1, "surrogate": 88.0, "no-warmup": 60.0, "no-intra": 89.12, "filtered-once": 89.6}
    variants = {f"fashion-mlp-{name}": plateau for name, plateau in plateaus.items()} | {
        "mnist-cnn-2021-03": 99.0,
        "mnist-cnn-surrogate": 98.8,
    }
    return {
        "recipes": {
            "fashion-mlp-2020-10": make_run(recipes, "fashion-mlp-2020-10", epochs=100, plateau=89.72),
            "fashion-mlp-filtered-once": make_run(recipes, "fashion-mlp-filtered-once", epochs=100, plateau=88.9),
            "mnist-cnn-2020-10": make_run(recipes, "mnist-cnn-2020-10", seeds=(0,), epochs=20),
        },
        "ablation": {
            key: make_run(ablation, key, seeds=ablation.seeds_of(key), epochs=ablation.model(key).epochs, plateau=plateau)
            for key, plateau in variants.items()
        },
    }


def make_run(
    settings: Settings,
    key: str,
    *,
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4),
    epochs: int = 12,
    plateau: float = 99.45,
    spread: float = 0.03,
    subset: tuple[str, ...] = (),
    failed: dict[int, str] | None = None,
) -> Run:
    """A model's record and provenance; `plateau` is where its test accuracy ends, `spread` the stddev between its seeds."""
    model, failed = settings.model(key), failed or {}
    dataset = settings.dataset(model.dataset)
    record = ModelRecord(
        experiment=settings.experiment,
        model=key,
        recipe=model.recipe,
        settings={
            **model.model_dump(mode="json"),
            "recipe_settings": settings.recipes[model.recipe].model_dump(mode="json"),
            "training": settings.training.model_dump(mode="json"),
            "dataset_settings": settings.dataset_settings(key),
        },
        data=DataRecord(
            dataset=model.dataset,
            title=dataset.title,
            checksum=_hex(f"data of {model.dataset}")[:32],
            train_samples=1_000 if subset else dataset.train_samples,
            test_samples=100 if subset else dataset.test_samples,
            subset=subset,
        ),
        code=_hex("code")[:32],
        seeds=tuple(_seed_record(key, seed, epochs, plateau, spread, _layers(model.architecture)) for seed in seeds),
    )
    provenance = Provenance(seeds=tuple(_seed_provenance(seed, epochs, failed.get(seed)) for seed in sorted({*seeds, *failed})))
    return record, provenance


def _layers(architecture: str) -> int:
    return 1 + sum(not token.startswith("P") for token in architecture.split("-"))


def _seed_record(key: str, seed: int, epochs: int, plateau: float, spread: float, layers: int) -> SeedRecord:
    rng = np.random.default_rng([seed, *key.encode()])
    end = plateau + spread * rng.normal()
    steps = np.arange(1, epochs + 1)
    rise = (100 - plateau + 4) * np.exp(-steps / 4)
    test = np.round(np.clip(end - rise + 0.4 * spread * rng.normal(size=epochs), 0, 100), 2)
    train = np.clip(100 - (100 - plateau + 6) * np.exp(-steps / 8), 0, 100)
    rates = [0.05 + 0.02 * layer + 0.04 * np.exp(-steps / (3 + layer)) + 0.001 * rng.normal(size=epochs) for layer in range(layers)]
    history = tuple(
        Epoch(
            epoch=int(steps[i]),
            train_loss=float(3 * np.exp(-steps[i] / 10)),
            train_accuracy=float(train[i]),
            test_accuracy=float(test[i]),
            firing_rates=tuple(float(rate[i]) for rate in rates),
        )
        for i in range(epochs)
    )
    return SeedRecord(
        seed=seed,
        run_id=_hex(f"{key} {seed}")[:32],
        history=history,
        confusion=_confusion(rng, test[-1]),
        best_weights_sha256=_hex(f"best {key} {seed}"),
        final_weights_sha256=_hex(f"final {key} {seed}"),
    )


def _confusion(rng: np.random.Generator, accuracy: float) -> tuple[tuple[int, ...], ...]:
    likely = rng.gamma(0.4, size=(10, 10)) * (1 - np.eye(10))
    rows = likely / likely.sum(axis=1, keepdims=True) * (1 - accuracy / 100) + np.eye(10) * accuracy / 100
    return tuple(tuple(int(count) for count in rng.multinomial(1000, row)) for row in rows)


def _seed_provenance(seed: int, epochs: int, failed: str | None) -> SeedProvenance:
    return SeedProvenance(
        seed=seed,
        started=f"2026-01-0{1 + seed % 9}T08:00:00+00:00",
        git_commit=_hex("commit")[:40],
        device="cpu: 2 cores",
        threads=2,
        versions={"python": "3.11.9", "torch": "2.14.1", "numpy": "2.4.6"},
        seconds=(45.5,) * (3 if failed else epochs),
        failed=failed,
    )


def _hex(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
