"""Figures: each script prints a table and writes JSON with --json."""
