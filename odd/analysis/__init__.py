"""Analysis of one question: rollouts and distributions in; rows of its tree, scores and gradients out (method §2-4).

Nothing is sampled here: with the same rollouts, a teacher added later gets the same scores as one of the original run.
The posterior draws are seeded by question, pooling rule and node only.
"""
