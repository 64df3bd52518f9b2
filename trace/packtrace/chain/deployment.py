"""Where the contracts of one network live: the deployment file that `packtrace contracts deploy` writes."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import orjson
from eth_utils.address import is_address, to_checksum_address

from packtrace.errors import ChainError

CONTRACTS = ("AccessManager", "PartyRegistry", "RecallBoard", "PackLedger", "CustodyLedger", "EventLog")
"""In the order in which they are deployed: each one's constructor needs only addresses of earlier ones."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """The contracts of one network.

    `chain_id` is EIP-155's, `block` the number of the block of the first deployment (no event of ours is
    older), `contracts` maps each name of `CONTRACTS` to its checksummed address (EIP-55).
    """

    chain_id: int
    block: int
    contracts: Mapping[str, str]

    def __post_init__(self) -> None:
        for name in CONTRACTS:
            if not is_address(self.contracts.get(name)):
                raise ChainError(
                    "the deployment names no address for this contract",
                    field=f"contracts.{name}",
                    value=self.contracts.get(name, "nothing"),
                    rule="deployment file: an address of 20 bytes in hex for each contract",
                )
        addresses = {name: to_checksum_address(address) for name, address in self.contracts.items()}
        object.__setattr__(self, "contracts", MappingProxyType(addresses))

    @property
    def network(self) -> str:
        """What a message that is signed outside of the chain names, so that it counts on this network only.

        ``chain id:address of the party registry``: on another one parties have other numbers, or the same ones.
        """
        return f"{self.chain_id}:{self.address('PartyRegistry')}"

    def address(self, contract: str) -> str:
        """The checksummed address of `contract`."""
        return self.contracts[contract]

    def contract_at(self, address: str) -> str | None:
        """The name of the contract at `address` (any case), None where it is not one of this deployment."""
        wanted = address.lower()
        return next((name for name, known in self.contracts.items() if known.lower() == wanted), None)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a deployment file; `ChainError` says what is wrong with it."""
        rule = "deployment file: JSON with chainId, block and contracts"
        try:
            data: Any = orjson.loads(Path(path).read_bytes())
        except OSError as error:
            raise ChainError(
                f"the deployment file cannot be read: {error.strerror}. Deploy with `packtrace contracts "
                f"deploy`, or "
                "ask the network's operator for its file",
                field=str(path),
            ) from error
        except orjson.JSONDecodeError as error:
            raise ChainError("the deployment file is not JSON", field=str(path), value=str(error), rule=rule) from error
        if not isinstance(data, dict) or not isinstance(data.get("contracts"), dict):
            raise ChainError("the deployment file has no contracts", field=str(path), rule=rule)
        for member in ("chainId", "block"):
            if type(data.get(member)) is not int or data[member] < 0:
                raise ChainError(
                    "not a whole number in the deployment file",
                    field=member,
                    value=data.get(member),
                    rule=rule,
                )
        return cls(chain_id=data["chainId"], block=data["block"], contracts=data["contracts"])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the deployment file; it is complete or not there at all."""
        data = {"chainId": self.chain_id, "block": self.block, "contracts": dict(self.contracts)}
        target = Path(path)
        draft = target.with_name(f".{target.name}.{os.getpid()}")
        draft.write_bytes(orjson.dumps(data, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        draft.replace(target)
