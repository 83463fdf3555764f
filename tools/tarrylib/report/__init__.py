"""From consoles to results: records, results folders, tables, exports. Knows the room `run`."""
