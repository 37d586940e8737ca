"""From one question's rollouts and distributions to the rows of its tree, scores and gradients (method §2-4).

Nothing is sampled here: given the same rollouts, a teacher that is added later gets the scores it would have got at
first. The random draws behind the posterior intervals are seeded by question, pooling and node alone.
"""

from odd.analysis.cuts import REST
from odd.analysis.question_tree import QuestionTree
from odd.analysis.rollout_rewards import Reading
from odd.analysis.teacher_scores import score_teachers

__all__ = ["REST", "QuestionTree", "Reading", "score_teachers"]
