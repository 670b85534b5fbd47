"""An echo server for thousands of connections; run as a program, it prints its port."""

import resource
import select
import socket


def echo(connection: socket.socket) -> bool:
    """Send back what has arrived; False when nothing more will."""
    try:
        received = connection.recv(4096)
        connection.sendall(received)
    except ConnectionError:
        return False
    return bool(received)


def main() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    connections: dict[int, socket.socket] = {}
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listener, select.epoll() as epoll:
        print(listener.getsockname()[1], flush=True)  # noqa: T201 - read by the test
        epoll.register(listener, select.EPOLLIN)
        while True:
            for descriptor, _ in epoll.poll():
                if descriptor == listener.fileno():
                    connection, _ = listener.accept()
                    connections[connection.fileno()] = connection
                    epoll.register(connection, select.EPOLLIN)
                elif not echo(connections[descriptor]):
                    connections.pop(descriptor).close()


if __name__ == "__main__":
    main()
