"""The rows of the table of `benchmarks.dashboard`."""

from dataclasses import dataclass

import numpy as np

from benchmarks.reader import Took


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Attributes:
        what: the measured quantity.
        unit: unit of the values.
        values: all measurements.
        limit: target upper bound; None if there is none.
        judged: the quantile that is compared with the limit.
        busy: milliseconds of server CPU time for each, for information.
        whole: milliseconds until the browser had drawn each, for information.
        count: number of observations behind the values, if it is not their number.
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
        """Whether the values are within the limit; None without a limit."""
        return None if self.limit is None else self.quantile(self.judged) <= self.limit


def timed(what: str, took: list[Took], limit: float, judged: float = 0.95, alone: bool = True) -> Row:
    """A row of server times; CPU time is only meaningful for a single reader."""
    busy = tuple(one.busy for one in took) if alone else ()
    return Row(what, "ms", [one.server for one in took], limit, judged, busy, tuple(one.whole for one in took))
