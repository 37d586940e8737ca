"""Values of the column `stage` of the table `questions`."""

from enum import StrEnum


class QuestionStage(StrEnum):
    """Committed progress of a question, in order."""

    NEW = "new"
    SAMPLED = "sampled"
    PLANNED = "planned"
    TARGETED = "targeted"
    SCORED = "scored"

    def reached(self, other: "QuestionStage") -> bool:
        """Whether this is `other` or a later stage."""
        order = list(QuestionStage)
        return order.index(self) >= order.index(other)
