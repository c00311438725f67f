"""The few protobuf messages of Arrow Flight that the tests read or build byte by byte."""

from collections.abc import Iterator

_VARINT, _LENGTH = 0, 2


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of every field, in the order of the wire."""
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, position = _varint(message, position)
            yield number, value
        elif kind == _LENGTH:
            length, position = _varint(message, position)
            yield number, message[position : position + length]
            position += length
        else:
            raise AssertionError(f"field {number} has wire type {kind}, which Flight does not use")


def first(message: bytes, number: int) -> int | bytes | None:
    """The first value of a field, if there is one."""
    return next((value for field, value in fields(message) if field == number), None)


def text(number: int, value: bytes) -> bytes:
    """An encoded field that holds bytes."""
    return _encode(number << 3 | _LENGTH) + _encode(len(value)) + value


def number(number: int, value: int) -> bytes:
    """An encoded field that holds an integer."""
    return _encode(number << 3 | _VARINT) + _encode(value)


def _varint(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        value |= (byte & 0x7F) << shift
        position += 1
        shift += 7
        if byte < 0x80:
            return (value - (1 << 64) if value >> 63 else value), position


def _encode(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
