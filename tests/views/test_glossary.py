"""The glossary: complete entries, each found by search, with complete formulas."""

import re

import pytest

from odd.method.measures import colours
from odd.views.glossary import find, glossary

ENTRIES = [entry for entries in glossary().values() for entry in entries]
TERMS = """P student|P teacher|Success P̂|Value V(u)|visits n|On-policy|Pooled|Stratified|S_u|Decision point
Ideal gradient|Teacher gradient|reverse KL|forward KL|JSD|Alignment|Sign not settled|P(alignment > 0)|Gain
Teacher advantage|Success range|Range-weighted cosine|Fraction positive|Mean cosine|KL(student ‖ teacher)
Jensen–Shannon|Entropy|Difficulty|Correct and incorrect path|Baseline|Rest|Interval across questions
Self-1C|Self-1C1W|Self-check|Targeted rollout|Noise floor|Holm|Wilcoxon|Paper-style test|Mean signal
Selective oracle|Honest selection|Paths improved|Oracle mix|Split-half correlation|Spearman–Brown|Settled share|AUROC
Within-path correlation|Objective|Best at|At stake|Gap|full baseline"""


@pytest.mark.parametrize("term", re.split(r"[|\n]", TERMS))
def test_every_quantity_is_explained(term):
    assert any(term in entry.term for entry in ENTRIES)


def test_names_are_unique_and_meanings_are_one_sentence():
    assert len({entry.term for entry in ENTRIES}) == len(ENTRIES)
    for entry in ENTRIES:
        assert entry.meaning.endswith(".") and not re.search(r"[.!?] [A-Z]", entry.meaning), entry.term


def test_formulas_are_whole():
    for entry in ENTRIES:
        unescaped = re.sub(r"\\[{}]", "", entry.formula)
        assert unescaped.count("{") == unescaped.count("}") and "$" not in unescaped, entry.term
        assert entry.formula.count(r"\left") == entry.formula.count(r"\right"), entry.term


def test_a_search_needs_every_word_and_leaves_empty_groups_out():
    assert [entry.term for entries in find("range weighted COSINE").values() for entry in entries] == [
        "Range-weighted cosine"
    ]
    assert find("") == glossary() and find("no such words here") == {}


def test_every_colour_of_a_token_can_be_looked_up():
    names = {"p_positive": "P(alignment", "kl": "KL(student", "difference": "P teacher − P student"}
    names["influence_other"] = "influence on other questions"
    for colour in colours():
        assert any(names.get(colour, colour).casefold() in entry.term.casefold() for entry in ENTRIES), colour
