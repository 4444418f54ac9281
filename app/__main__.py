"""`darb3d`: finds the command, lets tyro read its options, and turns errors into one line.

Only the chosen command's module is imported, and heavy packages inside its `run`: so `--help`
answers
at once.
"""

from __future__ import annotations

import difflib
import importlib
import sys

from data.errors import UserError

COMMANDS = {
    "train": "train splats on a COLMAP folder and watch them in the browser",
    "view": "show a run or a .ply in the browser",
    "eval": "score a run or a .ply on a scene's held-out photos",
    "doctor": "say what is installed, what is missing and what it would give",
}

HELP = """\
usage: darb3d COMMAND [OPTIONS]

Splatting scenes from photos, trained and shown on a CPU.

commands:
{commands}

examples:
  darb3d train SCENE                       five minutes on a COLMAP folder, live at 127.0.0.1
  darb3d train SCENE --kernel gaussian --data-factor 2 --minutes 10
  darb3d view runs/SCENE-raised-cosine-1   look at it again
  darb3d eval runs/SCENE-raised-cosine-1 --json

`darb3d COMMAND --help` explains the options of a command."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0, 2 for wrong input, 130 for Ctrl-C."""
    words = sys.argv[1:] if arguments is None else arguments
    try:
        return _dispatch(words)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # whoever read our output has left, `darb3d ... | head`
        sys.stderr.close()
        return 0


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        lines = [f"  {name:<8} {what}" for name, what in COMMANDS.items()]
        print(HELP.format(commands="\n".join(lines)))
        return 0
    if words[0] in ("-V", "--version"):
        from importlib.metadata import version

        print(f"darb3d {version('darb3d')}")
        return 0
    name, rest = words[0], words[1:]
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UserError(f"expected a command among {', '.join(COMMANDS)}, found {name!r}{hint}")
    module = importlib.import_module(f"app.commands.{name}")
    import tyro

    command = tyro.cli(
        module.Command,
        prog=f"darb3d {name}",
        args=rest,
        config=(tyro.conf.FlagCreatePairsOff,),
    )
    return command.run()


if __name__ == "__main__":
    sys.exit(main())
