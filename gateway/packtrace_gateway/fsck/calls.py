"""The outbox: each consent is its signer's for exactly this call, each transaction carries exactly this consent."""

from collections.abc import Iterator

from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_utils.crypto import keccak
from hexbytes import HexBytes
from sqlmodel import Session, col, select

from packtrace.chain.deployment import Deployment
from packtrace.chain.typed_data import digest, recover
from packtrace.errors import PacktraceError
from packtrace_gateway.fsck.report import Checked, Finding
from packtrace_gateway.outbox import calls, moves
from packtrace_gateway.outbox.models import ON_CHAIN, Attempt, OutboxRow, State

SIGNED = (State.SIGNED, State.BROADCAST, *ON_CHAIN)


def check_outbox(session: Session, checked: Checked, deployment: Deployment) -> Iterator[Finding]:
    """Every row that was signed, and every transaction that was made for it."""
    for row in session.exec(select(OutboxRow).order_by(col(OutboxRow.id))):
        checked.note("calls")
        where = f"outbox row {row.id} ({row.contract}.{row.function})"
        if row.function == "unknown":  # found on chain without its arguments, after a restored backup
            continue
        try:
            yield from (Finding(where, what) for what in _row(row, deployment))
            for attempt in moves.attempts(session, row):
                checked.note("transactions")
                yield from (Finding(where, what) for what in _attempt(row, attempt, deployment))
        except (PacktraceError, ValueError, TypeError, KeyError, EOFError) as error:
            yield Finding(where, f"it cannot be read: {type(error).__name__}: {error}")


def _row(row: OutboxRow, deployment: Deployment) -> Iterator[str]:
    if row.signature is None:
        if row.state in SIGNED and not row.recovered:
            yield f"it is {row.state}, and not signed"
        return
    consent, values = moves.consent(row), calls.signed_part(row.contract, row.function, row.args)
    of_call = digest(deployment, row.contract, row.function, values, consent.signer, consent.nonce, consent.deadline)
    if of_call != row.digest:
        yield "its digest is not that of its call, signer, nonce and deadline"
    elif recover(deployment, row.contract, row.function, values, consent) != consent.signer:
        yield f"its signature is not {consent.signer}'s"


def _attempt(row: OutboxRow, attempt: Attempt, deployment: Deployment) -> Iterator[str]:
    where = f"transaction {attempt.id}"
    if keccak(attempt.raw) != attempt.tx_hash:
        yield f"{where} has another hash"
        return
    if Account.recover_transaction(HexBytes(attempt.raw)) != attempt.relayer:
        yield f"{where} is not signed by {attempt.relayer}"
    if attempt.tip is None:
        return  # of the old kind, before EIP-2718
    told = TypedTransaction.from_bytes(HexBytes(attempt.raw)).as_dict()
    stored = {
        "nonce": attempt.tx_nonce,
        "gas": attempt.gas,
        "maxFeePerGas": int(attempt.max_fee),
        "maxPriorityFeePerGas": int(attempt.tip),
        "chainId": deployment.chain_id,
    }
    for name, value in stored.items():
        if told[name] != value:
            yield f"{where} has {name} {told[name]}, {value} is stored"
    if row.signature is not None and row.signature not in bytes(told["data"]):
        return  # of an earlier consent, which is void
    if row.signature is not None and bytes(told["data"]) != calls.call_data(
        row.contract, row.function, row.args, moves.consent(row)
    ):
        yield f"{where} carries another call"
