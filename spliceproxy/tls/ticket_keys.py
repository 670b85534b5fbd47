"""The keys of session tickets, which Python's `ssl` has no call for.

A ticket is a session that the client keeps, encrypted for the server. Whoever has the keys can
resume it: so workers of a new generation are given those of the old one, and all of them new ones
every now and then, since what was said under TLS 1.2 can be read by whoever has the keys.

OpenSSL has SSL_CTX_set_tlsext_ticket_keys for it, a macro of SSL_CTX_ctrl(3). The SSL_CTX of a
`ssl.SSLContext` is the first thing in it after what all Python objects have (PySSLContext in
CPython's Modules/_ssl.c, the same since 3.2). That is no promise: so whether it holds is tried out
in a process of its own, which may crash. Where it does not, contexts keep the keys that OpenSSL
gave them: those made before a fork still share them.
"""

import _ssl
import ctypes
import faulthandler
import hashlib
import hmac
import os
import resource
import signal
import ssl
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import NoReturn

SECRET_BYTES = 32
_KEYS_BYTES = 80  # a name of 16, and two keys of 32: OpenSSL 1.1.1 and later, where nothing else is
_GET_KEYS, _SET_KEYS = 58, 59  # SSL_CTRL_(GET|SET)_TLSEXT_TICKET_KEYS in <openssl/ssl.h>
_SET_CACHE_MODE, _CACHE_OFF = 44, 0  # SSL_CTRL_SET_SESS_CACHE_MODE, SSL_SESS_CACHE_OFF
_TRIED_OPTION = ssl.OP_NO_RENEGOTIATION


class _OpenSsl:
    """The library that `ssl` itself uses."""

    def __init__(self) -> None:
        """Find its functions.

        Raises:
            OSError, AttributeError: they cannot be had, as where it is linked into Python.
        """
        library = ctypes.CDLL(getattr(_ssl, "__file__", None))
        self.control = library.SSL_CTX_ctrl
        self.control.restype = ctypes.c_long
        self.control.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_void_p)
        self.options = library.SSL_CTX_get_options
        self.options.restype = ctypes.c_uint64
        self.options.argtypes = (ctypes.c_void_p,)


def _pointer(context: ssl.SSLContext) -> int | None:
    return ctypes.c_void_p.from_address(id(context) + object.__basicsize__).value


def set_ticket_keys(context: ssl.SSLContext, secret: bytes, purpose: bytes) -> None:
    """Have a context issue and take tickets by keys that are derived from a secret.

    Contexts of another purpose take none of its tickets. Only where `keys_can_be_set`.

    Sessions that a client of TLS 1.2 cannot keep are not kept here for it either, where no other
    worker would find them: those are 20,480 for each context
    (SSL_CTX_set_session_cache_mode(3)).
    """
    keys = b"".join(
        hmac.digest(secret, purpose + bytes([number]), hashlib.sha512) for number in (1, 2)
    )[:_KEYS_BYTES]
    _OpenSsl().control(_pointer(context), _SET_KEYS, _KEYS_BYTES, keys)
    keep_no_sessions(context)


def keep_no_sessions(context: ssl.SSLContext) -> None:
    """Have a context keep no session in memory. Only where `keys_can_be_set`."""
    _OpenSsl().control(_pointer(context), _SET_CACHE_MODE, _CACHE_OFF, None)


@cache
def keys_can_be_set() -> bool:
    """Whether `set_ticket_keys` does what it says with this Python and this OpenSSL.

    Asked in a child. Only for a process without threads.
    """
    if sys.implementation.name != "cpython":
        return False
    # A signal to the whole group must not reach handlers that are meant for the parent alone.
    old_mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        _OpenSsl()
        pid = os.fork()
        if pid == 0:
            _end_with(_try_out)
        return os.waitpid(pid, 0)[1] == 0
    except (OSError, AttributeError):
        return False
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old_mask)


def _end_with(trial: Callable[[], bool]) -> NoReturn:
    status = 1
    with suppress(BaseException):
        faulthandler.disable()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        status = int(not trial())
    os._exit(status)


def _try_out() -> bool:
    """Look for a context where it ought to be. May crash."""
    library, buffer = _OpenSsl(), ctypes.create_string_buffer(_KEYS_BYTES)
    context, other = (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) for _ in range(2))
    for options in (context.options, context.options ^ _TRIED_OPTION):
        context.options = options
        if library.options(_pointer(context)) != options:
            return False

    def read_keys(asked: ssl.SSLContext) -> bytes:
        library.control(_pointer(asked), _GET_KEYS, _KEYS_BYTES, buffer)
        return buffer.raw

    if library.control(_pointer(context), _GET_KEYS, 0, None) != _KEYS_BYTES:
        return False
    own = read_keys(context)
    set_ticket_keys(context, b"secret", b"purpose")
    set_ticket_keys(other, b"secret", b"purpose")
    return own != read_keys(context) == read_keys(other)
