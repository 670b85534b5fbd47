"""What the program tells about itself, and how telling it never gets in the way of traffic.

Reading order:

1. The log: `log` (the pipeline), `levels`, `line_buffer` (lines that wait for their reader);
   `open_destination` (where they go) with `log_outlet`, `log_file`, `syslog`, `syslog_outlet`;
   `logs`, all that a configuration logs to.
2. The lines of connections: `connection`, `access_log` with `access_json` and `haproxy_line`;
   `termination`, why connections end.
3. Counters: `tally` adds, in the shared table; `status_reader` sums them up (`sums`) as a
   `status`, with what is there and what is gone (`listed_backends`).
4. `service_manager`, who started the command and hears how it goes.

It decides nothing. Tested by tests/observe.
"""
