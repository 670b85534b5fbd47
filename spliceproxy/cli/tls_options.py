"""The options of the proxy command for TLS with clients."""

from spliceproxy.cli.readers import reads, setting
from spliceproxy.errors import UsageProblem
from spliceproxy.settings import help_texts
from spliceproxy.settings.tls_texts import parse_file_path

TLS_OPTIONS = (
    setting(
        "--tls-certificate",
        "tls_certificate",
        default=None,
        callback=reads(parse_file_path),
        metavar="FILE",
        help="Speak TLS with clients, and show them this certificate (PEM, with those between it "
        "and the authority); or one of a directory, by the name that they ask for.",
    ),
    setting(
        "--tls-key",
        "tls_key",
        default=None,
        callback=reads(parse_file_path),
        metavar="FILE",
        help=help_texts.TLS_KEY,
    ),
    setting(
        "--self-signed/--no-self-signed",
        "self_signed",
        default=False,
        help="Speak TLS with clients by a certificate that is made at the start, "
        f"{help_texts.SELF_SIGNED}",
    ),
)


def check_tls(certificate: str | None, key: str | None, *, self_signed: bool) -> None:
    """Refuse what says nothing, or two things at once."""
    if key is not None and certificate is None:
        raise UsageProblem("--tls-key: has no effect without --tls-certificate", "expected both")
    if self_signed and certificate is not None:
        raise UsageProblem("--self-signed: there is a certificate already", "expected one of them")
