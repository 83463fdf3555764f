"""Boots: settings, QEMU command lines, guests and their verdicts, KTAP, test cases. Knows no other room."""
