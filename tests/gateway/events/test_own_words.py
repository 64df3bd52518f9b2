"""What the gateway records by itself is said in CBV's words, so that every other EPCIS system can read it."""

import pytest

from packtrace.epcis.vocabulary import BIZ_STEP, DISPOSITION
from packtrace_gateway.exchange import voids
from packtrace_gateway.status.outcomes import REVERSED, STEPS


@pytest.mark.parametrize(("step", "disposition"), [*STEPS.values(), REVERSED])
def test_change_of_status_has_a_business_step_and_a_disposition_of_the_standard(step: str, disposition: str) -> None:
    assert step in BIZ_STEP.words
    assert disposition in DISPOSITION.words


def test_voided_shipping_is_a_business_step_of_the_standard() -> None:
    assert voids.STEP in BIZ_STEP.words
