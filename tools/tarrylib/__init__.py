"""What the host-side tools share: settings, QEMU, console, KTAP, records, results."""
