"""Comparing: what differs between recorded answers and those of another version.

=====================  ============================================================================
`gathered_capture`     a capture, put in order by connections
`answer_reader`        the answers of one connection, frame by frame
`answer_framer`,       the same, as its bytes come; and what it begins with
`beginning`
`alignment`            which answers belong together
`differences`          what differs between two answers, and how differences are told apart
`first_difference`     where two streams begin to differ
`ignored`              what the user does not want to hear of
`latencies`            how long answers took
`fingerprint_tally`    counts of differences
`noise`                which of them count
`report_file`          all of it in a file
`pair_tally`           what differs between answers that belong together
`comparison`           two or three captures, all together
`live_comparison`      answers of mirrors, as they come into a capture
`mirrored_connection`  a connection whose request mirrors get, too
`mirrored_answers`     what one mirror's peer answers there
`html_page`,           a page for colleagues
`latency_curves`
=====================  ============================================================================
"""
