"""Mistakes that beginners make cost points, and the hint names them: a sample. `make rehearsal` plants them all."""

import re

from mistakes import MISTAKES
from workbooks import score

# Those of the exercises that are quickly tested.
SAMPLE = [row for row in MISTAKES if re.match("affine|relu|sgd|batchnorm|layernorm|dropout|max_pool", row[0])][::20][:4]


def test_mistakes_are_noticed_and_named():
    assert len(MISTAKES) >= 100 and len(SAMPLE) == 4
    for (exercise, style, change, word), row in zip(SAMPLE, score([row[:3] for row in SAMPLE])):
        assert row["earned"] < row["points"], (exercise, change)
        assert re.search(word or "", row["hint"]), (exercise, change, row["hint"])
        assert style in ("course", "loops", "own")
