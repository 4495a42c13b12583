"""The middlewares, outermost first: every request passes them in the order of this list."""

from api.http.connections import serve_connection
from api.http.memory import share_memory
from api.middleware.authenticate import authenticate
from api.middleware.errors import answer_errors
from api.middleware.limits import admit, report_limits
from api.middleware.measure import measure
from api.middleware.refused import check_framing
from api.middleware.request_id import name_request
from api.middleware.trace import trace

MIDDLEWARES = (
    trace,
    measure,
    serve_connection,
    name_request,
    report_limits,
    answer_errors,
    check_framing,
    authenticate,
    admit,
    share_memory,
)
