"""From the chunks of a stream to its lines, whatever their length: a watch event is one line, often of many KiB.

In: chunks, cut anywhere. Out: complete lines without their line feed. Rule: what has no line feed is no line; a stream
that ends in the middle of an event never yields half of it.
"""

MAX_LINE = 64 * 1024 * 1024
"""Bytes; the API server stores no object above a few MiB, so a longer line is no event and must not fill the memory."""


class LineTooLongError(Exception):
    """The stream has sent MAX_LINE bytes without a line feed."""


class LineSplitter:
    """Cuts one stream into lines; the unfinished line is kept as it came, so a long one is copied only once."""

    def __init__(self, max_line: int = MAX_LINE) -> None:
        self._max_line = max_line
        self._rest: list[bytes] = []
        self._rest_length = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take the next chunk and give the lines that it completes.

        Raises:
            LineTooLongError: a line has become longer than allowed.
        """
        first, *others = chunk.split(b"\n")
        self._rest.append(first)
        self._rest_length += len(first)
        if self._rest_length > self._max_line:
            raise LineTooLongError(f"a line of more than {self._max_line} bytes: this is no Kubernetes API server")
        if not others:
            return []
        lines = [b"".join(self._rest), *others]
        last = lines.pop()
        self._rest, self._rest_length = [last], len(last)
        return [line for line in lines if line]
