"""Labels over HTTP, one at a time. They show what was asked for; that it was commissioned is not theirs to say."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response

from packtrace.errors import IdentifierError
from packtrace.gs1 import write_yymmdd
from packtrace.gs1.dates import read_iso_date
from packtrace_gateway.access.guard import require
from packtrace_gateway.access.models import Role
from packtrace_gateway.labels.drawing import Drawing, to_png, to_svg
from packtrace_gateway.labels.logistic import LogisticLabel, logistic_drawing
from packtrace_gateway.labels.pack import PackLabel, PackSymbol, pack_drawing

router = APIRouter(prefix="/labels", tags=["labels"], dependencies=[Depends(require(Role.LINE, Role.WAREHOUSE))])

Format = Literal["png", "svg"]
_EXPIRY = "Last day of use as `YYYY-MM-DD`, or `YYMMDD` as in the code, with day 00 for the end of the month."
_MAX_VALUE = 30  # characters; longer than every element that a label carries, which have rules of their own

Text = Annotated[str, Query(max_length=_MAX_VALUE)]
OptionalText = Annotated[str | None, Query(max_length=_MAX_VALUE)]
Expiry = Annotated[str, Query(max_length=_MAX_VALUE, description=_EXPIRY)]
OptionalExpiry = Annotated[str | None, Query(max_length=_MAX_VALUE, description=_EXPIRY)]

_CONTENT = {"content": {"image/png": {}, "image/svg+xml": {}}, "description": "The label."}


@router.get("/pack", response_class=Response, responses={200: _CONTENT})
def pack_label(
    gtin: Text,
    serial: Text,
    lot: Text,
    expiry: Expiry,
    national_ai: Annotated[OptionalText, Query(description="AI of a national number, 710 to 717.")] = None,
    national_number: OptionalText = None,
    symbol: PackSymbol = "datamatrix",
    format: Format = "png",
) -> Response:
    """The label of one pack: GS1 DataMatrix, or QR Code with its GS1 Digital Link, and the text beside it."""
    if (national_ai is None) != (national_number is None):
        missing = "national_ai" if national_ai is None else "national_number"
        raise IdentifierError(
            "a national number has an AI and a value: give both, or neither", field=missing, rule="both"
        )
    national = None if national_ai is None or national_number is None else (national_ai, national_number)
    return _picture(pack_drawing(PackLabel(gtin, serial, lot, _yymmdd(expiry), national), symbol), format)


@router.get("/logistic", response_class=Response, responses={200: _CONTENT})
def logistic_label(
    sscc: Text,
    gtin: OptionalText = None,
    count: Annotated[int | None, Query(ge=1, description="How many units of this GTIN are in it.")] = None,
    lot: OptionalText = None,
    expiry: OptionalExpiry = None,
    format: Format = "png",
) -> Response:
    """The label of a case, pallet or tote: GS1-128 with its SSCC, and with its content if that is given."""
    return _picture(logistic_drawing(LogisticLabel(sscc, gtin, count, lot, expiry and _yymmdd(expiry))), format)


def _yymmdd(expiry: str) -> str:
    try:
        return write_yymmdd(read_iso_date(expiry)) if "-" in expiry else expiry
    except IdentifierError as error:
        error.field = "expiry"
        raise


def _picture(drawing: Drawing, form: Format) -> Response:
    if form == "svg":
        return Response(to_svg(drawing), media_type="image/svg+xml")
    return Response(to_png(drawing), media_type="image/png")
