"""Values of `status` in the table `meta`."""

from enum import StrEnum


class RunStatus(StrEnum):
    """What the last process that wrote a run left: a run that says "running" may have been killed since."""

    RUNNING = "running"
    SCREENED = "screened"
    STOPPED = "stopped"
    FINISHED = "finished"
