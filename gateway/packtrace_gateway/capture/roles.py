"""Who may record what: a key's roles against what an event does."""

from collections.abc import Collection, Mapping

from packtrace.epcis.model import Event
from packtrace.rules import PACKS, Movement, movement
from packtrace_gateway.access.models import Role
from packtrace_gateway.problems import ForbiddenError

CAPTURERS = (Role.LINE, Role.WAREHOUSE, Role.DISPENSER)
# What is not here, any of the capturers may record: opening a case, taking something out, seeing something.
MAY: Mapping[Movement, tuple[Role, ...]] = {
    Movement.COMMISSION: (Role.LINE, Role.WAREHOUSE),
    Movement.PACK: (Role.LINE, Role.WAREHOUSE),
    Movement.SHIP: (Role.WAREHOUSE,),
    Movement.RECEIVE: (Role.WAREHOUSE,),
}


def check_roles(event: Event, roles: Collection[Role], field: str) -> None:
    """Raise ForbiddenError unless one of `roles` may record this event; `field` is its path with a dot.

    Packs come into being on a line only: the batch is then proposed to the chain under the line's key.
    """
    what = movement(event)
    may = MAY.get(what, CAPTURERS)
    if what is Movement.COMMISSION and any(uri.startswith(PACKS) for uri in event.epcs):
        may = (Role.LINE,)
    if not set(may) & set(roles):
        raise ForbiddenError(
            f"this API key may not {what} things here; it needs one of the roles " + ", ".join(may),
            field=f"{field}action",
            value=event.action,
            rule="roles: " + ", ".join(may),
        )
