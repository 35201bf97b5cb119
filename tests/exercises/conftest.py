"""In the tests of the exercises, what is not written yet is passed over, and an error shows only the learner's line."""

import pytest

from tools.course.learner import Failed, Missing


def pytest_configure(config):
    config.addinivalue_line("markers", "canary: a test that must pass or fail where the tests judge")


def pytest_collection_modifyitems(items):
    """Let ``-k NAME`` find the tests of an exercise."""
    for item in items:
        if marker := item.get_closest_marker("exercise"):
            item.extra_keyword_matches.add(marker.args[0])


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    outcome = yield
    if outcome.excinfo and issubclass(outcome.excinfo[0], Missing):
        outcome.force_exception(pytest.skip.Exception(str(outcome.excinfo[1]), _use_item_location=True))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if call.excinfo and issubclass(call.excinfo.type, AssertionError):
        error = call.excinfo.value
        report.longrepr = "\n".join([str(error), *(error.trail if isinstance(error, Failed) else ())])
