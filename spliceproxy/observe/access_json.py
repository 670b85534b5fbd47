"""The line of a connection as JSON.

Written out by hand: what the general encoder does for a dictionary takes three times as long, and
a short connection costs little more than that in all. A test holds it to `ConnectionRecord.line`.
"""

from collections.abc import Callable
from json.encoder import encode_basestring_ascii as _text

from spliceproxy.formats.timestamps import timestamp
from spliceproxy.observe.connection import ConnectionRecord
from spliceproxy.observe.json_lines import encode_json


def json_renderer(worker: int, generation: int) -> Callable[[ConnectionRecord], bytes]:
    """Return what makes a line of a record, in a worker."""
    head = f'"level":"info","event":"connection","worker":{worker},"generation":{generation}'

    def render(record: ConnectionRecord) -> bytes:
        return (
            f'{{"timestamp":"{timestamp()}",{head}'
            f',"route":{_text(record.route)}'
            f',"listener":{_text(record.listener)}'
            f',"client":{_text(record.client)}'
            f',"peer":{_text_or_null(record.peer)}'
            f',"server_name":{_text_or_null(record.server_name)}'
            f',"tls":{"null" if record.tls is None else encode_json(record.tls)}'
            f',"tlvs":{"null" if record.tlvs is None else encode_json(record.tlvs)}'
            f',"backend":{_text(record.backend)}'
            f',"attempts":{record.attempts}'
            f',"queue_s":{_seconds_or_null(record.queue_s)}'
            f',"connect_s":{_seconds_or_null(record.connect_s)}'
            f',"duration_s":{record.duration_s:.6f}'
            f',"request_bytes":{record.request_bytes}'
            f',"response_bytes":{record.response_bytes}'
            f',"undelivered_bytes":{record.undelivered_bytes}'
            f',"spliced_bytes":{record.spliced_bytes}'
            f',"copied_bytes":{record.copied_bytes}'
            f',"reason":"{record.reason}"'
            f',"closed_by":"{record.closed_by}"'
            f',"termination":"{record.termination}"'
            f',"mirrors":{"null" if record.mirrors is None else encode_json(record.mirrors)}}}\n'
        ).encode()

    return render


def _text_or_null(text: str | None) -> str:
    return "null" if text is None else _text(text)


def _seconds_or_null(seconds: float | None) -> str:
    return "null" if seconds is None else f"{seconds:.6f}"
