"""The document that carries one party's signed consent to a joint call from gateway to gateway, by people's hands.

All that the call does is under the signature, but for a receipt's details (the chain has its hash) and the serial
numbers (`packs`), which are for people: a gateway shows them as confirmed only where its own records say the same.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from packtrace.chain.deployment import Deployment
from packtrace.chain.typed_data import Consent, digest, verify
from packtrace.errors import DocumentError
from packtrace.facts import Status
from packtrace.receipt import MAX_UNITS, REFUSED, UNIT_BYTES, Receipt
from packtrace_gateway.joint.models import Side

CONTRACT = "PackLedger"
GROUNDS = ("not_opened", "key_compromised", "other")  # IPackLedger.Ground
RULE = "packtrace/joint-call/v1"
_STRICT = ConfigDict(extra="forbid", frozen=True)


def _unsigned64(text: str) -> str:
    if int(text) >= 1 << 64:
        raise ValueError("must be below 2^64")
    return text


UnitNumber = Annotated[str, Field(pattern="^(0|[1-9][0-9]{0,19})$"), AfterValidator(_unsigned64)]
Units = Annotated[list[UnitNumber], Field(min_length=1, max_length=MAX_UNITS)]
Duplicates = Annotated[bool, Field(description="Also packs that are flagged as duplicates; their flag goes.")]


class Lift(BaseModel):
    """Locked and suspect packs become ACTIVE again."""

    model_config = _STRICT

    call: Literal["liftStatus"] = "liftStatus"
    units: Units
    duplicates: Duplicates = False


class Restore(BaseModel):
    """What one call changed is undone: each pack gets the status back that it had before."""

    model_config = _STRICT

    call: Literal["restoreStatus"] = "restoreStatus"
    receipt: Annotated[dict[str, Any], Field(description="The receipt of the call that is undone.")]
    positions: Annotated[list[Annotated[int, Field(ge=0, lt=MAX_UNITS)]], Field(min_length=1, max_length=MAX_UNITS)]
    ground: Literal["not_opened", "key_compromised", "other"]


class Signed(BaseModel):
    """A consent, as in Types.sol; the nonce in decimal, the deadline in unix seconds."""

    model_config = _STRICT

    signer: Annotated[str, Field(pattern="^0x[0-9a-fA-F]{40}$")]
    nonce: Annotated[str, Field(pattern="^[0-9]{1,78}$")]
    deadline: Annotated[int, Field(ge=0, lt=1 << 48)]
    signature: Annotated[str, Field(pattern="^(?:[0-9a-f]{2}){65}$")]


class Document(BaseModel):
    """One party's consent to a joint call."""

    model_config = _STRICT

    format: Literal["packtrace/joint-call/v1"] = "packtrace/joint-call/v1"
    chain: int
    contract: str
    side: Annotated[Side, Field(description="As what its signer consents.")]
    what: Annotated[Lift | Restore, Field(discriminator="call")]
    packs: Annotated[
        dict[UnitNumber, Annotated[str, Field(max_length=200)]],
        Field(max_length=MAX_UNITS, description="Serial numbers by unit, for people; not signed."),
    ] = {}
    consent: Signed

    def signed_consent(self) -> Consent:
        consent = self.consent
        return Consent(consent.signer, int(consent.nonce), consent.deadline, bytes.fromhex(consent.signature))

    def digest(self, deployment: Deployment) -> bytes:
        """The EIP-712 digest of the consent."""
        consent = self.signed_consent()
        call = (self.what.call, signed_arguments(self.what), consent.signer, consent.nonce, consent.deadline)
        return digest(deployment, CONTRACT, *call)

    def check(self, deployment: Deployment) -> None:
        """Raises DocumentError where it is of another network, EvidenceError where the signer did not sign this."""
        contract = deployment.address(CONTRACT)
        if (self.chain, self.contract.lower()) != (deployment.chain_id, contract.lower()):
            message = f"this document is for another network: here it is chain {deployment.chain_id}, ledger {contract}"
            raise DocumentError(message, field="contract", value=f"{self.chain}, {self.contract}", rule=RULE)
        if int(self.consent.nonce) >= 1 << 256:
            raise DocumentError("the nonce is too large", field="consent.nonce", rule=RULE)
        verify(deployment, CONTRACT, self.what.call, signed_arguments(self.what), self.signed_consent())

    def text(self) -> str:
        return orjson.dumps(self.model_dump(mode="json")).decode()


def receipt_of(what: Restore) -> Receipt:
    """Raises EvidenceError when it is not well formed."""
    return Receipt.from_json(what.receipt)


def units_of(what: Lift | Restore) -> list[int]:
    """The numbers of the units that the call is about, in its order.

    Raises DocumentError where a unit is named twice, or a position is not one of the receipt's.
    """
    if isinstance(what, Lift):
        units = [int(unit) for unit in what.units]
        if len(set(units)) < len(units):
            raise DocumentError("a pack is named twice; name it once", field="units", rule=RULE)
        return units
    receipt = receipt_of(what)
    numbers = [int.from_bytes(receipt.units[at : at + UNIT_BYTES]) for at in range(0, len(receipt.units), UNIT_BYTES)]
    for position in what.positions:
        if position >= len(numbers) or what.positions.count(position) > 1:
            message = "a position is one of the receipt's packs, named once"
            raise DocumentError(message, field="positions", value=position, rule=RULE)
    return [numbers[position] for position in what.positions]


def packed(units: Sequence[int]) -> bytes:
    return b"".join(unit.to_bytes(UNIT_BYTES) for unit in units)


def becomes(what: Lift | Restore) -> list[Status | None]:
    """The status that each unit gets, as far as the call alone says; None where it will be refused."""
    if isinstance(what, Lift):
        return [Status.ACTIVE] * len(what.units)
    outcomes = receipt_of(what).outcomes
    return [Status(outcomes[at]) if outcomes[at] < REFUSED else None for at in what.positions]


def signed_arguments(what: Lift | Restore) -> list[Any]:
    """The call's arguments without the consents, in the function's order."""
    if isinstance(what, Lift):
        return [packed(units_of(what)), what.duplicates]
    return [receipt_of(what).arguments(), bytes(what.positions), GROUNDS.index(what.ground)]
