"""API keys as they are stored, roles, and the caller of a request."""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import BigInteger, LargeBinary
from sqlmodel import Field, SQLModel


class Role(StrEnum):
    """What a caller may do; a key holds one or several. No role includes another."""

    ADMIN = "admin"  # API keys, serial number policies, settings of the gateway
    LINE = "line"  # packaging line: serial numbers, commissioning, packing
    QUALITY = "quality"  # release and recall of lots, alerts
    WAREHOUSE = "warehouse"  # packing, shipping, receiving
    DISPENSER = "dispenser"  # verifying, dispensing, reversing
    AUDITOR = "auditor"  # reads everything, changes nothing
    REGULATOR = "regulator"  # the authority's own people
    METRICS = "metrics"  # a monitoring system: figures, and nothing else


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request: the key's public id, its name, its roles."""

    key_id: str
    name: str
    roles: frozenset[Role]


class ApiKey(SQLModel, table=True):
    """One API key. Its secret is not here, only SHA-256 of it (the secret has 256 random bits). Times: unix seconds."""

    __tablename__ = "api_key"

    id: str = Field(primary_key=True, max_length=16)
    name: str = Field(max_length=100)
    roles: str = Field(max_length=200)  # comma-separated
    secret_hash: bytes = Field(sa_type=LargeBinary)
    created_at: int = Field(sa_type=BigInteger)
    last_used_at: int | None = Field(default=None, sa_type=BigInteger)
    revoked_at: int | None = Field(default=None, sa_type=BigInteger)

    @property
    def role_set(self) -> frozenset[Role]:
        return frozenset(Role(role) for role in self.roles.split(","))
