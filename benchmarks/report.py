"""Measurements -> results.md: every table a function of the measurements."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from benchmarks.cases import LayerCase, NetworkCase, Sweep
from benchmarks.machine import Conditions
from benchmarks.markdown import table
from benchmarks.measurement import Measurement, Trial
from benchmarks.roster import COMPILED, DENSE, DENSE_BF16, OURS, OURS_BF16, PEERS, Entry
from benchmarks.scaling import points, straight_line
from tsslbp.figures.canvas import Picture
from tsslbp.report.escape import escape_markdown
from tsslbp.report.numbers import MISSING

MEGABYTE = 1e6


@dataclass(frozen=True)
class Results:
    """Everything that was measured in one run."""

    conditions: Conditions
    measurements: Sequence[Measurement]
    trials: Sequence[Trial] = ()
    sweeps: Sequence[Sweep] = ()
    shortened: bool = False
    pictures: Sequence[Picture] = ()

    def find(self, case: str, entry: Entry, mode: str = "train") -> Measurement | None:
        """A measurement with seconds; None: there is none."""
        wanted = (case, entry.name, mode)
        return next((m for m in self.measurements if (m.case.name, m.entry.name, m.mode) == wanted and m.seconds), None)

    def fastest(self, case: str, entries: Iterable[Entry], mode: str = "train") -> Measurement | None:
        """Of several contestants the one with the smallest median."""
        there = [m for entry in entries if (m := self.find(case, entry, mode))]
        return min(there, key=lambda m: m.median, default=None)

    @property
    def cases(self) -> list[NetworkCase | LayerCase]:
        """The cases apart from the sweeps', in the order in which they were measured."""
        swept = {case.name for sweep in self.sweeps for _, case in sweep.points}
        return list({m.case.name: m.case for m in self.measurements if m.case.name not in swept}.values())

    @property
    def networks(self) -> list[NetworkCase]:
        """The networks of the settings."""
        return [case for case in self.cases if isinstance(case, NetworkCase)]

    @property
    def layers(self) -> list[LayerCase]:
        """The public case."""
        return [case for case in self.cases if isinstance(case, LayerCase)]


def markdown(results: Results) -> str:
    """The whole of results.md."""
    parts = [
        "# Benchmark",
        _warnings(results),
        table(("", ""), [(name, escape_markdown(value)) for name, value in results.conditions.facts]),
    ]
    if results.networks:
        parts += ["## Training", *_training(results), "## Inference", _throughput(results, "infer"), "## Memory", *_memory(results)]
    if results.layers:
        parts += ["## The public case", *_public(results)]
    if results.sweeps:
        parts += ["## Scaling", *(_sweep(results, sweep) for sweep in results.sweeps)]
    parts += [f"![{escape_markdown(picture.alt)}]({picture.name}.png)\n\n{picture.caption}" for picture in results.pictures]
    parts += ["## How each ran", *_details(results), "## How it was measured", METHOD]
    return "\n\n".join(part for part in parts if part) + "\n"


METHOD = """\
- One process a contestant; they take turns within a case, one computes while the others sleep, round after round, so that
  a machine that drifts drifts for all. Before the clock: warm-up steps, and one more at the start of every turn. A number is
  the median over the turns; quartiles in brackets. Cases of which one step takes half a minute have one turn, without warm-up.
- A training step is forward, loss, backward, clipping, AdamW (PyTorch's fused one) and clamping, with the same code for all;
  the libraries' networks have the same layers, loss and dropout, and their own LIF neuron with its surrogate gradient.
  All get the same allocator setting, threads, and denormals flushed to zero. Batches are ready in memory, in the form
  that the contestant likes best.
- Each library runs at the fastest of the settings listed above; "first product once" means that it, too, computes the
  product of a still image once. `torch.compile` needs a C++ compiler and unrolls time; it is tried up to T = 10, but not with networks whose step
  takes seconds.
- The dense limit is the network's convolutions and products over T·B samples, forward and backward, and nothing else. It
  computes a still image's first product at every step; who computes it once can be faster. "Fastest library ÷ limit" is how
  many times as fast as the libraries a network at the limit would be.
- Memory is the largest resident size of the process above its size before the network was built, samples and imports included.
- The public case: G. Lenz et al., "Spiking Neural Network (SNN) Library Benchmarks", Open Neuromorphic, 2023. Its product n → n is
  the same work for all; "LIF alone" shows what the libraries differ in."""


def _warnings(results: Results) -> str:
    lines = []
    if results.conditions.disturbed:
        lines.append("**Other programs computed on this machine meanwhile: do not trust these numbers.**")
    if results.shortened:
        lines.append("**A shortened run: fewer cases, contestants or repetitions than `make bench` has.**")
    return "\n\n".join(lines)


def _training(results: Results) -> list[str]:
    parts = ["Samples a second, and how many times as fast as the fastest library this project is.", _throughput(results, "train")]
    if any(results.find(case.name, entry) for case in results.networks for entry in COMPILED):
        parts += ["The libraries through `torch.compile`, samples a second:", _throughput(results, "train", COMPILED)]
    return [*parts, "Milliseconds a step beside the dense limit, the convolutions and products alone:", _limits(results)]


def _throughput(results: Results, mode: str, entries: Sequence[Entry] = PEERS) -> str:
    rows = []
    for case in results.networks:
        ours, fastest = results.find(case.name, OURS, mode), results.fastest(case.name, entries, mode)
        cells = [_cell(results, case.name, entry, mode, _samples) for entry in (OURS, *entries)]
        rows.append([f"{case.name}: {case.title}", *cells, ratio(fastest, ours)])
    return table(["network", "this project", *(_heading(entry) for entry in entries), "times the fastest library"], rows)


def _limits(results: Results) -> str:
    rows = []
    for case in results.networks:
        ours, dense, bf16, dense_bf16 = (results.find(case.name, entry) for entry in (OURS, DENSE, OURS_BF16, DENSE_BF16))
        speed = f"{case.operations(True) / dense.median / 1e9:.0f}" if dense else MISSING
        cells = [_milliseconds(m) if m else MISSING for m in (ours, dense)]
        rows.append(
            [
                case.name,
                *cells,
                speed,
                ratio(ours, dense),
                ratio(results.fastest(case.name, PEERS, "train"), dense),
                _milliseconds(bf16) if bf16 else MISSING,
                ratio(ours, bf16),
                ratio(bf16, dense_bf16),
            ]
        )
    headings = ["network", "step", "dense limit", "its GFLOP/s", "step ÷ limit", "fastest library ÷ limit"]
    headings += ["bf16 step", "bf16 speed-up", "bf16 step ÷ bf16 limit"]
    return table(headings, rows)


def _memory(results: Results) -> list[str]:
    entries = (OURS, OURS_BF16, *PEERS)
    rows = [[case.name, *(_cell(results, case.name, entry, "train", megabytes) for entry in entries)] for case in results.networks]
    return [
        "Largest memory in training above that of imports and samples, MB.",
        table(["network", *(_heading(entry) for entry in entries)], rows),
    ]


def _public(results: Results) -> list[str]:
    times, memory = [], []
    for case in results.layers:
        ours, fastest = results.find(case.name, OURS), results.fastest(case.name, PEERS)
        entries = (OURS, *PEERS, DENSE)
        times.append([case.title, *(_cell(results, case.name, entry, "train", _milliseconds) for entry in entries), ratio(fastest, ours)])
        memory.append([case.title, *(_cell(results, case.name, entry, "train", megabytes) for entry in (OURS, *PEERS))])
    heads = [_heading(entry) for entry in PEERS]
    return [
        "Forward and backward, milliseconds:",
        table(["case", "this project", *heads, "product alone", "times the fastest library"], times),
        "Largest memory above that of the imports, MB:",
        table(["case", "this project", *heads], memory),
    ]


def _sweep(results: Results, sweep: Sweep) -> str:
    there = points(sweep, results.measurements)
    if not there:
        return ""
    rows = [
        [f"{p.value}", _milliseconds(p.ours), f"{1e3 * p.seconds / p.value:.3f}", ratio(p.ours, p.dense), megabytes(p.ours)] for p in there
    ]
    text = f"{sweep.name}: up to {there[-1].ours.case.title}\n\n"
    text += table([sweep.axis, "step, ms", f"step, ms ÷ {sweep.axis}", "step ÷ dense limit", "memory, MB"], rows)
    if not sweep.linear or len(there) < 3:
        return text
    x = [float(point.value) for point in there]
    lines = [straight_line(x, [point.seconds for point in there]), straight_line(x, [point.memory for point in there])]
    time, memory = (f"at most {100 * line.deviation:.1f} %" for line in lines)
    return f"{text}\n\nDistance from a straight line (offset and slope fitted): time {time}, memory {memory}."


def _details(results: Results) -> list[str]:
    """The sweeps' lines are in the CSV alone, unless something went wrong."""
    names = {case.name for case in results.cases}
    trained = [m for m in results.measurements if m.mode == "train" and (m.note or m.case.name in names)]
    rows = []
    for m in trained:
        rates = ", ".join(f"{rate:.3f}" for rate in m.found.rates) if m.found else MISSING
        samples = m.found.source if m.found else MISSING
        rows.append(
            [m.case.name, m.entry.name, m.setting or MISSING, rates or MISSING, samples, f"{len(m.seconds)} × {m.steps}", m.note or MISSING]
        )
    headings = ["case", "contestant", "setting", "firing rates", "samples", "turns × steps", "note"]
    tried = [
        [trial.case.name, trial.entry.title, escape_markdown(setting), f"{1e3 * seconds:.2f}"]
        for trial in results.trials
        for setting, seconds in trial.seconds
    ]
    parts = [table(headings, [[escape_markdown(cell) for cell in row] for row in rows])]
    if tried:
        parts += [
            "Settings that were tried, and the fastest of a few training steps, ms:",
            table(["case", "library", "setting", "step"], tried),
        ]
    return parts


def ratio(slow: Measurement | None, fast: Measurement | None) -> str:
    """How many times as long the first takes."""
    return f"{slow.median / fast.median:.2f}" if slow and fast else MISSING


def _cell(results: Results, case: str, entry: Entry, mode: str, shown: Callable[[Measurement], str]) -> str:
    if found := results.find(case, entry, mode):
        return shown(found)
    missing = any(m.entry == entry and m.note for m in results.measurements if m.case.name == case)
    return "not installed" if entry.kind == "peer" and entry.version is None else "failed" if missing else MISSING


def _samples(measurement: Measurement) -> str:
    first, third = measurement.quartiles
    low, high = (measurement.case.batch / seconds for seconds in (third, first))
    return f"{significant(measurement.throughput)} [{significant(low)}, {significant(high)}]"


def _milliseconds(measurement: Measurement) -> str:
    first, third = (significant(1e3 * seconds) for seconds in measurement.quartiles)
    spread = f" [{first}, {third}]" if len(measurement.seconds) > 1 else ""
    return significant(1e3 * measurement.median) + spread


def megabytes(measurement: Measurement) -> str:
    """Memory above that of the imports."""
    return f"{measurement.memory / MEGABYTE:,.0f}"


def significant(value: float) -> str:
    """Three digits, or all before the point: 0.123, 12.3, 1,234."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def _heading(entry: Entry) -> str:
    return f"{entry.title} {entry.version}" if entry.version else entry.title
