"""TLS clients that ask for other keys, or another handshake, which Python's ssl cannot do."""

import ctypes
import socket

_UPDATE_REQUESTED = 1  # SSL_KEY_UPDATE_REQUESTED, SSL_key_update(3)
_SET_MAX_VERSION, _TLS_1_2 = 124, 0x0303  # SSL_CTRL_SET_MAX_PROTO_VERSION in <openssl/ssl.h>


def load() -> ctypes.CDLL | None:
    """Return OpenSSL's library, if it is there by its name."""
    try:
        library = ctypes.CDLL("libssl.so.3")
    except OSError:
        return None
    pointer, number = ctypes.c_void_p, ctypes.c_int
    for name, result, arguments in (
        ("TLS_client_method", pointer, []),
        ("SSL_CTX_new", pointer, [pointer]),
        ("SSL_CTX_free", None, [pointer]),
        ("SSL_new", pointer, [pointer]),
        ("SSL_free", None, [pointer]),
        ("SSL_set_fd", number, [pointer, number]),
        ("SSL_connect", number, [pointer]),
        ("SSL_key_update", number, [pointer, number]),
        ("SSL_do_handshake", number, [pointer]),
        ("SSL_CTX_ctrl", ctypes.c_long, [pointer, number, ctypes.c_long, pointer]),
        ("SSL_renegotiate", number, [pointer]),
        ("SSL_write", number, [pointer, ctypes.c_char_p, number]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def ask_for_keys(library: ctypes.CDLL, sock: socket.SocketType, times: int) -> None:
    """Connect by TLS, ask so many times, each in a record, and say `done`. Blocks."""
    context = library.SSL_CTX_new(library.TLS_client_method())
    tls = library.SSL_new(context)
    try:
        library.SSL_set_fd(tls, sock.fileno())
        assert library.SSL_connect(tls) == 1
        for _ in range(times):
            library.SSL_key_update(tls, _UPDATE_REQUESTED)
            if library.SSL_do_handshake(tls) != 1:
                return
        library.SSL_write(tls, b"done", 4)
    finally:
        library.SSL_free(tls)
        library.SSL_CTX_free(context)


def renegotiate(library: ctypes.CDLL, sock: socket.SocketType) -> bool:
    """Connect by TLS 1.2, and ask for another handshake; whether there was one. Blocks."""
    context = library.SSL_CTX_new(library.TLS_client_method())
    library.SSL_CTX_ctrl(context, _SET_MAX_VERSION, _TLS_1_2, None)
    tls = library.SSL_new(context)
    try:
        library.SSL_set_fd(tls, sock.fileno())
        assert library.SSL_connect(tls) == 1
        assert library.SSL_renegotiate(tls) == 1
        return bool(library.SSL_do_handshake(tls) == 1)
    finally:
        library.SSL_free(tls)
        library.SSL_CTX_free(context)
