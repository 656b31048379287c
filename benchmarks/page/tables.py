"""The tables of the benchmark's page: each a function of the results. A dagger marks what other programs disturbed."""

from collections.abc import Callable, Sequence

from benchmarks.cases import NetworkCase, Sweep
from benchmarks.measurement import Measurement
from benchmarks.page.markdown import escape, significant, table
from benchmarks.page.results import Results, times
from benchmarks.page.scaling import points, straight_line
from benchmarks.roster import LIBRARIES, LOWER_BOUND, LOWER_BOUND_BF16, LOWER_BOUND_ONCE, NOT_COMPILED, OURS, OURS_BF16, PEERS, Entry

MISSING, DAGGER = "–", "†"
MEGABYTE = 1e6

Shown = Callable[[Measurement], str]


def throughput(results: Results, mode: str) -> str:
    """Samples per second: one row per implementation, one column per network; last how many times as fast this project is."""
    entries = [OURS, *(entry for entry in LIBRARIES if mode == "train" or entry.infers)]
    rows = [[_heading(entry), *(_cell(results, case.name, entry, mode, _samples) for case in results.networks)] for entry in entries]
    groups: list[tuple[str, Sequence[Entry]]] = [("this project, times the fastest library", LIBRARIES)]
    if mode == "train":
        groups.append(("this project, times the fastest library that is not compiled", NOT_COMPILED))
    for title, among in groups:
        pairs = [(results.fastest(case.name, among, mode), results.find(case.name, OURS, mode)) for case in results.networks]
        rows.append([f"**{title}**", *(f"**{_ratio(library, ours)}**" for library, ours in pairs)])
    return table(["samples per second", *(case.name for case in results.networks)], rows)


def networks(results: Results) -> str:
    """What the names of the networks stand for."""
    return table(["network", "architecture"], [[case.name, case.title] for case in results.networks])


def limits(results: Results) -> str:
    """Milliseconds per step beside the lower bound, one row per network."""
    rows = []
    for case in results.networks:
        ours, bound, once = (results.find(case.name, entry) for entry in (OURS, LOWER_BOUND, LOWER_BOUND_ONCE))
        speed = f"{case.operations(True) / bound.median / 1e9:.0f}" if bound else MISSING
        library = _ratio(results.fastest(case.name, LIBRARIES), bound)
        rows.append([case.name, _shown(ours), _shown(bound), speed, _ratio(ours, bound), library, _shown(once), _ratio(ours, once)])
    headings = ["network", "step, ms", "lower bound, ms", "its GFLOP/s", "step ÷ lower bound", "fastest library ÷ lower bound"]
    return table([*headings, "lower bound with the first product once, ms", "step ÷ it"], rows)


def half_precision(results: Results) -> str:
    """The step in bf16 beside float32 and beside the lower bound in bf16."""
    rows = []
    for case in results.networks:
        ours, bf16, bound = (results.find(case.name, entry) for entry in (OURS, OURS_BF16, LOWER_BOUND_BF16))
        rows.append([case.name, _shown(bf16), _ratio(ours, bf16), _ratio(bf16, bound)])
    return table(["network", "bf16 step, ms", "times as fast as float32", "bf16 step ÷ bf16 lower bound"], rows)


def memory(results: Results) -> str:
    """Largest memory in training, MB."""
    entries = [OURS, OURS_BF16, *LIBRARIES]
    rows = [[_heading(entry), *(_cell(results, case.name, entry, "train", at_most) for case in results.networks)] for entry in entries]
    return table(["MB", *(case.name for case in results.networks)], rows)


def at_most(measurement: Measurement) -> str:
    """Megabytes; of what is compiled an upper bound, for the compiler's own memory is in it."""
    if measurement.found is None:
        return MISSING
    compiled = measurement.entry in LIBRARIES and measurement.entry not in NOT_COMPILED
    return f"{'≤ ' if compiled else ''}{megabytes(measurement)}"


def public_times(results: Results) -> str:
    """Milliseconds of the public case, forward and backward."""
    entries = (OURS, *PEERS, LOWER_BOUND)
    rows = []
    for case in results.layers:
        ours, fastest = results.find(case.name, OURS), results.fastest(case.name, PEERS)
        rows.append([case.title, *(_cell(results, case.name, entry, "train", _milliseconds) for entry in entries), _ratio(fastest, ours)])
    heads = ["this project", *(_heading(entry) for entry in PEERS), "product alone"]
    return table(["case", *heads, "times the fastest library"], rows)


def public_memory(results: Results) -> str:
    """Largest memory of the public case, MB."""
    entries = (OURS, *PEERS)
    rows = [[case.title, *(_cell(results, case.name, entry, "train", at_most) for entry in entries)] for case in results.layers]
    return table(["case", "this project", *(_heading(entry) for entry in PEERS)], rows)


def sweep(results: Results, of: Sweep) -> str:
    """Cost along a sweep, and how far it is from a straight line."""
    there = points(of, results.measurements)
    if not there:
        return ""
    rows = [
        [f"{p.value}", _milliseconds(p.ours), f"{1e3 * p.seconds / p.value:.3f}", _ratio(p.ours, p.bound), megabytes(p.ours)] for p in there
    ]
    text = f"{of.name}: up to {there[-1].ours.case.title}\n\n"
    text += table([of.axis, "step, ms", f"step, ms ÷ {of.axis}", "step ÷ lower bound", "memory, MB"], rows)
    if not of.linear or len(there) < 3:
        return text
    x = [float(point.value) for point in there]
    lines = [straight_line(x, [point.seconds for point in there]), straight_line(x, [point.memory for point in there])]
    time, largest = (f"at most {100 * line.deviation:.1f} %" for line in lines)
    return f"{text}\n\nDistance from a straight line (offset and slope fitted): time {time}, memory {largest}."


def details(results: Results) -> str:
    """How each implementation ran. The sweeps' lines are in the CSV alone, unless something went wrong."""
    names = {case.name for case in results.cases}
    trained = [m for m in results.measurements if m.note or (m.mode == "train" and m.case.name in names)]
    headings = ["case", "implementation", "setting", "firing rates", "samples", "turns × steps", "repeated", "disturbed", "note"]
    return table(headings, [[escape(cell) or MISSING for cell in _detail(m)] for m in trained])


def _detail(m: Measurement) -> list[str]:
    rates = ", ".join(f"{rate:.3f}" for rate in m.found.rates) if m.found else ""
    samples, remark = (m.found.source, m.found.remark) if m.found else ("", "")
    counts = [f"{len(m.seconds)} × {m.steps}", str(m.repeated), str(m.disturbed)]
    return [m.case.name, m.entry.name, m.setting or remark, rates, samples, *counts, m.note]


def trials_heading(results: Results) -> str:
    """Say by how many steps settings were compared, and which cases by less than a whole step."""
    cases = {trial.case.name: trial.case for trial in results.trials if trial.case.trial != trial.case}
    less = [
        f"{case.name} with a batch of {case.trial.batch}" if isinstance(case, NetworkCase) else f"{case.name} by its LIF layer alone"
        for case in cases.values()
    ]
    text = "Settings that were tried, and the fastest of a few training steps, of one or two where one of a case's settings takes above a second"
    return f"{text}; {', '.join(less)}:" if less else f"{text}:"


def trials(results: Results) -> str:
    """The settings that were tried; empty: none were."""
    tried = [
        [trial.case.name, trial.entry.title, escape(setting), f"{1e3 * seconds:.2f}"]
        for trial in results.trials
        for setting, seconds in trial.seconds
    ]
    return table(["case", "library", "setting", "step, ms"], tried) if tried else ""


def _ratio(slow: Measurement | None, fast: Measurement | None) -> str:
    ratio = times(slow, fast)
    return MISSING if ratio is None else f"{ratio:.2f}"


def _cell(results: Results, case: str, entry: Entry, mode: str, shown: Shown) -> str:
    if found := results.find(case, entry, mode):
        return shown(found)
    if entry.peer is not None and entry.version is None:
        return "not installed"
    notes = [m.note for m in results.measurements if (m.case.name, m.entry) == (case, entry) and m.note]
    if any(note.startswith("failed") for note in notes):
        return "failed"
    return "not measured" if notes else MISSING


def _samples(measurement: Measurement) -> str:
    first, third = measurement.quartiles
    low, high = (measurement.case.batch / seconds for seconds in (third, first))
    return f"{significant(measurement.throughput)} [{significant(low)}, {significant(high)}]{_flag(measurement)}"


def _shown(measurement: Measurement | None) -> str:
    return _milliseconds(measurement) if measurement else MISSING


def _milliseconds(measurement: Measurement) -> str:
    first, third = (significant(1e3 * seconds) for seconds in measurement.quartiles)
    spread = f" [{first}, {third}]" if len(measurement.seconds) > 1 else ""
    return significant(1e3 * measurement.median) + spread + _flag(measurement)


def _flag(measurement: Measurement) -> str:
    return DAGGER if measurement.disturbed else ""


def megabytes(measurement: Measurement) -> str:
    """Memory above that of the imports; a dash where the process ended before it could be asked."""
    return MISSING if measurement.found is None else f"{measurement.memory / MEGABYTE:,.0f}"


def _heading(entry: Entry) -> str:
    return f"{entry.title} {entry.version}" if entry.version else entry.title
