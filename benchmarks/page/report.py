"""Results -> results.md: the claims first, each with machine and versions, and what is slower here; then the tables."""

from collections.abc import Iterator

from benchmarks.cases import NetworkCase
from benchmarks.machine import BUSY_SHARE, MOST_CORES, MOST_SHARE
from benchmarks.measurement import Measurement
from benchmarks.page import tables
from benchmarks.page.markdown import escape, facts, significant
from benchmarks.page.results import Results, times
from benchmarks.roster import LIBRARIES, LOWER_BOUND, NOT_COMPILED, OURS, OURS_BF16
from benchmarks.row_of_table import sentence


def markdown(results: Results) -> str:
    """Write the whole of results.md."""
    parts = ["# Benchmark", _warnings(results), facts(results.conditions.facts)]
    if results.networks or results.layers or results.row:
        parts += ["## What it says", *_claims(results), "## What is slower here than elsewhere", _slower(results)]
    parts += [*_networks(results), *_public(results)]
    if results.sweeps:
        parts += ["## Scaling", *(tables.sweep(results, sweep) for sweep in results.sweeps)]
    parts += [f"![{escape(picture.alt)}]({picture.name}.png)\n\n{picture.caption}" for picture in results.pictures]
    parts += ["## How each ran", tables.details(results)]
    if tried := tables.trials(results):
        parts += [tables.trials_heading(results), tried]
    return "\n\n".join(part for part in [*parts, "## How it was measured", METHOD] if part) + "\n"


METHOD = f"""\
- Each implementation has a process of its own; they take turns within a case, one computes while the others sleep, round after round,
  so that a machine that drifts drifts for all. Before the clock: warm-up steps, and one more at the start of every turn. A number is
  the median over the turns; quartiles in brackets. Cases of which one step takes half a minute have one turn, without warm-up;
  JAX compiles in it.
- Training is measured as the libraries are, through `torch.compile`, and under `jax.jit`; inference as they are and under `jax.jit`, not
  through `torch.compile`. Where the samples come from, "How each ran" says; synthetic ones are drawn at random.
- The share of the cores' time that other programs take is measured during every turn. A turn in which it is above {100 * MOST_SHARE:.0f} %,
  or above {MOST_CORES:g} of one core where there are many, is repeated, at most three times, and no other turn is. What stays above it is marked {tables.DAGGER}.
- A training step is forward, loss, backward, clipping, AdamW and clamping. On PyTorch it is the same code for all, on JAX the same
  operations by Optax under one `jax.jit`. The libraries' networks have the same layers, loss and dropout, and their own LIF neuron with its
  surrogate gradient. All get the same allocator setting and threads; how long idle threads stay awake is in the table at the top. Denormals
  are flushed to zero. Batches are ready in memory, in the form that the implementation likes best.
- Each library runs at the fastest of the settings listed above by its training step, in inference, too; through `torch.compile`, which
  takes long, at the first of its neurons alone, channels last and first product once. "First product once" means that it, too, computes
  the product of a still image once. `torch.compile` needs a C++ compiler and unrolls time; it is tried up to T = 10, but not with networks whose
  step takes seconds. JAX is tried with a scan over time and, up to T = 10, with its steps unrolled.
- The lower bound is the network's convolutions and products over T·B samples, forward and backward, and nothing else. Each dense
  product goes through the faster of two libraries for its shape: PyTorch's BLAS, or oneDNN. It computes a still image's first product at
  every step; an implementation that computes it once can be faster, and the last columns of the table show the bound that does so, too.
  Where another step is below its bound, the choice of library or the only turn was off.
- Memory is the largest resident size of the process above its size before the network was built. On PyTorch that base has imports and
  samples in it, as they were loaded; of recordings, the other libraries on PyTorch turn all batches into floats later, and these count.
  For what is compiled memory is an upper bound, marked ≤: the compiler's is in it. On JAX the samples, and some imports,
  come after the base and count.
- The public case: G. Lenz et al., "Spiking Neural Network (SNN) Library Benchmarks", Open Neuromorphic, 2023. Its product n → n is
  the same work for all; "LIF alone" shows what the libraries differ in."""


def _warnings(results: Results) -> str:
    lines = []
    if disturbed := results.disturbed:
        turns, all_turns = sum(m.disturbed for m in disturbed), sum(len(m.seconds) for m in results.measurements)
        lines.append(
            f"**Other programs took more than {100 * BUSY_SHARE:.2g} % of the cores' time during {turns} of {all_turns} turns, even when repeated: "
            f"do not trust the numbers marked {tables.DAGGER}.**"
        )
    if results.shortened:
        lines.append("**A shortened run: fewer cases, implementations or repetitions than `make bench` has.**")
    return "\n\n".join(lines)


def _claims(results: Results) -> Iterator[str]:
    """Yield the list of claims, each with the machine and the versions that it was measured with."""
    lines = [line for case in results.networks if (line := _claim(results, case))]
    if results.row:
        lines.append(sentence(results.row))
    where = f"Measured on {escape(results.conditions.machine)}, {dict(results.conditions.facts).get('software', '')}:"
    yield where + "\n\n" + "\n".join(f"- {line}" for line in lines) if lines else ""


def _claim(results: Results, case: NetworkCase) -> str:
    ours, library, plain = (
        results.find(case.name, OURS), results.fastest(case.name, LIBRARIES), results.fastest(case.name, NOT_COMPILED)
    )  # fmt: skip
    if ours is None:
        return ""
    parts = [f"{case.name} ({case.title}) trains at {significant(ours.throughput)} samples/s"]
    parts += [f"{times(library, ours):.2f} times the fastest library, {_named(library)}"] if library else []
    parts += [f"{times(plain, ours):.2f} times the fastest that is not compiled, {_named(plain)}"] if plain and plain != library else []
    bound = results.find(case.name, LOWER_BOUND)
    parts += [f"{times(ours, bound):.2f} times the lower bound's time"] if bound else []
    doubtful = any(m and m.disturbed for m in (ours, library, plain, bound))
    return ", ".join(parts) + (tables.DAGGER if doubtful else "")


def _named(measurement: Measurement) -> str:
    return f"{measurement.entry.title} {measurement.entry.version or ''} ({significant(measurement.throughput)})"


def _slower(results: Results) -> str:
    """List everything in which a library is ahead of this project, in time or memory."""
    lines = [line for mode in ("train", "infer") for case in results.cases if (line := _behind(results, case.name, mode))]
    lines += [line for case in results.cases if (line := _larger(results, case.name))]
    without = [case.name for case in results.cases if results.find(case.name, OURS) is None]
    if without and len(without) == len(results.cases):
        return "This project was not measured."
    lines += [f"{name}: this project was not measured" for name in without]
    return "\n".join(f"- {line}" for line in lines) or "Nothing that was measured."


def _behind(results: Results, case: str, mode: str) -> str:
    ours = results.find(case, OURS, mode)
    ahead = [m for entry in LIBRARIES if ours and (m := results.find(case, entry, mode)) and m.median < ours.median]
    if ours is None or not ahead:
        return ""
    what = {"train": "training", "infer": "inference"}[mode]
    listed = ", ".join(
        f"{m.entry.title} {m.entry.version or ''} {ours.median / m.median:.2f} times as fast" for m in sorted(ahead, key=lambda m: m.median)
    )
    return f"{case}, {what}: {listed}"


def _larger(results: Results, case: str) -> str:
    ours = results.find(case, OURS)
    asked = [m for entry in LIBRARIES if (m := results.find(case, entry)) and m.found]
    smaller = [m for m in asked if ours and ours.found and m.memory < ours.memory]
    if ours is None or not smaller:
        return ""
    least = min(smaller, key=lambda m: m.memory)
    return f"{case}, memory: {tables.megabytes(ours)} MB, {least.entry.title} {tables.at_most(least)} MB"


def _networks(results: Results) -> list[str]:
    if not results.networks:
        return []
    parts = ["## Training", tables.networks(results), tables.throughput(results, "train")]
    parts += ["Beside the lower bound, the convolutions and products alone:", tables.limits(results)]
    if any(results.find(case.name, OURS_BF16) for case in results.networks):
        parts.append(tables.half_precision(results))
    parts += ["## Inference", tables.throughput(results, "infer"), "## Memory"]
    return [
        *parts,
        "Largest memory in training above that before the network was built; what counts is said below:",
        tables.memory(results),
    ]


def _public(results: Results) -> list[str]:
    if not results.layers:
        return []
    parts = ["## The public case", "Forward and backward, milliseconds:", tables.public_times(results)]
    return [*parts, "Largest memory above that of the imports, MB:", tables.public_memory(results)]
