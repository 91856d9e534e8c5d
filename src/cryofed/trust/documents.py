"""Documents between machines: canonical JSON with a schema and exactly the fields that it names.

A reader turns one JSON value into a Python value or raises `ValueError` with what is wrong. Numbers are
whole, bytes are hexadecimal (short, compared by people) or base64 (long).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from cryofed.errors import WireError

Reader = Callable[[Any], Any]


def canonical(document: object) -> bytes:
    """JSON in one spelling, so that equal documents have equal hashes."""
    return json.dumps(
        document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    ).encode()


def read_document(data: bytes, schema: str, fields: Mapping[str, Reader], max_bytes: int) -> dict[str, Any]:
    """The fields of a document from another machine, each as its reader returns it.

    Raises:
        WireError: too long, not JSON, not in canonical form, another schema, a missing, unknown or wrong
            field.
    """
    if len(data) > max_bytes:
        raise WireError("size", f"{len(data)} bytes, at most {max_bytes} are accepted")
    try:
        document = json.loads(data.decode("ascii"), parse_constant=_refuse, parse_float=_refuse)
    except (ValueError, RecursionError):
        raise WireError("format", "not a JSON document of whole numbers, texts, lists and tables") from None
    if not isinstance(document, dict) or document.pop("schema", None) != schema:
        raise WireError("schema", f"not a {schema}")
    if canonical({**document, "schema": schema}) != data.strip():
        raise WireError("format", "the document is not in canonical form")
    try:
        return record(fields)(document)
    except ValueError as error:
        raise WireError("field", str(error)) from None


def write_document(schema: str, fields: Mapping[str, object]) -> bytes:
    """The fields as a document; bytes must be spelled already (`hexadecimal`, `base64`)."""
    return canonical({**fields, "schema": schema})


def record(fields: Mapping[str, Reader]) -> Callable[[Any], dict[str, Any]]:
    """A table with exactly these fields."""

    def read(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValueError("not a table")
        odd = sorted(set(value) ^ set(fields))
        if odd:
            raise ValueError(f"field {odd[0][:40]!r} is missing or unknown")
        known = {}
        for name, reader in fields.items():
            try:
                known[name] = reader(value[name])
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
        return known

    return read


def text(most: int = 128) -> Callable[[Any], str]:
    """A printable text of 1 to `most` characters."""

    def read(value: Any) -> str:
        if not isinstance(value, str) or not 1 <= len(value) <= most or not value.isprintable():
            raise ValueError(f"not a printable text of 1 to {most} characters")
        return value

    return read


def whole(least: int, most: int) -> Callable[[Any], int]:
    """A whole number in `[least, most]`."""

    def read(value: Any) -> int:
        if type(value) is not int or not least <= value <= most:
            raise ValueError(f"not a whole number from {least} to {most}")
        return value

    return read


def hexadecimal(size: int) -> Callable[[Any], bytes]:
    """Exactly `size` bytes as lower-case hexadecimal."""

    def read(value: Any) -> bytes:
        if not isinstance(value, str) or len(value) != 2 * size or set(value) - set("0123456789abcdef"):
            raise ValueError(f"not {size} bytes in lower-case hexadecimal")
        return bytes.fromhex(value)

    return read


def blob(most: int) -> Callable[[Any], bytes]:
    """1 to `most` bytes as base64."""

    def read(value: Any) -> bytes:
        if not isinstance(value, str) or not 0 < len(value) <= 4 * -(-most // 3):
            raise ValueError(f"not 1 to {most} bytes in base64")
        return base64.b64decode(value, validate=True)

    return read


def items(reader: Reader, most: int) -> Callable[[Any], tuple[Any, ...]]:
    """A list of up to `most` values."""

    def read(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list) or len(value) > most:
            raise ValueError(f"not a list of up to {most}")
        return tuple(reader(item) for item in value)

    return read


def optional(reader: Reader) -> Reader:
    """The value, or null."""
    return lambda value: None if value is None else reader(value)


def base64_text(data: bytes) -> str:
    """Bytes as `blob` reads them."""
    return base64.b64encode(data).decode()


def _refuse(word: str) -> NoReturn:
    raise ValueError(word)
