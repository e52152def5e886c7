"""A mail server that takes letters by TLS alone, from whoever has the password, and keeps them."""

import base64
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from queue import Queue
from typing import cast

USERNAME, PASSWORD = "login", "of-the-letters"


class Server(socketserver.ThreadingTCPServer):
    """A server on the loopback."""

    daemon_threads = True

    def __init__(self, certificate: Path, key: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.letters: Queue[EmailMessage] = Queue()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Session(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        """RFC 5321 as far as a letter needs it."""
        known = False
        self._say("220 localhost")
        while line := self.rfile.readline().decode().strip():
            command, _, rest = line.partition(" ")
            match command.upper():
                case "EHLO":
                    self._say("250-localhost", "250 AUTH PLAIN")
                case "AUTH":
                    proof = rest.removeprefix("PLAIN").strip() or self._asked("334 ")
                    known = base64.b64decode(proof).split(b"\0")[1:] == [USERNAME.encode(), PASSWORD.encode()]
                    self._say("235 known" if known else "535 unknown")
                case "DATA" if known:
                    self._say("354 go on")
                    lines = []
                    while (text := self.rfile.readline()) not in (b".\r\n", b""):
                        lines.append(text)
                    letter = message_from_bytes(b"".join(lines), policy=policy.default)
                    cast("Server", self.server).letters.put(letter)
                    self._say("250 taken")
                case "QUIT":
                    self._say("221 bye")
                    return
                case _:
                    self._say("250 fine" if known else "530 who are you?")

    def _say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())

    def _asked(self, question: str) -> str:
        self._say(question)
        return self.rfile.readline().decode().strip()


@contextmanager
def server(certificate: Path, key: Path) -> Iterator[Server]:
    """A server for as long as the context lasts."""
    with Server(certificate, key) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield running
        running.shutdown()
