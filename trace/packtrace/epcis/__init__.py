"""EPCIS 2.0 events: typed, read and written as JSON, their event hash, and what they commission."""

from packtrace.epcis.cbv_hash import event_hash, pre_hash
from packtrace.epcis.commissioning import ProductData, product_data
from packtrace.epcis.model import Action, ErrorDeclaration, Event, EventType, Quantity, Typed
from packtrace.epcis.reading import Document, read_document, read_event
from packtrace.epcis.writing import document, to_json

__all__ = [
    "Action",
    "Document",
    "ErrorDeclaration",
    "Event",
    "EventType",
    "ProductData",
    "Quantity",
    "Typed",
    "document",
    "event_hash",
    "pre_hash",
    "product_data",
    "read_document",
    "read_event",
    "to_json",
]
