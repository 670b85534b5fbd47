"""The check that no test leaves a descriptor open."""

from tests.descriptors import no_descriptor_is_left_open

__all__ = ["no_descriptor_is_left_open"]
