"""The papers' notation: what is read is what was written, what cannot be read is shown where it stands, and shapes chain."""

import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsslbp.architecture import Convolution, Dense, LayerSpec, Pooling, parse, plan_network

sizes = st.integers(1, 9)
convolutions = st.builds(Convolution, st.integers(1, 300), sizes)
blocks = convolutions.flatmap(lambda spec: st.sampled_from([(spec,), (spec, Pooling(2)), (spec, Pooling(3))]))
networks = st.tuples(
    st.lists(blocks, max_size=4).map(lambda found: [spec for block in found for spec in block]),
    st.lists(st.builds(Dense, st.integers(1, 2000)), max_size=3),
).map(lambda parts: (*parts[0], *parts[1])).filter(bool)  # fmt: skip


def written(specs: tuple[LayerSpec, ...]) -> str:
    def token(spec: LayerSpec) -> str:
        if isinstance(spec, Convolution):
            return f"{spec.channels}C{spec.kernel}"
        return f"P{spec.size}" if isinstance(spec, Pooling) else str(spec.neurons)

    return "-".join(token(spec) for spec in specs)


def test_the_networks_of_the_paper() -> None:
    assert parse("15C5-P2-40C5-P2-300") == (Convolution(15, 5), Pooling(2), Convolution(40, 5), Pooling(2), Dense(300))
    assert parse("400-400") == (Dense(400), Dense(400))


@given(networks)
def test_what_was_written_is_read(specs: tuple[LayerSpec, ...]) -> None:
    assert parse(written(specs)) == specs


@given(st.text(alphabet="0123456789CPcp-x ", max_size=20) | st.text(max_size=20))
def test_any_text_is_read_or_its_bad_token_is_shown(text: str) -> None:
    try:
        assert written(parse(text)) == text
    except ValueError as error:
        assert repr(text) in str(error)
        odd = re.search(r": the character at position (\d+), .*U\+([0-9A-F]+) \(", str(error), re.DOTALL)
        if odd:
            assert ord(text[int(odd[1]) - 1]) == int(odd[2], 16)
            return
        found = re.search(r": token (.*) at position (\d+) is not a layer", str(error), re.DOTALL)
        if found:
            start = int(found[2]) - 1
            token = text[start:].split("-")[0]
            assert repr(token) == found[1]
        else:
            assert re.search(r"layer \d+", str(error))


@pytest.mark.parametrize(
    ("text", "token", "position"),
    [
        ("", "", 1),
        ("15C5-P2-2X", "2X", 9),
        ("400--400", "", 5),
        ("400-", "", 5),
        ("015C5", "015C5", 1),
        ("5c5", "5c5", 1),
        ("4 00", "4 00", 1),
        ("99999999", "99999999", 1),
    ],
)
def test_a_bad_token_is_shown_with_its_position(text: str, token: str, position: int) -> None:
    with pytest.raises(ValueError, match=rf"token {re.escape(repr(token))} at position {position} is not a layer; allowed: 15C5"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("400\u2212400", r"the character at position 4, '−' is U\+2212 \(MINUS SIGN\); type '-'"),
        ("400\u2013400", r"the character at position 4, '–' is U\+2013 \(EN DASH\); type '-'"),
        ("15\u04215-300", r"the character at position 3, 'С' is U\+0421 \(CYRILLIC CAPITAL LETTER ES\); type 'C'"),
        ("15C5-\u04202", r"the character at position 6, 'Р' is U\+0420 \(CYRILLIC CAPITAL LETTER ER\); type 'P'"),
        ("\u0661\u0660", r"the character at position 1, '١' is U\+0661 \(ARABIC-INDIC DIGIT ONE\); type '1'"),
        ("\uff14\uff10\uff10", r"the character at position 1, '４' is U\+FF14 \(FULLWIDTH DIGIT FOUR\); type '4'"),
        ("400\u200b", r"the character at position 4, U\+200B \(ZERO WIDTH SPACE\); remove it"),
        ("400\n", r"the character at position 4, U\+000A \(no name\); remove it"),
        ("1-" * 600, "has 1,200 characters; allowed: 1,000"),
    ],
)
def test_a_character_that_is_not_on_the_keyboard_is_named_with_what_to_type(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("300-15C5", "layer 2 needs an image, but a dense layer comes before it"),
        ("300-P2", "layer 2 needs an image"),
        ("P2-300", "layer 1 is a pooling; it must follow a convolution"),
        ("15C5-P2-P2", "layer 3 is a pooling; it must follow a convolution"),
    ],
)
def test_layers_in_an_impossible_order_are_named(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(text)


# --- shapes

padded = st.integers(0, 3) | st.lists(st.integers(0, 3), max_size=4)


@given(networks, st.tuples(sizes, st.integers(1, 40), st.integers(1, 40)), st.integers(2, 12), padded)
def test_shapes_chain(specs: tuple[LayerSpec, ...], shape: tuple[int, int, int], classes: int, padding: int | list[int]) -> None:
    try:
        layers = plan_network(written(specs), shape, classes, padding)
    except ValueError as error:
        assert written(specs) in str(error) or "padding" in str(error)
        return
    assert [layer.spec for layer in layers] == [*(spec for spec in specs if not isinstance(spec, Pooling)), Dense(classes)]
    assert layers[-1].output_shape == (classes, 1, 1)
    before = shape
    for layer in layers:
        if isinstance(layer.spec, Convolution):
            assert layer.input_shape == before
            extents = tuple(size + 2 * layer.padding - layer.spec.kernel + 1 for size in before[1:])
            assert layer.neuron_shape == (layer.spec.channels, *extents)
        else:
            assert layer.input_shape == (math.prod(before), 1, 1)
            assert layer.neuron_shape == (layer.spec.neurons, 1, 1)
            assert layer.padding == 0
        assert tuple(size * layer.pooling for size in layer.output_shape[1:]) == layer.neuron_shape[1:]
        assert min(layer.output_shape) >= 1
        before = layer.output_shape


def test_the_shapes_of_a_published_network() -> None:
    layers = plan_network("12C5-P2-64C5-P2", (2, 34, 34), 10, (1, 0))
    assert [layer.neuron_shape for layer in layers] == [(12, 32, 32), (64, 12, 12), (10, 1, 1)]
    assert [layer.output_shape for layer in layers] == [(12, 16, 16), (64, 6, 6), (10, 1, 1)]
    assert layers[-1].input_shape == (2304, 1, 1)


def test_one_padding_holds_for_every_convolution() -> None:
    assert plan_network("4C3-4C3", (1, 8, 8), 10, 1) == plan_network("4C3-4C3", (1, 8, 8), 10, (1, 1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("15C9", (1, 8, 8), 10, 0), "layer 1: a 9x9 kernel is larger than its input of 8x8 with padding 0"),
        (("15C4-P2", (1, 8, 8), 10, 0), "layer 2: P2 needs a size divisible by 2, but its input is 5x5"),
        (("15C5", (1, 8, 8), 10, (0, 1)), r"padding \[0, 1\]: 2 values for the 1 convolutions"),
        (("15C5", (1, 8, 8), 10, -1), "padding -1: must not be negative"),
        (("400", (1, 8), 10, 0), r"input_shape \(1, 8\): expected three positive sizes"),
        (("400", (1, 0, 8), 10, 0), r"input_shape \(1, 0, 8\): expected three positive sizes"),
        (("400", (1, 8, 8), 1, 0), "classes 1: at least 2 are needed"),
    ],
)
def test_what_cannot_be_built_says_why(arguments: tuple[str, tuple[int, ...], int, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plan_network(*arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("400", (1, 8, 8), 2**70, 0), "classes 1180591620717411303424: .*at most 9999999"),
        (("400", (1, 8, 10**15), 10, 0), r"input_shape \(1, 8, 10+\): .*at most 9999999"),
        (("15C5", (1, 8, 8), 10, 10**15), "padding 10+: at most 9999999 is possible"),
        (("20-9999999-9999999", (1, 8, 8), 10, 0), "layer 3: 9999999 has 99,999,980,000,001 weights; allowed: at most 1,000,000,000"),
        (("9999999C3", (1, 40, 40), 10, 0), "layer 1: 9999999C3 has 14,439,998,556 neurons"),
    ],
)
def test_a_size_beyond_what_pytorch_can_hold_is_refused(arguments: tuple[str, tuple[int, ...], int, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plan_network(*arguments)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ((400, (1, 8, 8), 10, 0), "architecture 400"),
        (("400", 8, 10, 0), "input_shape 8"),
        (("400", (1, 8.0, 8), 10, 0), "input_shape"),
        (("400", (1, True, 8), 10, 0), "input_shape"),
        (("400", (1, 8, 8), "10", 0), "classes '10'"),
        (("15C5", (1, 8, 8), 10, 0.5), r"padding 0\.5"),
        (("15C5", (1, 8, 8), 10, "1"), "padding '1'"),
        (("15C5", (1, 8, 8), 10, None), "padding None"),
    ],
)
def test_an_argument_of_another_type_is_named(arguments: tuple[Any, ...], name: str) -> None:
    with pytest.raises(TypeError, match=name):
        plan_network(*arguments)


def test_weights_and_neurons_are_counted() -> None:
    layers = plan_network("12C5-P2-300", (2, 34, 34), 10, 1)
    assert [layer.weights for layer in layers] == [12 * 2 * 25, 300 * 12 * 16 * 16, 300 * 10]
    assert [layer.neurons for layer in layers] == [12 * 32 * 32, 300, 10]
