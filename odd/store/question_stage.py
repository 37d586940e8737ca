"""How far a question is: the column `stage` of the table `questions`, declared here alone."""

from enum import StrEnum


class QuestionStage(StrEnum):
    """What has been committed of a question, in the order in which it is reached."""

    NEW = "new"
    SAMPLED = "sampled"
    PLANNED = "planned"
    TARGETED = "targeted"
    SCORED = "scored"

    def reached(self, other: "QuestionStage") -> bool:
        """Whether this is `other` or a later stage."""
        order = list(QuestionStage)
        return order.index(self) >= order.index(other)
