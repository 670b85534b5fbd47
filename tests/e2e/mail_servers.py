"""Small mail servers: SMTP and IMAP, in plaintext, by TLS, or by STARTTLS."""

import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class MailServer:
    """A server of one protocol; what it has heard is kept."""

    protocol: str
    """`smtp` or `imap`."""
    tls: ssl.SSLContext | None = None
    at_once: bool = False
    """TLS from the first byte, instead of by STARTTLS."""
    commands: list[str] = field(default_factory=list)
    """By TLS with `+` in front."""
    mails: list[bytes] = field(default_factory=list)
    port: int = 0


class _Conversation(socketserver.BaseRequestHandler):
    """What both protocols have in common."""

    def setup(self) -> None:
        assert isinstance(self.server, _Server)
        self.mail = self.server.mail
        self.is_secured = False
        if self.mail.at_once:
            self.secure()
        self.file = self.request.makefile("rb")

    def secure(self) -> None:
        assert self.mail.tls is not None
        self.request = self.mail.tls.wrap_socket(self.request, server_side=True)
        self.file = self.request.makefile("rb")
        self.is_secured = True

    def say(self, *lines: str) -> None:
        self.request.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def hear(self) -> str | None:
        line = self.file.readline()
        if not line:
            return None
        text: str = line.decode().strip()
        self.mail.commands.append(("+" if self.is_secured else "") + text)
        return text

    def finish(self) -> None:
        self.file.close()
        self.request.close()

    @property
    def offers_tls(self) -> bool:
        return self.mail.tls is not None and not self.is_secured


class _Smtp(_Conversation):
    def handle(self) -> None:
        self.say("220-backend.example greets", "220 backend.example ESMTP")
        while (command := self.hear()) is not None:
            match command.split(":")[0].split()[0].upper():
                case "EHLO":
                    self.say("250-backend.example", *["250-STARTTLS"] * self.offers_tls, "250 HELP")
                case "STARTTLS":
                    self.say("220 go ahead")
                    self.secure()
                case "DATA":
                    self.say("354 go on")
                    mail = b"".join(iter(self.file.readline, b".\r\n"))
                    self.mail.mails.append(mail)
                    self.say("250 taken")
                case "QUIT":
                    self.say("221 bye")
                    return
                case _:
                    self.say("250 ok")


class _Imap(_Conversation):
    def handle(self) -> None:
        able = "CAPABILITY IMAP4rev1" + " STARTTLS LOGINDISABLED" * self.offers_tls
        self.say(f"* OK [{able}] backend.example ready")
        while (line := self.hear()) is not None:
            tag, command, *_ = line.split()
            match command.upper():
                case "CAPABILITY":
                    more = " STARTTLS LOGINDISABLED" if self.offers_tls else " AUTH=PLAIN"
                    self.say(f"* CAPABILITY IMAP4rev1{more}", f"{tag} OK done")
                case "STARTTLS":
                    self.say(f"{tag} OK go ahead")
                    self.secure()
                case "LOGOUT":
                    self.say("* BYE", f"{tag} OK done")
                    return
                case _:
                    self.say(f"{tag} OK done")


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, mail: MailServer) -> None:
        self.mail = mail
        super().__init__(("127.0.0.1", 0), _Smtp if mail.protocol == "smtp" else _Imap)

    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever breaks off has its reasons: tests look at what clients see."""


@contextmanager
def mail_server(
    protocol: str, tls: ssl.SSLContext | None = None, *, at_once: bool = False
) -> Iterator[MailServer]:
    """Serve until the block ends."""
    mail = MailServer(protocol, tls, at_once=at_once)
    with _Server(mail) as server:
        mail.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield mail
        finally:
            server.shutdown()
            thread.join()
