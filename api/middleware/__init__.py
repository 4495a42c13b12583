"""The middlewares, outermost first: this list is the order that every request passes."""

from api.middleware.authenticate import authenticate
from api.middleware.errors import answer_errors
from api.middleware.limits import admit, tell_limits
from api.middleware.request_id import name_request

MIDDLEWARES = (name_request, tell_limits, answer_errors, authenticate, admit)
