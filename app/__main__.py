"""`darb3d`: finds the command, lets tyro read its options, and turns errors into one line.

Only the chosen command's module is imported, and heavy packages inside its `run`, so that `--help`
answers at once.
"""

from __future__ import annotations

import os
import re
import sys

# read when torch is first loaded: threads that wait by spinning slow a training many times over
# as soon as anything else runs
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from app.errors import guarded
from data.errors import UserError

COMMANDS = {
    "train": "train splats on a COLMAP folder, photos or a video; watch them in the browser",
    "sfm": "find the cameras of photos or of a video",
    "view": "show runs, splats, a cloud of points or motions in the browser",
    "eval": "score a run or a .ply on a scene's held-out photos",
    "render": "draw a run along a camera path: a film or pictures",
    "export": "write splats for other programs: .ply, .compressed.ply, .splat, .spz, .glb",
    "mesh": "write a triangle mesh of a run",
    "fit": "train a model: fit classifier (of point clouds), fit lifter (of 2D keypoints)",
    "lift": "lift the 2D keypoints of any animal to a 3D motion: .glb, .bvh, .csv, .h5, .npz",
    "make-motions": "write generated animals in motion, to train a lifter on",
    "classify": "name what clouds and meshes show: files, folders, patterns",
    "adapt": "fit a trained classifier to your own classes by an adapter of a few kB; adapt lifter",
    "forget": "make a trained classifier forget classes",
    "inspect": "print the card of a saved model: data, recipe, score, how it is conditioned",
    "doctor": "say what is installed, what is missing and what it would give",
}

SECOND_WORDS = {"fit": ("classifier", "lifter")}
"""What has to follow a command; each has a file of its own."""
OTHERS = {"adapt": ("lifter",)}
"""What may follow a command, and is another one then."""

ADDRESS = r"local|auto|(ray://)?[\w.-]+:\d+"
"""Of a Ray cluster; any other word after --ray is a file."""

HELP = """\
usage: darb3d COMMAND [OPTIONS]

Splatting scenes from photos, classes of point clouds, 3D motion of animals: on a CPU.

commands:
{commands}

examples:
  darb3d train SCENE                       five minutes on a COLMAP folder, live at 127.0.0.1
  darb3d train SCENE --kernel gaussian --data-factor 2 --minutes 10
  darb3d train PHOTOS                      a folder of photos, or a video: cameras are found first
  darb3d view runs/SCENE-raised-cosine-1   look at it again
  darb3d view walk.bvh trot.npz            motions on one page; so is a cloud of points
  darb3d eval runs/SCENE-raised-cosine-1 --json
  darb3d render runs/SCENE-raised-cosine-1 -o film.mp4
  darb3d export runs/SCENE-raised-cosine-1 -o scene.glb --bake-gaussian
  darb3d fit classifier CLOUDS -o model.safetensors
  darb3d classify SCANS --weights model.safetensors
  darb3d adapt model.safetensors --data MY_CLOUDS --bits 4
  darb3d lift TRACKS.h5 -o motion.glb --known-length "nose-tailbase=82mm"
  darb3d fit lifter RIGS -o lifter.safetensors --fit.minutes 180

`darb3d COMMAND --help` explains the options of a command."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0, 2 for wrong input, 130 for Ctrl-C."""
    words = sys.argv[1:] if arguments is None else arguments
    return guarded(lambda: _dispatch(words))


def _with_value(words: list[str], flag: str, value: str, fits: str = "") -> list[str]:
    """`words` with `value` after a bare `flag`, one before no word that `fits` (a pattern):
    argument parsers know no option of either kind."""
    if flag not in words:
        return words
    place = words.index(flag) + 1
    bare = place == len(words) or words[place].startswith("-")
    if not bare and fits:
        bare = re.fullmatch(fits, words[place]) is None
    return [*words[:place], value, *words[place:]] if bare else words


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        lines = [f"  {name:<12} {what}" for name, what in COMMANDS.items()]
        print(HELP.format(commands="\n".join(lines)))
        return 0
    if words[0] in ("-V", "--version"):
        from importlib.metadata import version

        print(f"darb3d {version('darb3d')}")
        return 0
    return _run_command(words[0], words[1:])


def _run_command(name: str, options: list[str]) -> int:
    if name not in COMMANDS:
        raise UserError(
            f"expected a command among {', '.join(COMMANDS)}, found {name!r}{_did_you_mean(name)}"
        )
    from importlib import import_module

    import tyro

    if name in SECOND_WORDS:
        if options[:1] in (["--help"], ["-h"]):
            print(_help_on_second_words(name))
            return 0
        name, options = _with_second_word(name, options)
    elif options and options[0] in OTHERS.get(name, ()):
        name, options = f"{name} {options[0]}", options[1:]
    module = import_module(f"app.commands.{name.replace(' ', '_').replace('-', '_')}")
    if name == "train":
        options = _with_value(options, "--resume", "newest")
    if name == "classify":
        options = _with_value(options, "--ray", "local", fits=ADDRESS)
    command = tyro.cli(
        module.Command,
        prog=f"darb3d {name}",
        args=options,
        config=(tyro.conf.FlagCreatePairsOff,),
    )
    return command.run()


def _help_on_second_words(name: str) -> str:
    seconds = SECOND_WORDS[name]
    more = ", ".join(f"`darb3d {name} {word} --help`" for word in seconds)
    return f"usage: darb3d {name} {'|'.join(seconds)} [OPTIONS]\n\n{COMMANDS[name]}; {more}"


def _with_second_word(name: str, options: list[str]) -> tuple[str, list[str]]:
    """A command of two words, and what follows them."""
    found = options[0] if options else "nothing"
    if found not in SECOND_WORDS[name]:
        raise UserError(f"darb3d {name}: expected {' or '.join(SECOND_WORDS[name])}, found {found}")
    return f"{name} {found}", options[1:]


def _did_you_mean(name: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, COMMANDS, n=1)
    return f"; did you mean {near[0]}?" if near else ""


if __name__ == "__main__":
    sys.exit(main())
