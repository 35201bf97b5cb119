"""In the tests of the exercises, what is not written yet is passed over."""

import pytest

from cs231n.unwritten import Unwritten


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    outcome = yield
    if outcome.excinfo and issubclass(outcome.excinfo[0], Unwritten):
        outcome.force_exception(pytest.skip.Exception(str(outcome.excinfo[1]), _use_item_location=True))
