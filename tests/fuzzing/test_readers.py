"""Any bytes at all, thrown at everything that reads a file or a server: a result or the reader's own error, nothing else, and no code run.

`make test` throws 600 inputs (45 at each of 14 readers), `make test-exhaustive` 12,000 (900 at each); the profiles "quick" and "thorough" in conftest.py say how many each reader gets.
"""

import pickle
import pickletools

import pytest
from hypothesis import settings

from tests.fuzzing.data import DATA_TARGETS, OPCODES
from tests.fuzzing.fire import CodeRan, fire
from tests.fuzzing.settings import SETTINGS_TARGETS
from tests.fuzzing.state import state_targets

PROMISED = {"quick": 600, "thorough": 12_000}
TARGETS = (*DATA_TARGETS, *SETTINGS_TARGETS, "array", "checkpoint", "weights")
CALLS = [opcode for opcode in OPCODES if b"code_ran" in opcode]

pytestmark = pytest.mark.filterwarnings("ignore")  # zipfile and numpy warn of what they are about to refuse


@pytest.mark.parametrize("profile", ["quick", pytest.param("thorough", marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize("name", TARGETS)
def test_any_input_gives_a_result_or_the_readers_own_error(name, profile, tmp_path):
    target = (DATA_TARGETS | SETTINGS_TARGETS | state_targets(tmp_path))[name]
    seen = fire(target, settings.get_profile(profile), tmp_path)
    assert seen * len(TARGETS) >= PROMISED[profile]


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", SETTINGS_TARGETS)
def test_ten_thousand_settings_files_are_followed_to_where_a_stage_reads_data(name, tmp_path):
    many = settings(settings.get_profile("thorough"), max_examples=10_000)
    assert fire(SETTINGS_TARGETS[name], many, tmp_path) >= 10_000


def test_every_target_is_under_fire(tmp_path):
    assert set(TARGETS) == {*DATA_TARGETS, *SETTINGS_TARGETS, *state_targets(tmp_path)}


@pytest.mark.parametrize("opcode", CALLS)
def test_hostile_code_would_be_noticed(opcode):
    with pytest.raises(CodeRan):
        pickle.loads(b"\x80\x04" + opcode + (b"" if opcode.startswith(b"(i") else b")R") + b".")


def test_hostile_code_is_asked_for_in_every_way_that_a_pickle_knows():
    """Its extension codes apart, which name only what a program has registered."""
    ways = [{opcode.name for opcode, _, _ in pickletools.genops(call + b".")} & {"GLOBAL", "INST", "STACK_GLOBAL"} for call in CALLS]
    assert sorted(ways, key=str) == [{"GLOBAL"}, {"INST"}, {"STACK_GLOBAL"}]


def test_a_reader_that_breaks_its_promise_would_be_noticed(tmp_path):
    def check(data, folder):
        if len(data) > 5:  # nearly every second input: of 45, chance would hardly leave out all
            raise IndexError(len(data))

    with pytest.raises(IndexError):
        fire(DATA_TARGETS["recording"].__class__(DATA_TARGETS["recording"].inputs, check), settings.get_profile("quick"), tmp_path)
