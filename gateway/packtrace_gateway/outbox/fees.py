"""What a transaction offers for its gas: EIP-1559, chains with a plain gas price, chains without fees."""

from dataclasses import dataclass

from packtrace.chain.node import Node
from packtrace.errors import PacktraceError


class FeeCapError(PacktraceError):
    """The chain asks for more than the policy allows; the call waits."""


@dataclass(frozen=True, slots=True)
class Fee:
    """In wei per gas. `tip` is None for a transaction with a plain gas price (before EIP-1559)."""

    maximum: int
    tip: int | None

    def fields(self) -> dict[str, int]:
        """The members of a transaction to sign."""
        if self.tip is None:
            return {"gasPrice": self.maximum}
        return {"type": 2, "maxFeePerGas": self.maximum, "maxPriorityFeePerGas": self.tip}


def offered(node: Node, cap: int) -> Fee:
    """What to offer now: the tip that the node thinks usual, and room for the base fee to double (six full blocks).

    Raises `FeeCapError` when not even the next block is within `cap`.
    """
    market = node.fee_market()
    if market.gas_price == 0:  # a chain without fees: the usual tip of such a node is made up (Anvil: 1 gwei)
        return Fee(0, None if market.base_fee is None else 0)
    if market.base_fee is None:
        fee, needed = Fee(market.gas_price, None), market.gas_price
    else:
        usual = max(market.gas_price - market.base_fee, 0) if market.tip is None else market.tip
        base = max(market.base_fee, market.gas_price - usual)  # some nodes' gas price knows the next block's base fee
        fee, needed = Fee(min(2 * base + usual, cap), usual), base + usual
    if needed > cap:
        raise FeeCapError(
            "the chain's fee is above the highest that may be paid; the call waits until it falls",
            field="fee",
            value=needed,
            rule=f"max_fee {cap} wei per gas",
        )
    return fee


def bumped(old: Fee, now: Fee, cap: int) -> Fee | None:
    """The fee that replaces a waiting transaction: at least 12.5 % more of each part, and no less than `now`.

    Nodes take a replacement from 10 % (Geth, Besu, Anvil). None where there is nothing to add: the cap is reached, or
    the chain takes no fees.
    """
    if old.tip is None:
        fee = Fee(max(_more(old.maximum), now.maximum), None)
    else:
        tip = max(_more(old.tip), now.tip or 0)
        fee = Fee(max(_more(old.maximum), now.maximum, tip), tip)
    return fee if old.maximum < fee.maximum <= cap else None


def _more(fee: int) -> int:
    """12.5 % more, rounded up."""
    return -(-fee * 9 // 8)
