"""Connections' numbers in the form that HAProxy's sessions have."""

_SLOT_SHIFT = 48
_MAX_HEX_DIGITS = 16


def session_id(number: str) -> str:
    """Return a connection's number in the form that HAProxy's have, which are addresses."""
    slot, _, own = number.partition("-")
    return f"{(int(slot) << _SLOT_SHIFT) + int(own):#x}"


def parse_session(text: str) -> str:
    """Return the number of the connection that has this id.

    Raises:
        ValueError: no connection can have it.
    """
    digits = text.removeprefix("0x")
    if not digits.isalnum() or not digits.isascii() or len(digits) > _MAX_HEX_DIGITS:
        raise ValueError(f"{text[:40]!r} is no session")
    value = int(digits, 16)
    return f"{value >> _SLOT_SHIFT}-{value & ((1 << _SLOT_SHIFT) - 1)}"
