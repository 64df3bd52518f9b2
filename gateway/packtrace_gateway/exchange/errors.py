"""What can go wrong with a partner."""

from packtrace.errors import PacktraceError


class PartnerError(PacktraceError):
    """A partner's gateway cannot be reached, refuses a request, or answers what makes no sense."""


class PartnerUnreachable(PartnerError):
    """No answer from a partner's gateway."""
