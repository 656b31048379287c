"""Templates and the way numbers look in them: two decimals, a dash where there is none, nothing unescaped."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from tsslbp.report.statistics import Comparison, Interval, PairedDifference, Summary
from tsslbp.settings import Published

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


def difference(comparison: Comparison) -> str:
    """The difference to the published mean with its interval."""
    return estimate(comparison.difference, comparison.interval)


def paired(found: PairedDifference | None) -> str:
    """A paired difference with its interval; a dash where there is none."""
    return MISSING if found is None else estimate(found.mean, found.interval)


def pairs(found: PairedDifference | None) -> str:
    """How many pairs a difference is of; a dash where there is none."""
    return MISSING if found is None else str(len(found.seeds))


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


def short(checksum: str) -> str:
    """The first ten digits of every checksum or commit in a list."""
    return ", ".join(part[:10] for part in checksum.split(", ")) or MISSING


def escape_markdown(text: object) -> str:
    """Text that Markdown shows as it is, on one line, within the cell of a table."""
    return re.sub(r"([\\`*_{}\[\]<>|#~&])", r"\\\1", " ".join(str(text).split()))


def escape_tex(text: object) -> str:
    """Text that LaTeX prints as it is."""
    special = {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        '"': r"\textquotedbl{}",
        "×": r"$\times$",
        "±": r"$\pm$",
        MINUS: "$-$",
        MISSING: "--",
        **{character: f"\\{character}" for character in "&%$#_{}"},
    }
    plain = " ".join(str(text).split())
    # a failed run's message may hold anything; what no LaTeX font is sure to have would stop the document
    return "".join(special.get(c) or (c if c.isprintable() and ord(c) < 0x100 else "?") for c in plain)


def html(template: str, **context: Any) -> str:
    """Render an HTML template; jinja2 escapes every value."""
    return _environment(str).get_template(template).render(context)


def markdown(template: str, **context: Any) -> str:
    """Render a Markdown template; its filter `text` escapes."""
    return _environment(escape_markdown).get_template(template).render(context)


def tex(template: str, **context: Any) -> str:
    """Render a LaTeX template, written with << >> and <% %>, as braces are LaTeX's own; its filter `text` escapes."""
    environment = _environment(escape_tex).overlay(
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
    )
    return environment.get_template(template).render(context)


def _environment(text: Callable[[object], str]) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    filters: dict[str, Callable[[Any], str]] = {
        "number": number,
        "signed": signed,
        "difference": difference,
        "paired": paired,
        "pairs": pairs,
        "spread": spread,
        "mean_interval": mean_interval,
        "short": short,
    }
    if text is escape_tex:
        filters = {name: _then(function, text) for name, function in filters.items()}
    environment.filters.update(filters, text=text)
    return environment


def _then(function: Callable[[Any], str], text: Callable[[object], str]) -> Callable[[Any], str]:
    return lambda value: text(function(value))
