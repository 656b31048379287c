"""Who kills the stages of a project at random moments, and looks after each kill at what is left."""

import random
import signal
import time
from collections import Counter

from tests.support.killing import Running, wait_for_their_end
from tests.support.project import Project
from tests.support.remains import check_whole, whole_files

SEED = 2020

Command = tuple[str, ...]
"""A stage and its arguments."""


class Killer:
    """Kills the stages of one project at random moments.

    Args:
        project: the one that suffers.
        whole: one that was never disturbed.
        durations: how long each place of each command took there.
    """

    def __init__(self, project: Project, whole: Project, durations: dict[tuple[Command, str], float]) -> None:
        self._project, self._whole, self._durations = project, whole, durations
        self._random = random.Random(SEED)
        self.kills = 0
        self.landed: Counter[tuple[Command, str]] = Counter()

    def kill(self, command: Command, place: str, kills: int, among: int) -> None:
        """Kill a command so many times while it is at `place`; a moment that comes too late is another chance to try."""
        for _ in range(20 * kills):
            if self.landed[command, place] == kills:
                return
            self._strike(command, place, self._random.randint(1, among))

    def _strike(self, command: Command, place: str, times: int) -> None:
        running = Running(self._project.folder, *command)
        if running.reaches(place, times):
            time.sleep(self._random.random() * self._durations[command, place])
        code = running.kill()
        assert code in (0, -signal.SIGKILL), running.output
        self.kills += code != 0
        if place in running.unfinished():
            self.landed[command, place] += 1
        else:  # too late: a busy machine wakes late, and the next try sleeps less
            self._durations[command, place] /= 2
        for finished, seconds in running.durations():
            if finished == place:
                self._durations[command, place] = min(seconds, self._durations[command, place])
        wait_for_their_end(self._project.folder)
        self._check()

    def _check(self) -> None:
        """Every file under a final name is whole, at any time."""
        for path in whole_files(self._project.folder):
            check_whole(self._project.folder / path, self._whole.folder / path)
