"""What the contracts' custom errors mean, in plain words: what was refused, and what to do."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any

from packtrace.errors import ChainError
from packtrace.facts import CustodyState, Recall, Status

MEANINGS: dict[str, str] = {
    # PartyRegistry
    "PartyNumberTooLarge": "party number {party} is not between 1 and 4194303; choose a smaller one",
    "PartyExists": "party {party} is registered already; choose another number",
    "UnknownParty": "nobody registered party {party}; ask the licensing authority to register it",
    "NotACompany": "party {party} is a premises, not a company; name its company instead",
    "KeyExists": "key {key} is registered already; a key speaks for one party only, so make a new one",
    "UnknownKey": "nobody registered key {key}; ask the licensing authority to add it",
    "KeyNotValid": "key {key} is revoked or suspended, or not valid now; sign with a valid key",
    "KeyOfAnotherCompany": "key {key} is not one of company {company}; only its own company can replace it",
    "NotPossessed": "the second consent is not key {newKey}'s; sign with the new key too, to show that you hold it",
    "KeyLacksPurpose": "key {key} may not sign this (it lacks purpose {purpose}); sign with a key that has it",
    "NotLicensed": "party {party} or its company has no valid licence now, or is suspended; ask the licensing "
    "authority",
    "ProductExists": "the product {productKey} is registered already; there is nothing to do",
    "UnknownProduct": "nobody registered the product {productKey}; ask the licensing authority to register it",
    "NotHolderOfProduct": "company {company} does not hold the marketing authorisation of product {product}; only its "
    "holder can do this",
    "LineNotAuthorised": "party {party} is not authorised to package product {product}; its marketing authorisation "
    "holder must authorise the line",
    "QualityNotAuthorised": "key {key} is not authorised to release product {product}; its marketing authorisation "
    "holder must authorise the qualified person",
    "InvalidPeriod": "the period from {from} to {until} ends before it begins; give a later end",
    "InvalidRoles": "the roles {roles} are none, or not ones that exist; see ROLE_* in PartyRegistry",
    "InvalidPurposes": "the purposes {purposes} are none, or not ones that exist; see PURPOSE_* in PartyRegistry",
    "LacksRole": "party {party} has no role {role}, which this needs; ask the licensing authority",
    # PackLedger
    "BatchNumberNotYours": "batch {batch} is not in the number range of party {party}; a batch's number starts with "
    "its proposer's",
    "BatchExists": "batch {batch} is on chain already; take the next number",
    "BatchNotProposed": "batch {batch} is not waiting for release; it was never proposed, or is released or withdrawn",
    "WrongItemRoot": "the chain holds other items under batch {batch} (root {onChain}) than those that were signed; "
    "check which proposal stands there before it is released",
    "InvalidCount": "a batch of {count} units is not possible; it has 1 to 1048576",
    "InvalidExpiry": "the expiry {expiresAt} is in the past, or not 00:00 UTC of a day; check the lot's expiry date",
    "InvalidUnits": "a list of {length} bytes is not 1 to 256 unit numbers of 8 bytes; split the call",
    "InvalidStatus": "units cannot be set to status {to} this way; see the table of statuses",
    "NotProposer": "batch {batch} was not proposed by party {party}; only its proposer, or quality of the marketing "
    "authorisation holder, can withdraw it",
    "NotReceipt": "the receipt {id} is not what the chain recorded; give the receipt of the call that set the status",
    "NotReceiptHolder": "the receipt {id} belongs to another party than {party}; only who set the status can reverse "
    "it",
    "ReversalTooLate": "the call {id} could be reversed until {until} only (10 days, Delegated Regulation (EU) "
    "2016/161, Art. 13)",
    "NotReversible": "status {status} cannot be reversed; only supplied, exported, sampled and free sample can",
    "InvalidPositions": "a list of {length} positions does not fit the receipt; name each of its units once at most",
    "NotRegulator": "party {party} is not a regulator; only a regulator can do this",
    "NotMah": "party {party} is not the marketing authorisation holder of these units; only it can do this",
    "TooManySuspects": "key {key} has reported {cap} suspect packs today; the rest must wait, or call the regulator",
    "UnitsNotSorted": "units {unit} and {twin} are not two units, the lower number first",
    "BatchNotReleased": "batch {batch} is not released; a duplicate is proven of packs that are on the market",
    "DifferentProducts": "units {unit} and {twin} are of different products; one serial of both proves nothing",
    "InvalidUri": "the serial's URI has {length} bytes, not 1 to 128",
    "NotOpened": "the proof does not lead from this serial to unit {unit} of its batch; check both openings",
    "TooManyChanges": "key {key} may change {cap} packs a day, and has asked for that many today; the rest must wait, "
    "or ask the licensing authority for a higher cap",
    # CustodyLedger
    "NumberNotYours": "logistic unit {number} is not in the number range of party {party}; a number starts with its "
    "creator's",
    "UnitExists": "logistic unit {number} is on chain already; take the next number",
    "UnknownUnit": "nobody registered logistic unit {number}",
    "NotHolder": "logistic unit {number} is not held by party {party}; only its holder can do this",
    "NotReceiver": "logistic unit {number} was not sent to party {party}; only the named receiver can do this",
    "InsideParent": "logistic unit {number} is inside {parent}; take it out, or unpack its parent, first",
    "NestedTooDeep": "logistic unit {number} would be inside too many others; pack it into fewer levels",
    "NotInside": "logistic unit {number} is inside no other",
    "NotInsideOf": "logistic unit {number} is not inside {outer}, so it cannot be missing there",
    "ShipmentExpired": "logistic unit {number} could be received until {until} only (30 days after it was shipped); "
    "ask the sender to cancel and to ship it again",
    "WrongState": "logistic unit {number} is in state {state}, in which this is not possible",
    "ReceiverNotLicensed": "the receiver, party {party}, has no valid licence now; goods may not be sent to it",
    "NothingNamed": "the call names no logistic unit; name at least one",
    "TooManyUnits": "{length} logistic units are too many for one call (256 at most, children included); split it",
    # EventLog
    "WrongSequence": "the next entry of this lane is number {expected}, not {given}; read the lane again",
    "EmptyBatch": "a batch without events cannot be appended",
    # RecallBoard
    "NotMahOrRegulator": "party {party} is neither company {mah} nor a regulator; only those can recall its lots",
    "NotRecalled": "there is no recall of {subject} by company {mah} that could be lifted",
    "InvalidKind": "a recall is either a withdrawal (1) or a recall (2)",
    "AlreadyGraver": "company {mah} has recalled {subject} more gravely already (kind {kind}); only a regulator can "
    "lift that",
    # governance
    "NoContract": "there is no contract at {successor}; deploy the successor first",
    "HasSuccessor": "this contract has ended: its successor is {successor}; use the deployment file that names it",
    # consents
    "ConsentExpired": "the consent was void from {deadline} on; sign the call again with a later deadline",
    "InvalidConsent": "the signature is not key {signer}'s for this call on this chain; check that the key, the "
    "arguments and the deployment are those that were signed",
    # OpenZeppelin
    "InvalidAccountNonce": "the nonce of {account} is now {currentNonce}; the request was carried out already, or one "
    "before it is missing: sign it again with the next nonce",
    "EnforcedPause": "the licensing authority has paused these calls; try again when it has lifted that",
    "ExpectedPause": "the contract is not paused, so there is nothing to lift",
    "AccessManagedUnauthorized": "account {caller} is not the licensing authority; use the authority's account",
    "AccessManagedInvalidAuthority": "{authority} is not a contract that could be the licensing authority",
    "AccessManagedRequiredDelay": "account {caller} must schedule this call {delay} seconds before it is made",
    "AccessManagerAlreadyScheduled": "operation {operationId} is scheduled already",
    "AccessManagerBadConfirmation": "the role can only be given up by the account that has it",
    "AccessManagerExpired": "operation {operationId} was scheduled too long ago; schedule it again",
    "AccessManagerInvalidInitialAdmin": "{initialAdmin} cannot be the first administrator",
    "AccessManagerLockedFunction": "the function {selector} of the AccessManager cannot be given to a role",
    "AccessManagerLockedRole": "role {roleId} is fixed and cannot be changed",
    "AccessManagerNotReady": "operation {operationId} was scheduled for later; wait for its time",
    "AccessManagerNotScheduled": "operation {operationId} was not scheduled; schedule it first",
    "AccessManagerUnauthorizedAccount": "account {msgsender} lacks role {roleId} in the AccessManager; use an account "
    "that has it",
    "AccessManagerUnauthorizedCall": "account {caller} may not call this function of {target}; use the licensing "
    "authority's account",
    "AccessManagerUnauthorizedCancel": "account {msgsender} may not cancel what {caller} scheduled",
    "AccessManagerUnauthorizedConsume": "{target} may not use up scheduled operations",
    "AddressEmptyCode": "there is no contract at {target}; check the deployment file",
    "FailedCall": "a call inside the call failed without a reason",
    "InsufficientBalance": "the contract has {balance} wei and needs {needed}",
    "InvalidShortString": "a short text on chain is damaged",
    "SafeCastOverflowedUintDowncast": "{value} does not fit into {bits} bits; give a smaller number",
    "StringTooLong": "the text {str} is too long for the chain; shorten it",
    # Solidity
    "Error": "{reason}",
    "Panic": "the contract stopped with panic code {code}; this is a fault in the contract, please report it",
}
"""By name, with the error's arguments in braces."""


NAMED: dict[tuple[str, str], type[IntEnum]] = {
    ("InvalidStatus", "to"): Status,
    ("NotReversible", "status"): Status,
    ("WrongState", "state"): CustodyState,
    ("AlreadyGraver", "kind"): Recall,
}
"""Arguments that are numbers on chain and words for a person."""
TIMES = frozenset({"deadline", "expiresAt", "from", "until"})
"""Arguments that are unix times."""


class ChainRefusal(ChainError):
    """A contract refused a call: `name` is its custom error, `args_` the error's arguments by name."""

    def __init__(self, name: str, args: Mapping[str, Any]) -> None:
        self.name = name
        self.args_ = dict(args)
        plain = {key: f"0x{value.hex()}" if isinstance(value, bytes) else value for key, value in args.items()}
        words = {key: _in_words(name, key, value) for key, value in plain.items()}
        meaning = MEANINGS.get(name, "the contract refused the call").format_map(words)
        super().__init__(meaning, rule=f"{name}({', '.join(str(value) for value in plain.values())})")


def _in_words(error: str, argument: str, value: Any) -> Any:
    with suppress(ValueError, OverflowError, OSError):  # a number without a name, a time beyond the calendar
        if (error, argument) in NAMED:
            return NAMED[error, argument](value).name.lower().replace("_", " ")
        if argument in TIMES:
            return f"{datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M:%S} UTC"
    return value
