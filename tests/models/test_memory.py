"""Memory does not grow with the vocabulary times the length, nor with the number of teachers."""

from benchmarks.scale import reading

MB = 10**6


def test_distributions_are_never_whole_in_memory():
    # 60 positions x 151,936 entries x 5 models are 182 MB in float32
    few, many = (reading(paths=1, length=60, teachers=teachers).memory for teachers in (1, 4))
    assert few < 300 * MB
    assert many - few < 3 * 60 * MB
