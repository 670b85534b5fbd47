"""Taking lines from what a client sends, and commands from a line."""

MAX_LINE_BYTES = 16 << 10
"""As HAProxy's default tune.bufsize."""


class TooLongError(ValueError):
    """A line has no end within `MAX_LINE_BYTES`."""


class LineReader:
    """Keeps what has come of a line, which is never more than one line may have."""

    def __init__(self) -> None:
        self._begun = bytearray()

    def feed(self, data: bytes) -> list[str]:
        """Return the lines that are complete now.

        Raises:
            TooLongError: one of them is too long; the reader is of no use any more.
        """
        *ended, begun = (bytes(self._begun) + data).split(b"\n")
        if any(len(line) > MAX_LINE_BYTES for line in (*ended, begun)):
            raise TooLongError
        self._begun = bytearray(begun)
        return [_text(line) for line in ended]

    def finish(self) -> list[str]:
        """Return the last line, if the client has left out its end."""
        begun, self._begun = bytes(self._begun), bytearray()
        return [_text(begun)] if begun else []


def _text(line: bytes) -> str:
    return line.removesuffix(b"\r").decode(errors="replace")


def split_commands(line: str) -> list[list[str]]:
    """Return the words of each command of a line.

    Commands end at `;`, words at blanks; a backslash takes the meaning off the character behind
    it ("9.3. Unix Socket commands" of HAProxy's management guide).
    """
    commands: list[list[str]] = [[]]
    word: list[str] | None = None
    characters = iter(line)
    for character in characters:
        if character.isspace() or character == ";":
            if word is not None:
                commands[-1].append("".join(word))
                word = None
            if character == ";":
                commands.append([])
        else:
            word = word or []
            word.append(next(characters, "") if character == "\\" else character)
    if word is not None:
        commands[-1].append("".join(word))
    if len(commands) > 1 and not commands[-1]:
        commands.pop()
    return commands
