"""Digests of the weights that a run was made with, by which a model that has changed is refused."""

import json
from collections.abc import Mapping

from odd.errors import OddError


class Digests:
    """Digests by what a model is in the run.

    The student's is kept under "", a teacher's under its name, that of a model that writes demonstrations or summaries
    under "model:" and its label.
    """

    def __init__(self, run_id: str, known: Mapping[str, str]) -> None:
        self._run_id, self._known = run_id, dict(known)

    def get(self, key: str) -> str | None:
        """The digest that is known; None if there is none."""
        return self._known.get(key)

    def note(self, key: str, digest: str) -> None:
        """Take a digest as that of the run."""
        self._known[key] = digest

    def check(self, key: str, name: str, digest: str) -> None:
        """Refuse to go on with weights that are not those the run was made with.

        Args:
            key: what the model is in the run.
            name: of the model, for the message.
            digest: of its weights now.

        Raises:
            OddError: they have changed.
        """
        if self._known.get(key, digest) != digest:
            whose = f"of teacher {key!r}" if key else "of the student"
            if key.startswith("model:"):
                whose = "that writes demonstrations"
            raise OddError(
                f"model {name!r} {whose} has changed since run {self._run_id!r} was made: restore it, or start "
                "another run with another title"
            )

    def to_json(self) -> str:
        """As it is kept in `meta`."""
        return json.dumps(self._known)
