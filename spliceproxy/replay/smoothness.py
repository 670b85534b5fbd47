"""What keeps an interpreter from standing still while something is due."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_YOUNG_OBJECTS = 10_000
"""So many new ones are looked through at a time, which takes some 0.3 ms."""
_OLD_LOOKS = 1_000
"""All objects are looked through after so many looks at those of middle age: with 100,000 steps in
memory that takes 10 ms. There is little to find, as next to nothing here is in cycles."""
_SWITCH_S = 0.0005
"""So long the thread that reads may hold up the rest; Python has 5 ms by default."""


@contextmanager
def smooth() -> Iterator[None]:
    """Run the block with short pauses; what was there before is not looked through any more."""
    thresholds, switch_s = gc.get_threshold(), sys.getswitchinterval()
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, thresholds[1], _OLD_LOOKS)
    sys.setswitchinterval(_SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(switch_s)
        gc.set_threshold(*thresholds)
        gc.unfreeze()
