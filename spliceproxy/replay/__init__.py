"""Replays: the connections of a capture once more, against another target.

=======================  ========================================================================
`replay_options`         what is asked for
`connection_filter`      which connections
`replay_steps`           what a connection does, step by step, made from a capture's events
`play_queue`             steps on their way to players, within a bound for all
`start_line`             players that wait to begin
`timetable`              when what is due
`obstacles`              connections that can't be replayed, as their first bytes show
`substitution`           live values in the place of recorded ones: what all players share
`value_patterns`         what is looked for in answers
`recorded_values`        what it finds in recorded ones, and where that stands in requests
`live_values`            what it finds in the target's
`content_length`         a length that is put right when a request has got another one
`replay_target`          where to connect
`live_connection`        one connection to the target
`readable_sockets`       which of them have something to read
`player`                 does a connection's steps on a live connection
`dispatcher`             reads the capture, and hands events to players
`replay_tally`           counts, and the summary
`checkpoint`             what need not be replayed again
`replay_report`          a table of connections
`announce`               what is said before the end
`progress`               the line on a terminal
`smoothness`             short pauses of the interpreter
`run`                    all together
`dry_run`                what would be replayed
=======================  ========================================================================

It is one Trio program with a task for each connection, for it is not the data plane.
"""
