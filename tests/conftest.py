"""Hypothesis profiles: the tests use its own "ci", ``make nightly`` and ``make mutants`` those of their names."""

from hypothesis import HealthCheck, Phase, settings

settings.register_profile("nightly", max_examples=10_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
# A failure is all that counts: no simpler example is looked for.
settings.register_profile("mutants", settings.get_profile("ci"), phases=[Phase.explicit, Phase.generate])
