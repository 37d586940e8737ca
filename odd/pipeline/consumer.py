"""Consumer of the events of all questions: writes changes to the run file and reports steps to the listener.

State that spans questions is kept here: which tokens are in the vocabulary table, whether a model that writes
demonstrations is unchanged, and when to publish.
"""

from collections.abc import Iterable
from dataclasses import asdict

import pandas as pd

from odd.pipeline.digests import Digests
from odd.pipeline.events import Change, Commit, Delete, Event, Insert, NoteModel, SpellTokens, Step, Update, Use
from odd.pipeline.progress import Listener, Progress
from odd.store import RunWriter, state


class Consumer:
    """Applies the events of any number of questions in the order they arrive."""

    def __init__(self, writer: RunWriter, digests: Digests, questions: int, listen: Listener) -> None:
        """Load the known tokens.

        Args:
            writer: writer of the run file.
            digests: model digests of the run; those of writing models are added.
            questions: number of questions of the run.
            listen: called with each progress step.
        """
        self.writer, self.digests, self.questions, self.listen = writer, digests, questions, listen
        self._spelled = state.known_tokens(writer)

    def consume(self, events: Iterable[Event]) -> None:
        """Apply events until there are no more.

        Raises:
            OddError: a model has changed, or the disk is full.
        """
        for event in events:
            self.apply(event)

    def apply(self, event: Event) -> None:
        """Commit the changes and publish if due, or report the step to the listener."""
        if isinstance(event, Use):
            return
        if isinstance(event, Step):
            return self.listen(Progress(run_id=self.writer.run_id, questions=self.questions, **asdict(event)))
        with self.writer.transaction():
            for change in event.changes:
                self._change(change)
        self._publish(event)

    def _change(self, change: Change) -> None:
        match change:
            case Insert(table, rows):
                self.writer.insert(table, rows)
            case Update(table, values, where):
                self.writer.update(table, values, **where)
            case Delete(table, where):
                self.writer.delete(table, **where)
            case SpellTokens():
                self._spell(change)
            case NoteModel():
                self._note(change)

    def _spell(self, change: SpellTokens) -> None:
        """Insert new tokens; invalid UTF-8 in their text becomes replacement characters."""
        new = sorted(change.tokens.keys() - self._spelled)
        spelled = [change.tokens[token] for token in new]
        text = [piece.decode("utf-8", errors="replace") for piece in spelled]
        self.writer.insert("vocabulary", pd.DataFrame({"token": new, "text": text, "bytes": spelled}))
        self._spelled |= set(new)

    def _note(self, change: NoteModel) -> None:
        key = f"model:{change.label}"
        self.digests.check(key, change.name, change.digest)
        if self.digests.get(key) is None:
            self.digests.note(key, change.digest)
            self.writer.set_meta("digests", self.digests.to_json())

    def _publish(self, commit: Commit) -> None:
        if commit.publish == "if_due":
            self.writer.publish_meanwhile()
        elif commit.publish == "now":
            self.writer.publish_meanwhile(interval=0.0)
