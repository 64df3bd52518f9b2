"""Extensions and ILMD: fields of other namespaces, nested, bounded."""

from typing import Any

from packtrace.epcis.context import Context
from packtrace.epcis.values import BOUND, below, number, refusal

# A product's or a process's own data: some dozens of fields. More is a mistake or an attack.
MAX_EXTENSION_DEPTH = 16
MAX_EXTENSION_VALUES = 10_000
MAX_EXTENSION_CHARACTERS = 1_000_000


class ExtensionReader:
    """Reads the extensions of one event; its bounds count all of them together."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._values = 0
        self._characters = 0

    def fields(self, given: dict[str, Any], path: str, depth: int = 1) -> dict[str, Any]:
        """Every member of `given` as an extension field, its name expanded."""
        read: dict[str, Any] = {}
        for key, value in given.items():
            name = self.context.name(key, path)
            if name in read:
                raise refusal(
                    "this field stands here twice, under two spellings", below(path, key), name, rule="RFC 7493, 2.3"
                )
            self._count(len(key), path)
            read[name] = self._value(value, below(path, key), depth)
        return read

    def _value(self, given: object, path: str, depth: int) -> Any:
        if depth > MAX_EXTENSION_DEPTH:
            raise refusal(
                f"extensions are nested at most {MAX_EXTENSION_DEPTH} deep: flatten this one", path, given, rule=BOUND
            )
        if isinstance(given, str):
            self._count(len(given), path)
            return self.context.expand_literal(given)
        self._count(1, path)
        if isinstance(given, dict):
            return self.fields(given, path, depth + 1)
        if isinstance(given, list):
            for index, entry in enumerate(given):
                if isinstance(entry, list):
                    raise refusal(
                        "a list directly in a list cannot be written in XML: name it",
                        f"{path}[{index}]",
                        entry,
                        rule="EPCIS 2.0, XML binding",
                    )
            return [self._value(entry, f"{path}[{index}]", depth + 1) for index, entry in enumerate(given)]
        if isinstance(given, bool):
            return given
        if given is None:
            raise refusal("null says nothing: leave the field out", path, rule="JSON-LD 1.1 (null)")
        return number(given, path)

    def _count(self, characters: int, path: str) -> None:
        self._values += 1
        self._characters += characters
        if self._values > MAX_EXTENSION_VALUES or self._characters > MAX_EXTENSION_CHARACTERS:
            raise refusal(
                f"an event's extensions have at most {MAX_EXTENSION_VALUES} values and {MAX_EXTENSION_CHARACTERS} "
                "characters: send less, or a reference to it",
                path,
                rule=BOUND,
            )
