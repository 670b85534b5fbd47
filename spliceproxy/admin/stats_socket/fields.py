"""The columns of `show stat`."""

_NAMES = (
    "pxname svname qcur qmax scur smax slim stot bin bout dreq dresp ereq econ eresp wretr wredis "
    "status weight act bck chkfail chkdown lastchg downtime qlimit pid iid sid throttle lbtot "
    "tracked type rate rate_lim rate_max check_status check_code check_duration hrsp_1xx hrsp_2xx "
    "hrsp_3xx hrsp_4xx hrsp_5xx hrsp_other hanafail req_rate req_rate_max req_tot cli_abrt "
    "srv_abrt comp_in comp_out comp_byp comp_rsp lastsess last_chk last_agt qtime ctime rtime "
    "ttime agent_status agent_code agent_duration check_desc agent_desc check_rise check_fall "
    "check_health agent_rise agent_fall agent_health addr cookie mode algo conn_rate "
    "conn_rate_max conn_tot intercepted dcon dses wrew connect reuse cache_lookups cache_hits "
    "srv_icur src_ilim qtime_max ctime_max rtime_max ttime_max eint idle_conn_cur safe_conn_cur "
    "used_conn_cur need_conn_est uweight agg_server_status agg_server_check_status "
    "agg_check_status"
)
FIELDS = tuple(_NAMES.split())
"""Those that HAProxy 2.6 and later have whatever they were built with, in their order
(include/haproxy/stats-t.h)."""

FRONTEND, BACKEND, SERVER = 0, 1, 2
"""Values of `type`."""
