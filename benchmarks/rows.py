"""The lines of the table of `benchmarks.dashboard`."""

from dataclasses import dataclass

import numpy as np

from benchmarks.reader import Took


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        what: was measured.
        unit: of the values.
        values: all that were measured.
        limit: that the issue sets; None where it sets none.
        judged: the quantile that is held against the limit.
        busy: milliseconds of processor time that the server used for each, for information.
        whole: milliseconds until the browser had drawn each, for information.
        count: of what the values are made of, where that is not their number.
    """

    what: str
    unit: str
    values: list[float]
    limit: float | None
    judged: float = 0.5
    busy: tuple[float, ...] = ()
    whole: tuple[float, ...] = ()
    count: int = 0

    def quantile(self, share: float) -> float:
        """A quantile of the values."""
        return float(np.quantile(self.values, share))

    @property
    def kept(self) -> bool | None:
        """Whether the limit is kept."""
        return None if self.limit is None else self.quantile(self.judged) <= self.limit


def timed(what: str, took: list[Took], limit: float, judged: float = 0.95, alone: bool = True) -> Row:
    """A line of server times; the processor time says something only of a reader who is alone."""
    busy = tuple(one.busy for one in took) if alone else ()
    return Row(what, "ms", [one.server for one in took], limit, judged, busy, tuple(one.whole for one in took))
