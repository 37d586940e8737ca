"""One question: rollouts and distributions in, rows of its tree, scores and gradients out (method §2-4).

Nothing is sampled here: given the same rollouts, a teacher that is added later gets the scores it would have got at
first. The random draws behind the posterior intervals are seeded by question, pooling and node alone.
"""
