"""Weight digests of a run's models; a model that has changed since is refused."""

import json
from collections.abc import Mapping

from odd.errors import OddError
from odd.models.base import same_model


class Digests:
    """Digests by the role of a model in the run.

    The key is "" for the student, a teacher's name, or "model:" and the label of a model that writes demonstrations or
    summaries.
    """

    def __init__(self, run_id: str, known: Mapping[str, str]) -> None:
        self._run_id, self._known = run_id, dict(known)

    def get(self, key: str) -> str | None:
        """Return the stored digest; None if there is none."""
        return self._known.get(key)

    def note(self, key: str, digest: str) -> None:
        """Store a digest."""
        self._known[key] = digest

    def check(self, key: str, name: str, digest: str) -> None:
        """Compare a digest with the stored one, if there is one.

        Args:
            key: role of the model in the run.
            name: name of the model, for the error message.
            digest: digest of its current weights.

        Raises:
            OddError: the weights have changed.
        """
        if not same_model(self._known.get(key, digest), digest):
            whose = f"of teacher {key!r}" if key else "of the student"
            if key.startswith("model:"):
                whose = "that writes demonstrations"
            raise OddError(
                f"model {name!r} {whose} has changed since run {self._run_id!r} was started: restore it, or start "
                "a new run with another title"
            )

    def to_json(self) -> str:
        """Return the JSON stored in `meta`."""
        return json.dumps(self._known)
