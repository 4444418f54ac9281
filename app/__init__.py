"""The program: commands, run folders and the page."""
