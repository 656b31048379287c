"""How numbers look to a reader: two decimals, a true minus sign, a dash where there is no number."""

from tsslbp.report.statistics import Interval, PairedDifference, Summary
from tsslbp.settings import Published
from tsslbp.storage.provenance import CHANGES

MISSING = "–"
MINUS = "−"


def number(value: float | None) -> str:
    """`99.5` as "99.50"; a dash for None."""
    return MISSING if value is None else f"{value:.2f}"


def signed(value: float | None) -> str:
    """`-0.03` as "−0.03", `0.03` as "+0.03", what rounds to zero without a sign; a dash for None."""
    if value is None:
        return MISSING
    text = f"{abs(value):.2f}"
    if float(text) == 0:
        return text
    return f"{MINUS if value < 0 else '+'}{text}"


def estimate(middle: float | None, interval: Interval | None) -> str:
    """A difference and its interval, as "−0.03 [−0.08, +0.02]"; the interval only where there is one."""
    return signed(middle) + (f" [{signed(interval.low)}, {signed(interval.high)}]" if interval else "")


def paired(found: PairedDifference | None) -> str:
    """A paired difference with its interval; a dash where there is none."""
    return MISSING if found is None else estimate(found.mean, found.interval)


def spread(numbers: Summary | Published | None) -> str:
    """Mean and stddev, as "99.50 ± 0.02"; the mean alone where there is no stddev."""
    if numbers is None or numbers.mean is None:
        return MISSING
    return number(numbers.mean) if numbers.std is None else f"{number(numbers.mean)} ± {number(numbers.std)}"


def mean_interval(numbers: Summary | None) -> str:
    """A mean and its 95 % interval, as "99.42 [99.37, 99.46]"; the mean alone where one run has none, a dash where there is no run."""
    if numbers is None:
        return MISSING
    interval = numbers.interval
    return number(numbers.mean) + (f" [{number(interval.low)}, {number(interval.high)}]" if interval else "")


def short(checksums: str) -> str:
    """The first ten digits of every checksum or commit in a list, and whether a commit's code was changed; a dash for none."""
    return ", ".join(dict.fromkeys(_shortened(checksum) for checksum in checksums.split(", "))) or MISSING


def _shortened(checksum: str) -> str:
    return checksum[:10] + (CHANGES if checksum.endswith(CHANGES) else "")


def compact(count: float | None) -> str:
    """A count with three significant digits, as "1.23 M", "12.3 k" or "940"; a dash for None."""
    if count is None:
        return MISSING
    for unit, name in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if count >= 0.9995 * unit:
            scaled = count / unit
            return f"{scaled:.{2 if scaled < 9.995 else 1 if scaled < 99.95 else 0}f}{name}"
    return f"{count:.0f}"
