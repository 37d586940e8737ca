"""Replicas of one model: requests go to the least loaded one, wait for room, and are repeated elsewhere if one fails.

A server that fails rests for a time that doubles with each failure in a row. One that returns is asked for the
log-probabilities of a known text first: it may have been started again with another model.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from odd.errors import OddError
from odd.models.server.loop import wait_for
from odd.models.server.wire import Passing, Server, Unusable

FIRST_REST, LONGEST_REST = 0.25, 15.0
MOST_UNUSABLE = 3
"""Unusable answers in a row after which a server is left out."""
LOOK_AGAIN = 1.0
"""Seconds after which a waiting request looks again, at the latest."""

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Job(Generic[Answer]):
    """A request.

    Attributes:
        send: sends it to a server and returns the checked answer.
        rollouts: how many of a server's places it takes.
    """

    send: Callable[[Server], Awaitable[Answer]]
    rollouts: int = 1


@dataclass
class Replica:
    """A server and its state.

    Attributes:
        server: the server.
        load: rollouts that it is sampling.
        failures: failures in a row.
        unusable: unusable answers in a row.
        rests_until: time at which it is asked again.
        away: whether it must be recognized first.
        left_out: why it is asked no more.
    """

    server: Server
    load: int = 0
    failures: int = 0
    unusable: int = 0
    rests_until: float = 0.0
    away: bool = False
    left_out: str | None = None

    def failed(self, error: Passing | Unusable) -> None:
        """Let it rest."""
        self.failures += 1
        rest = min(LONGEST_REST, FIRST_REST * 2.0 ** (self.failures - 1))
        if isinstance(error, Passing):
            self.away |= error.away
            rest = max(rest, min(error.seconds, LONGEST_REST))
        else:
            self.unusable += 1
        self.rests_until = time.monotonic() + rest
        if self.unusable >= MOST_UNUSABLE:
            self.left_out = f"{error}, {self.unusable} times in a row"


@dataclass
class Replicas:
    """The servers of a model.

    Attributes:
        name: name of the model, for messages.
        replicas: its servers.
        room: rollouts that each samples at a time.
        patience: seconds without any answer after which requests fail.
        recognize: checks that a server has the same model as at the start, and raises `OddError` if it does not.
    """

    name: str
    replicas: list[Replica]
    room: int
    patience: float
    recognize: Callable[[Server], Awaitable[None]]
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _answered: float = 0.0
    _last_problem: str = ""

    @classmethod
    def of(
        cls,
        name: str,
        servers: Sequence[Server],
        room: int,
        patience: float,
        recognize: Callable[[Server], Awaitable[None]],
    ) -> "Replicas":
        """Return the replicas on some servers."""
        return cls(name, [Replica(server) for server in servers], room, patience, recognize)

    def run(self, jobs: Sequence[Job[Answer]]) -> list[Answer]:
        """Do all jobs; return their answers in order once the servers still have the same model.

        Raises:
            OddError: a server refuses a job, or all servers are left out or do not answer for too long.
        """
        return wait_for(self._run(jobs))

    async def _run(self, jobs: Sequence[Job[Answer]]) -> list[Answer]:
        self._answered = time.monotonic()
        used: list[Replica] = []
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._do(job, used)) for job in jobs]
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from None
        for replica in {id(one): one for one in used}.values():
            try:
                await self.recognize(replica.server)
            except (Passing, Unusable) as error:  # it is gone now, and was recognized before
                replica.failed(error)
        return [task.result() for task in tasks]

    async def _do(self, job: Job[Answer], used: list[Replica]) -> Answer:
        while True:
            replica = await self._take(job.rollouts)
            try:
                if replica.away:
                    await self._recognize_again(replica)
                answer = await job.send(replica.server)
            except (Passing, Unusable) as error:
                replica.failed(error)
                self._last_problem = f"server {replica.server.address}: {error}"
                continue
            finally:
                await self._give_back(replica, job.rollouts)
            replica.failures = replica.unusable = 0
            self._answered = time.monotonic()
            used.append(replica)
            return answer

    async def _recognize_again(self, replica: Replica) -> None:
        """Recognize a server that was away; one with another model is left out."""
        try:
            await self.recognize(replica.server)
        except OddError as error:
            replica.left_out = str(error)
            raise Unusable(str(error)) from error
        replica.away = False

    async def _take(self, rollouts: int) -> Replica:
        """Wait until a server has room, and take the least loaded one."""
        async with self._changed:
            while True:
                now = time.monotonic()
                left = [one for one in self.replicas if one.left_out is None]
                if not left:
                    raise OddError(self._none_left())
                free = [
                    one for one in left if one.rests_until <= now and (not one.load or one.load + rollouts <= self.room)
                ]
                if free:
                    replica = min(free, key=lambda one: one.load)
                    replica.load += rollouts
                    return replica
                if all(one.failures for one in left) and now - self._answered > self.patience:
                    raise OddError(
                        f"model {self.name!r}: no server has answered for {self.patience:g} s ({self._last_problem}): "
                        "start one and run the same command to resume"
                    )
                until = min((one.rests_until - now for one in left if one.rests_until > now), default=LOOK_AGAIN)
                try:
                    await asyncio.wait_for(self._changed.wait(), min(until, LOOK_AGAIN) + 0.001)
                except TimeoutError:
                    continue

    async def _give_back(self, replica: Replica, rollouts: int) -> None:
        replica.load -= rollouts
        async with self._changed:
            self._changed.notify_all()

    def _none_left(self) -> str:
        why = "; ".join(f"{one.server.address}: {one.left_out}" for one in self.replicas)
        return f"model {self.name!r}: no server is left ({why}): correct that and run the same command to resume"
