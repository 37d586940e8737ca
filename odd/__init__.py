"""ODD, On-policy Distillation Diagnostics: does a teacher's signal push a student towards correct answers?

The engine samples rollouts of a student language model, grows a tree of token choices, estimates the success
probability of every branch by targeted rollouts, and compares the *ideal* gradient of each node with the gradient
a teacher would give. Method: Armandpour et al., arXiv 2605.10889.
"""

__version__ = "0.1.0"
