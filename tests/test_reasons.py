import errno

import pytest

from spliceproxy.reasons import name_error


@pytest.mark.parametrize(
    ("side", "number", "name"),
    [
        ("client", errno.ECONNRESET, "client_reset"),
        ("client", errno.EPIPE, "client_reset"),
        ("backend", errno.ENOTCONN, "backend_reset"),
        ("backend", errno.ECONNREFUSED, "backend_refused"),
        ("backend", errno.ETIMEDOUT, "backend_timed_out"),
        ("backend", errno.ENETUNREACH, "backend_unreachable"),
        ("backend", errno.ENOENT, "backend_absent"),
        ("backend", errno.EACCES, "backend_forbidden"),
        ("backend", errno.EADDRNOTAVAIL, "no_local_port"),
        ("client", errno.ENOMEM, "no_memory"),
        ("backend", errno.EMFILE, "no_descriptors"),
        ("client", errno.EIO, "client_eio"),
        ("client", 0, "client_0"),
        ("client", 99_999, "client_99999"),
    ],
)
def test_errors_have_names_that_say_whose_they_are(side: str, number: int, name: str) -> None:
    assert name_error(side, number) == name
