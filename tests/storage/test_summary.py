"""Which seeds a mean counts."""

import pytest

from tests.support.record_builders import make_record
from tsslbp.storage.summary import counted_seeds


@pytest.mark.parametrize(
    ("ran", "asked", "epochs", "counted"),
    [
        ((9, 9, 4), 9, None, [0, 1]),
        ((9, 9, 4), 9, 9, [0, 1]),
        ((4, 3), 9, None, [0, 1]),  # none is whole
        ((4, 3), 9, 20, [0, 1]),
        ((9, 9, 4), 9, 20, [0, 1]),  # published with 20, asked for with 9
        ((9, 20, 4), 9, 20, [1]),
        ((9, 20, 4), 9, None, [0, 1]),
        ((20, 12, 12), 20, 10, [0]),  # fewer are asked for by now: those on the way to 20 are not whole
        ((12, 12), 20, 10, [0, 1]),
        ((), 9, None, []),
    ],
)
def test_whole_seeds_alone_count_where_there_are_any(ran: tuple[int, ...], asked: int, epochs: int | None, counted: list[int]) -> None:
    record, _ = make_record(seeds=tuple(range(len(ran))), epochs=max(ran, default=1))
    seeds = tuple(seed.model_copy(update={"history": seed.history[:count]}) for seed, count in zip(record.seeds, ran, strict=True))
    found = counted_seeds(record.model_copy(update={"seeds": seeds, "settings": record.settings | {"epochs": asked}}), epochs)
    assert [seed.seed for seed in found] == counted
