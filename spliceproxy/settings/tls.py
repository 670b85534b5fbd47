"""The settings of TLS: towards clients, at a listener, and towards a backend.

What is in the files that they name is looked at by `spliceproxy.tls`.
"""

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from spliceproxy.errors import quote
from spliceproxy.settings import help_texts
from spliceproxy.settings.fields import Flag, choice, described, one_of, reads
from spliceproxy.settings.model import Model
from spliceproxy.settings.shapes import NotEmpty, OneOrMany, Shorthand
from spliceproxy.settings.sni import Protocol
from spliceproxy.settings.tls_texts import (
    CIPHER_PROFILES,
    parse_cipher,
    parse_file_path,
    parse_peer_name,
    parse_pin,
    parse_rule,
)

TlsVersion = Literal["1.2", "1.3"]

FilePath = Annotated[str, reads(parse_file_path), described("file", {"type": "string"})]
_Cipher = Annotated[
    str, reads(parse_cipher), described("profile or cipher suite", {"type": "string"})
]
_Pin = Annotated[str, reads(parse_pin), described("pin", {"type": "string"})]
_Rule = Annotated[str, reads(parse_rule), described("text", {"type": "string"})]
_Rules = Annotated[tuple[_Rule, ...], OneOrMany()]
_PeerName = Annotated[
    str, reads(parse_peer_name), described("name or IP address", {"type": "string"})
]
_Version = Annotated[
    TlsVersion,
    reads(one_of("1.2", "1.3")),
    described("one of", {"enum": ["1.2", "1.3"]}, {"enum": [1.2, 1.3]}),
]
_Require = Annotated[
    Literal["true", "optional"],
    reads(one_of("true", "optional")),
    described("true or optional", {"enum": ["true", "optional"]}, {"const": True}),
]


_StartTls = Annotated[Literal["postgres", "smtp", "imap"], *choice("postgres", "smtp", "imap")]


class TlsVersions(Model):
    """What is spoken, whichever side begins."""

    alpn: Annotated[tuple[Protocol, ...], OneOrMany()] = Field(
        default=(),
        description="Protocols to agree on (ALPN), such as `h2` and `http/1.1`, the preferred one "
        "first. Without it: none.",
    )
    min_version: _Version = Field(default="1.2", description="The lowest version of TLS.")
    ciphers: Annotated[tuple[_Cipher, ...], NotEmpty(), OneOrMany()] = Field(
        default=("intermediate",),
        description="`intermediate` or `modern` (TLS 1.3 alone), by Mozilla's guideline, or a list "
        "of cipher suites of TLS 1.2 by OpenSSL's names. Those of TLS 1.3 are OpenSSL's own.",
    )
    starttls: _StartTls | None = Field(
        default=None,
        description="How TLS begins, where that is not with the first byte: `postgres`, `smtp` or "
        "`imap`. See [protocols that ask for TLS](starttls.md).",
    )
    watch: Flag = Field(
        default=False,
        description="Reload by itself when one of the files of this mapping has changed.",
    )

    @field_validator("ciphers")
    @classmethod
    def _is_one_profile(cls, ciphers: tuple[str, ...]) -> tuple[str, ...]:
        profiles = [name for name in ciphers if name in CIPHER_PROFILES]
        if profiles and len(ciphers) > 1:
            raise ValueError(
                f"{quote(profiles[0])} stands for a whole list: expected it alone, or names alone"
            )
        return ciphers

    @property
    def lowest_version(self) -> TlsVersion:
        """With what the ciphers imply."""
        return "1.3" if self.ciphers == ("modern",) else self.min_version


class CertificateSettings(Model):
    """A certificate with its key, or a directory of them."""

    certificate: FilePath = Field(
        description="The certificate, then those between it and the authority, in one PEM file. Or "
        "a directory of such files; see [TLS](tls.md#certificates)."
    )
    key: FilePath | None = Field(default=None, description=help_texts.TLS_KEY)


class ClientRules(Model):
    """Clients that are let in by what their certificate says: one match is enough."""

    cn: _Rules = Field(default=(), description="Common names of the subject.")
    ou: _Rules = Field(default=(), description="Organisational units of the subject.")
    dns: _Rules = Field(
        default=(), description="Names of hosts; `*.example.org` is every name one level below."
    )
    uri: _Rules = Field(
        default=(),
        description="URIs, as of SPIFFE; one that ends in `/*` is everything below.",
    )
    spki: Annotated[tuple[_Pin, ...], OneOrMany()] = Field(
        default=(), description="Public keys, `sha256//BASE64` as for curl's `--pinnedpubkey`."
    )

    @model_validator(mode="after")
    def _says_something(self) -> "ClientRules":
        if not (self.cn or self.ou or self.dns or self.uri or self.spki):
            raise ValueError("lets nobody in: expected one of cn, ou, dns, uri and spki")
        return self


class TlsListen(TlsVersions):
    """TLS with the clients of a listener."""

    certificate: FilePath | None = Field(
        default=None, description="As the only one of `certificates`, or its first."
    )
    key: FilePath | None = Field(default=None, description=help_texts.TLS_KEY)
    certificates: Annotated[
        tuple[Annotated[CertificateSettings, Shorthand("certificate")], ...], OneOrMany()
    ] = Field(
        default=(),
        description="Certificates, of which the client's server name chooses: the exact name, then "
        "a wildcard, then the first of all. Each a mapping, or the file, or directory, alone.",
    )
    self_signed: Flag = Field(
        default=False,
        description=f"Make a certificate at each start and reload, {help_texts.SELF_SIGNED}",
    )
    tickets: Flag = Field(
        default=True, description="Let clients resume their sessions, at any worker."
    )
    client_ca: FilePath | None = Field(
        default=None,
        description="Ask clients for certificates, by the authorities of this PEM file.",
    )
    require: _Require | None = Field(
        default=None,
        description="`true`: clients without a certificate are refused. `optional`: they are let "
        "in; a wrong one is refused. Without it, with `client_ca`: `true`.",
    )
    crl: FilePath | None = Field(
        default=None,
        description="Certificates of clients that are revoked, as lists of the authorities in one "
        "PEM file.",
    )
    clients: ClientRules | None = Field(
        default=None,
        description="Which clients are let in. Without it: all whose certificate is valid.",
    )

    @field_validator("key")
    @classmethod
    def _key_of_something(cls, key: str | None, info: ValidationInfo) -> str | None:
        if key is not None and info.data.get("certificate", key) is None:
            raise ValueError("has no effect without `certificate`: expected both")
        return key

    @field_validator("self_signed")
    @classmethod
    def _instead_of_files(cls, value: bool, info: ValidationInfo) -> bool:  # noqa: FBT001 - pydantic's
        if value and (info.data.get("certificate") or info.data.get("certificates")):
            raise ValueError("there is a certificate already: expected one of them")
        return value

    @field_validator("require", "crl", "clients")
    @classmethod
    def _only_with_authority(cls, value: object, info: ValidationInfo) -> object:
        if value is not None and info.data.get("client_ca", value) is None:
            raise ValueError("has no effect without `client_ca`: expected both")
        return value

    @model_validator(mode="after")
    def _has_certificate(self) -> "TlsListen":
        if not (self.self_signed or self.pairs):
            raise ValueError(
                "has no certificate: expected certificate, certificates or self_signed"
            )
        return self

    @property
    def pairs(self) -> tuple[CertificateSettings, ...]:
        """All certificates, the first one for clients whose name none of them has."""
        if self.certificate is None:
            return self.certificates
        return (CertificateSettings(certificate=self.certificate, key=self.key), *self.certificates)

    @property
    def asks_clients(self) -> bool:
        """Whether clients are asked for certificates."""
        return self.client_ca is not None

    @property
    def requires_certificate(self) -> bool:
        """Whether clients without a certificate are refused."""
        return self.asks_clients and self.require != "optional"


class TlsDial(TlsVersions):
    """TLS with a backend."""

    verify: Flag = Field(
        default=True,
        description="Check that the certificate is valid and has the backend's name. `false` "
        "encrypts to whoever answers.",
    )
    ca: FilePath | None = Field(
        default=None,
        description="The authorities that are trusted, in a PEM file. Without it: the system's.",
    )
    name: _PeerName | None = Field(
        default=None,
        description="What the certificate has to be for, and the server name that is asked for. "
        "Without it: the host of the backend's address.",
    )
    certificate: FilePath | None = Field(
        default=None,
        description="To show to the backend: the certificate, then those between it and the "
        "authority, in one PEM file.",
    )
    key: FilePath | None = Field(default=None, description=help_texts.TLS_KEY)

    @field_validator("ca")
    @classmethod
    def _only_with_check(cls, ca: str | None, info: ValidationInfo) -> str | None:
        if ca is not None and info.data.get("verify") is False:
            raise ValueError("has no effect with `verify: false`: expected one of them")
        return ca

    @field_validator("key")
    @classmethod
    def _key_of_certificate(cls, key: str | None, info: ValidationInfo) -> str | None:
        if key is not None and info.data.get("certificate", key) is None:
            raise ValueError("has no effect without `certificate`: expected both")
        return key
