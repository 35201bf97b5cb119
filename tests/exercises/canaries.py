"""A test that must pass and one that must fail, of every file: where they do not, its tests do not judge."""

import numpy as np
import pytest
from hints import Wrong, require

from tools.course.learner import learner

__all__ = ["test_a_right_result_passes", "test_a_wrong_result_fails"]


def sent_and_returned():
    value = np.random.default_rng().standard_normal(3)
    return value, learner.ask("echo", value=value)


@pytest.mark.canary
def test_a_right_result_passes():
    require("canary", *sent_and_returned())


@pytest.mark.canary
@pytest.mark.xfail(raises=Wrong, strict=True)
def test_a_wrong_result_fails():
    value, returned = sent_and_returned()
    require("canary", returned, value + 1)
