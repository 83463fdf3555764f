"""What the host-side tools share, in rooms: run (boots and verdicts), report (records, results), prove (broken copies)."""
