"""The partner table: openings of GLN commitments, received from the partners themselves."""

from sqlalchemy import Column, LargeBinary
from sqlmodel import Field, SQLModel


class Partner(SQLModel, table=True):
    """A trading partner's premises. `salt` opens its GLN's commitment in the party registry."""

    __tablename__ = "partner"
    gln: str = Field(primary_key=True)
    party: int = Field(index=True)
    company: int
    salt: bytes = Field(sa_column=Column(LargeBinary(16), nullable=False))
    name: str
