"""ACPI tables that QEMU can inject."""

import struct


def table(signature: bytes, body: bytes, revision: int = 3) -> bytes:
    """An ACPI table with a right length and checksum. ACPI 6.5 section 5.2.6."""
    head = struct.pack("<4sIBB6s8sI4sI", signature, 36 + len(body), revision, 0, b"TARRY ",
                       b"TEST    ", 1, b"TEST", 1)
    data = bytearray(head + body)
    data[9] = -sum(data) & 0xff
    return bytes(data)
