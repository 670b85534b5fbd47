"""What every test of replays runs under."""

from tests.descriptors import no_descriptor_is_left_open

__all__ = ["no_descriptor_is_left_open"]
