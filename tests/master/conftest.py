"""What every test of the master runs under."""

from tests.descriptors import no_descriptor_is_left_open
from tests.proxy.conftest import log_has_its_defaults

__all__ = ["log_has_its_defaults", "no_descriptor_is_left_open"]
