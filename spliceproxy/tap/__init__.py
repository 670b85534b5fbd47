"""Copies of what flows have taken, on their way to whoever wants them.

Reading order: `copy_receiver` (who gets copies), `chunk` (what holds one), `tap_pipes` (how one is
made), `fan_out` (all receivers of one flow), `tapped_flow` (a flow that has a tap), `succession`
(which flow goes on in the place of another one, and when: the table of all transitions).
Tested by tests/tap, and with the sinks by tests/mirroring.
"""
