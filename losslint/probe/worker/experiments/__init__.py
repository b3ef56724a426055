"""One experiment a file: `measure(case)` returns plain data, ready for JSON."""
