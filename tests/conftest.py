"""Hypothesis profiles: the tests use its own "ci"; "nightly" is for ``make nightly``."""

from hypothesis import HealthCheck, settings

settings.register_profile("nightly", max_examples=10_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
