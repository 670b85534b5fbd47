"""`python -m tools.documentation.access_log` writes docs/access-log.md with the code's reasons."""

from pathlib import Path

from spliceproxy.observe.syslog import MAX_MESSAGE_BYTES
from spliceproxy.observe.termination import CAUSES, OTHER_ERRORS, Cause

PAGE = Path(__file__).resolve().parents[2] / "docs" / "access-log.md"

KEYS = {
    "timestamp": "when the line was written, RFC 3339 in UTC, to the microsecond",
    "level": "`info`",
    "event": "`connection`",
    "worker": "the number of the worker process",
    "generation": "how many reloads there were before that worker",
    "route": "the route's name",
    "listener": "where the client was accepted: `HOST:PORT`, `[IPV6]:PORT` or `unix:PATH`",
    "client": "the client: `HOST:PORT`, `[IPV6]:PORT` or `unix`; where another proxy speaks for it "
    "by PROXY protocol, the one that it names",
    "peer": "who connected to the listener, if that is such a proxy; else null",
    "server_name": "the name that the client's TLS hello asks for; null where nobody looks for it, "
    "or there is none",
    "tls": "what the TLS handshake with the client has agreed on, where it ends in this proxy: "
    "`version`, `cipher`, and `alpn`, `client_cn`, `resumed` if there is any; else null",
    "tlvs": "what the PROXY header (version 2) of the proxy before has told of the client besides "
    "its addresses; see [behind another proxy](operations.md#behind-another-proxy); null if there "
    "is nothing",
    "backend": "the address that was connected; empty if none was",
    "attempts": "how many connects were tried",
    "queue_s": "seconds in the queue for room at a backend; null without a queue",
    "connect_s": "seconds from when the client was let in until a backend had answered, with those "
    "in the queue; null if none did",
    "duration_s": "seconds from the accept to the end",
    "request_bytes": "bytes that the backend's socket has taken",
    "response_bytes": "bytes that the client's socket has taken",
    "undelivered_bytes": "bytes read from one side and lost with the other",
    "spliced_bytes": "of the bytes delivered, those that stayed inside the kernel",
    "copied_bytes": "of the bytes delivered, those that went through the process",
    "reason": "why it ended; see below",
    "closed_by": "who ended it first: `client`, `backend` or `proxy`",
    "termination": "the reason as HAProxy's two letters",
    "mirrors": "for each stream to a [mirror](mirroring.md): its sink, direction, bytes offered, "
    "delivered, dropped and queued, state and reason; of one that was attached also the `offset` "
    "in the stream where it begins; of one whose answers are recorded what became of those, in "
    "`answers`; null without a mirror",
}

_INTRODUCTION = f"""\
# The access log

This page is written by `python -m tools.documentation.access_log` from the tables that the log
itself uses.

Each connection has one line, written when it has ended, or when the copies of it have reached
their mirrors. Clients that are turned away before they get to a route's backends are told together
instead (`clients_refused` in the log), and connections of a worker that has died are counted (see
[workers that die](operations.md#workers-that-die)).

## Where it goes

`--access-log PLACE`, or `access_log:` in a routes file; `--log-to PLACE` and `log: {{to: …}}` for
the log itself.

| place | meaning |
|---|---|
| `log` | with the log, at level `info`: the default. In a place of its own it knows no level |
| `none` | nowhere; also `access_log: false` |
| `stdout`, `stderr` | a stream that the process was started with |
| `file:/PATH` | a file, appended to |
| `syslog` | the daemon at `/dev/log`; `syslog:unix:/PATH` for another unix datagram socket |
| `syslog:udp://HOST:PORT` | a daemon on the network; its name is looked up once, at the start |

```yaml
log: {{to: syslog, level: warning}}
access_log: {{to: "file:/var/log/spliceproxy/access.log", format: haproxy-tcp}}
```

The traffic never waits for a reader: up to 8 MiB of lines do, in each process. What does not fit,
or cannot be delivered, is dropped, and counted in a line (`log_lines_dropped`) where it is missing.

**Files** are opened by the master, mode 0640 less the umask. Lines of all workers go to the same
file and stay whole. After SIGUSR1 the master opens the name again, for its workers too, so
logrotate's `postrotate` sends that; lines that were on their way are in the file that was renamed.
A name that cannot be opened is an error (`log_not_reopened`), and the old file stays in use. The
name must not be a symbolic link, FIFO or device. Root does not log into a directory that is another
user's, or that all may write into without its sticky bit, nor into a file that is another user's or
has a second name: who could redirect the lines could have root write anywhere. Directories on the
way should be root's, too. A disk
that hangs holds up the worker that writes to it; syslog and pipes never do.

A reload may change places and forms: the new workers write to the new ones, the old ones finish
with those that they have. A place that cannot be opened refuses the reload.

**syslog** messages have facility `daemon` and the line's severity. Over UDP they follow RFC 5424;
at a unix socket they have the form of syslog(3), the only one that journald and rsyslog read
there. A message has at most {MAX_MESSAGE_BYTES} bytes, and says how many are missing. A daemon that
is slow is waited for within the bound above, one that is started again is found; over UDP the
kernel tells only that a host refuses.

## JSON

The keys are always all there. New ones may be added; none goes or changes its meaning without a
word in the list of changes.

| key | meaning |
|---|---|
"""

_HAPROXY = """\

## HAProxy's format

`format: haproxy-tcp` is the line of HAProxy's `option tcplog`, for parsers that know it:

    192.0.2.7:40112 [24/Nov/2026:08:00:01.123] web web/10.0.0.1:80 0/1/2041 5120 -- 3/2/1/1/0 0/0

These are the client, the time of the accept (local), the route as frontend and as backend, the
backend as it is configured, milliseconds in the queue, for the connect and in all, bytes to the
client, the termination, open connections (of this worker, of the route, of the route's backends
and of this backend), retries, and the lengths of queues, which are always told as 0. In HAProxy's
manner the first two of the open ones include this connection. A connection that met no backend
has `<NOSRV>`. A gap is told by a line `log_lines_dropped count=N`.

## Why a connection ended

The second letter of `termination` is the phase: `R` before the route was decided, `Q` in a queue,
`C` while a backend was connected, `D` after that.

| `reason` | `termination` | `closed_by` | meaning | what the peers see |
|---|---|---|---|---|
"""

_END = """
Between unix sockets there is no reset. A unix peer sees an abnormal end as an error only when it
has sent bytes that were not read; otherwise as an end of stream. Use TCP where the difference
matters.
"""


def page() -> str:
    """Return the whole page."""
    keys = "".join(f"| `{key}` | {meaning} |\n" for key, meaning in KEYS.items())
    rows = "".join(_row(why, cause) for why, cause in {**CAUSES, **OTHER_ERRORS}.items())
    return _INTRODUCTION + keys + _HAPROXY + rows + _END


def _row(why: str, cause: Cause) -> str:
    letters = "--" if cause.letter == "-" else f"{cause.letter}…"
    closed_by = f"`{cause.closed_by}`" if cause.closed_by else "whose stream ended first"
    return f"| `{why}` | `{letters}` | {closed_by} | {cause.meaning} | {cause.peers_see} |\n"


if __name__ == "__main__":
    PAGE.write_text(page())
