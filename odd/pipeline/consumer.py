"""The one consumer of the work on questions: writes its changes to the run file and tells the listener of its steps.

Whatever spans questions is settled here: which tokens the run file spells out already, whether a model that writes
demonstrations is still the same, and when to publish.
"""

from collections.abc import Iterable
from dataclasses import asdict

import pandas as pd

from odd.pipeline.digests import Digests
from odd.pipeline.events import Change, Commit, Delete, Event, Insert, NoteModel, SpellTokens, Step, Update
from odd.pipeline.progress import Listener, Progress
from odd.store import RunWriter, state


class Consumer:
    """Applies events, in the order in which they come, from any number of questions."""

    def __init__(self, writer: RunWriter, digests: Digests, questions: int, listen: Listener) -> None:
        """Prepare to write.

        Args:
            writer: of the run file.
            digests: of the models that the run was made with; those of writing models are added.
            questions: how many questions the run has.
            listen: is told of progress.
        """
        self.writer, self.digests, self.questions, self.listen = writer, digests, questions, listen
        self._spelled = state.known_tokens(writer)

    def consume(self, events: Iterable[Event]) -> None:
        """Apply events until there are no more.

        Raises:
            OddError: a model has changed, or there is no room on disk.
        """
        for event in events:
            self.apply(event)

    def apply(self, event: Event) -> None:
        """Commit the changes and publish if that is due, or tell the listener of the step."""
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
        """Insert the tokens that are new; their text shows bytes that are not valid UTF-8 as replacement characters."""
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
