"""HAProxy's statistics socket: the commands and the table that its tools know.

Clients such as hatop and Telegraf work as they are. What HAProxy counts and this proxy does not
stays empty; mirrors, which HAProxy does not have, are not in it.
"""
