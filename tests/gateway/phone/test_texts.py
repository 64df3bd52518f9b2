"""The phone page has words of its own for all that a gateway may say to it by name."""

import json
from pathlib import Path

from packtrace.epcis.vocabulary import BIZ_STEP
from packtrace.facts import Refusal, Status
from packtrace_gateway.access.models import Role
from packtrace_gateway.problems import INTERNAL, KINDS
from packtrace_gateway.status.service import NotReceivedError, NotReversibleError, NotSubmitted, PackedError

TEXT = Path(__file__).resolve().parents[3] / "scanner" / "web" / "text"
OF_ITS_OWN = (NotSubmitted, PackedError, NotReceivedError, NotReversibleError)


def named(start: str) -> set[str]:
    return {key.removeprefix(start) for key in json.loads((TEXT / "en.json").read_text()) if key.startswith(start)}


def test_every_kind_of_problem_has_words() -> None:
    kinds = {*KINDS.values(), INTERNAL}
    refusals = {kind.type for kind in kinds if kind.status < 500} | {error.problem_type for error in OF_ITS_OWN}
    assert {name.rpartition(":")[2] for name in refusals} == named("refused.") - {"key", "other", "with", "roles"}
    assert {kind.type.rpartition(":")[2] for kind in kinds if kind.status >= 500} == named("gateway.")


def test_every_refusal_of_the_chain_has_words() -> None:
    names = {refusal.name.lower() for refusal in Refusal if refusal is not Refusal.NONE}
    assert names | {"pending", "call", "found"} == named("refusal.")
    assert {status.name for status in Status} < named("verdict.")


def test_every_role_and_business_step_has_words() -> None:
    assert set(Role) == named("role.")
    assert BIZ_STEP.words | {"ADD", "OBSERVE", "DELETE"} == named("step.")
