"""Codes as they come over HTTP: whatever a scanner sends is read."""

from datetime import date

import pytest

from packtrace.errors import IdentifierError
from packtrace.scan import Scan
from packtrace_gateway.verify.routes import Code

PACK = Scan("09506000134352", "ABC123", "L1", date(2029, 10, 31))


@pytest.mark.parametrize(
    "code",
    [
        "]d2010950600013435217291031" + "10L1\x1d21ABC123",
        "(01)09506000134352(21)ABC123(10)L1(17)291031",
        "https://id.gs1.org/01/09506000134352/10/L1/21/ABC123?17=291031",
        "HTTPS://ID.GS1.ORG/01/09506000134352/10/L1/21/ABC123?17=291031",  # as QR Codes have it that save space
        "http://example.com/p/GhFKk4XBoMReqNV4JGjhrg?linkType=all",
    ],
)
def test_a_pack_is_read_from_every_form_of_code(code: str) -> None:
    assert Code(code=code).scan() == PACK


@pytest.mark.parametrize(
    "code", ["", "]d1010950600013435221A", "ftp://id.gs1.org/01/09506000134352/21/A", "https:", "]d2"]
)
def test_what_is_no_packs_code_is_refused(code: str) -> None:
    with pytest.raises(IdentifierError):
        Code(code=code).scan()


@pytest.mark.parametrize(
    "code",
    [
        "]C100106141412345678908",
        "]C100106141412345678908010950600013435221ABC123",
        "(01)09506000134352(21)ABC123(00)106141412345678908",
        "https://id.gs1.org/01/09506000134352/21/ABC123?00=106141412345678908",
    ],
)
def test_the_label_of_a_logistic_unit_is_no_packs_whatever_is_beside_its_sscc(code: str) -> None:
    with pytest.raises(IdentifierError, match=r"logistic unit.*scan the pack's own code.*106141412345678908"):
        Code(code=code).scan()
