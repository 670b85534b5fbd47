"""Where connections go: the backends' names and addresses, and connecting to them.

Reading order: `attempt` (one client on its way to a backend), `pool` with `backend` and
`client_queue` (whom it gets, or waits for), `shared_room` (what other workers have),
`address_order` (at which address); `health`, `probe`, `checker` (who is fit for use); `group`,
`membership`, `lookups` (who there is); `resolver`, `resolved`, `dns`, `srv_target` (their
addresses).

How a session gets its backend, in order:

1. `Session.start` makes an `Attempt` and starts it.
2. `BackendPool.choose` names a backend, or says that all are full; then the attempt joins the
   `ClientQueue`, which starts it again when a backend has room (`Attempt.retry`).
3. `Dial` (in `loop`), or `Race` where there are several addresses, connects to them in the order of
   `AddressOrder`, and tells the attempt of each that does not answer (`attempt_failed`; the session
   hears `connect_failed`), and of the outcome (`connected` or `dial_failed`). After a failure it is
   back at 2 with another backend.
4. The attempt writes a PROXY header, if the backend wants one, and hands socket and backend to the
   session (`connected`). If it has nobody left to try, it tells why (`not_connected`).
5. After closing its sockets the session gives the backend back (`BackendPool.give_back`), and
   those who wait ask again.

Tested by tests/upstream, and by tests/proxy (test_balance, test_queue, test_health,
test_connect_failures, test_discovery).
"""
