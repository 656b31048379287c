"""The CSV: one line for each implementation, case and mode. The Markdown shows the same numbers."""

import csv
import io
from collections.abc import Sequence

from benchmarks.cases import LayerCase
from benchmarks.measurement import Measurement

COLUMNS = (
    "case", "title", "mode", "implementation", "version", "setting", "batch", "time_steps", "repetitions", "steps_per_repetition",
    "seconds_median", "seconds_first_quartile", "seconds_third_quartile", "samples_per_second", "product_operations",
    "peak_memory_bytes", "memory_after_imports_bytes", "firing_rates", "samples", "turns_repeated", "turns_disturbed", "remark", "note",
)  # fmt: skip


def csv_text(measurements: Sequence[Measurement]) -> str:
    """Write all measurements."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n", restval="")
    writer.writeheader()
    for measurement in measurements:
        writer.writerow(_row(measurement))
    return buffer.getvalue()


def _row(measurement: Measurement) -> dict[str, object]:
    case, found = measurement.case, measurement.found
    row: dict[str, object] = {
        "case": case.name,
        "title": case.title,
        "mode": measurement.mode,
        "implementation": measurement.entry.name,
        "version": measurement.entry.version or "",
        "setting": measurement.setting,
        "batch": case.batch,
        "time_steps": case.time_steps,
        "product_operations": case.operations(measurement.mode == "train"),
        "note": measurement.note,
    }
    if not measurement.seconds:
        return row
    first, third = measurement.quartiles
    row |= {
        "repetitions": len(measurement.seconds),
        "steps_per_repetition": measurement.steps,
        "seconds_median": f"{measurement.median:.9g}",
        "seconds_first_quartile": f"{first:.9g}",
        "seconds_third_quartile": f"{third:.9g}",
        "samples_per_second": "" if isinstance(case, LayerCase) else f"{measurement.throughput:.6g}",
        "turns_repeated": measurement.repeated,
        "turns_disturbed": measurement.disturbed,
    }
    if found is None:  # the process ended before it could be asked
        return row
    return row | {
        "peak_memory_bytes": found.peak,
        "memory_after_imports_bytes": found.base,
        "firing_rates": " ".join(f"{rate:.4f}" for rate in found.rates),
        "samples": found.source,
        "remark": found.remark,
    }
