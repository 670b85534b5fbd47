"""What an option of the command and a key of a routes file say in the same words: once.

Without pydantic, for which `--help` does not wait.
"""

CONNECT_TIMEOUT = "Give up on a backend after this."
IDLE_TIMEOUT = "Close a connection that is silent in both directions for this long."
TCP_USER_TIMEOUT = (
    "Drop a peer that acknowledges nothing for this long; 0s is the kernel's own rule."
)
DRAIN_TIMEOUT = (
    "When asked to stop, let connections finish for this long; during the last third the rest "
    "is reset bit by bit."
)
DRAIN_DELAY = (
    "When asked to stop, serve new clients for this long before, while /readyz says 503: a "
    "balancer is to send no more of them."
)
RELOAD_DRAIN_TIMEOUT = (
    "After a reload, let the connections from before it go on for this long; during the last "
    "third the rest is reset bit by bit."
)
MAX_GENERATIONS = (
    "Earlier generations that may keep connections, and so their workers; when a reload "
    "makes one more, the connections of the oldest are reset within 3s."
)
WORKERS = "Worker processes; 'auto' is one for each CPU that affinity and control groups allow."
BACKLOG = "Connections that may wait to be accepted; net.core.somaxconn is the ceiling."
USER = (
    "Run workers, the admin process and commands of mirrors as this user, a name or number, "
    "without any of root's rights. Takes a start as root, or as that user."
)
GROUP = "Their group, and no other. Without it: all groups of the user."
SANDBOX = (
    "With a user: 'auto' has the kernel hold them back from all files but those that they need, "
    "by Landlock, where it can; 'off' does not."
)
STRICT_NAMES = (
    "Refuse to start or reload if any name of a backend or mirror does not resolve, not only where "
    "a route has no other backend."
)
RAISE_NOFILE = "Lift the limit on open files as far as it is needed and allowed."
MIRROR_BUDGET = "Per worker: bytes that all mirrors together may lag behind."
MIRROR_BUDGET_DEFAULT = "an eighth of the memory, divided among the workers; at most 1GiB each"
ANY_ADDRESS = "A port alone is every IPv4 and IPv6 address; port 0 lets the kernel choose."
LOG_FORMAT = "'auto' is console on a terminal and JSON otherwise."
LOG_LEVEL = "'info' has one line for each connection."
ACCESS_LOG_FORMAT = "'auto' is as for the log; 'haproxy-tcp' is HAProxy's 'option tcplog'."
ADMIN_INSECURE = "Without a token let everybody look who can connect. Nobody gives orders then."
TLS_KEY = (
    "The certificate's private key, which others must not be able to read. Without it: in its file."
)
SELF_SIGNED = "for trying it out. Its fingerprint is in the log."
