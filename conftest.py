"""For every room's tests: how hypothesis searches. Nothing here depends on how fast or busy a machine is."""

from hypothesis import HealthCheck, settings

settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")
