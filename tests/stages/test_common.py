"""Commands that messages name can be pasted into a shell."""

import shlex
from pathlib import Path

from stages.common import report_command
from stages.published_weights import who_publishes
from tsslbp.storage.meaning import remedy

PARAMS = Path("my study's/params.yaml")


def test_a_path_with_a_space_and_a_quote_is_one_word_of_every_command(base):
    publishes = who_publishes(PARAMS, "x", 0).split("`")[1]
    for command in (report_command(base, PARAMS), publishes, remedy(PARAMS)):
        assert str(PARAMS) in shlex.split(command)


def test_a_plain_path_stays_plain(base):
    assert report_command(base, Path("params.yaml")) == "python -m stages.report --params params.yaml"
