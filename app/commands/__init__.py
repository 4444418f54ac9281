"""One file a command: a frozen dataclass `Command` whose fields are the options."""
