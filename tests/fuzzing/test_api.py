"""Public functions called with what a user may pass by mistake: a right result, or an error that names the argument."""

import pytest

from tests.fuzzing.api import fire_at
from tests.fuzzing.calls import CALLS

CALLS_EACH = {"quick": 40, "thorough": 2000}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("profile", ["quick", pytest.param("thorough", marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_argument_is_named(name: str, profile: str) -> None:
    findings = fire_at(name, CALLS_EACH[profile])
    assert findings.calls == CALLS_EACH[profile]
    assert findings.ends["refused"]
    assert not findings.faults, "\n".join(f"{end} [{arguments}]: {detail}" for (end, arguments), detail in sorted(findings.faults.items()))


@pytest.mark.parametrize("name", CALLS)
def test_what_is_right_is_not_refused(name: str) -> None:
    call = CALLS[name]
    call.check(call.call(**call.arguments()))
