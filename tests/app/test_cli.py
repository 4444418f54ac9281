"""The command line itself: help, wrong words, exit codes, one line for every error."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from app.__main__ import COMMANDS, OTHERS, SECOND_WORDS, main
from app.commands import doctor
from app.errors import guarded
from data.errors import UserError

NAMES = [name for name in COMMANDS if name not in SECOND_WORDS]
PAIRS = [*SECOND_WORDS.items(), *OTHERS.items()]
NAMES += [f"{name} {word}" for name, words in PAIRS for word in words]
"""Whole names of commands."""


def test_help_lists_every_command_with_one_line_each(capsys) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {name:<12} {what}\n" in text for name, what in COMMANDS.items())
    assert "darb3d train SCENE" in text


def test_every_file_of_commands_is_listed() -> None:
    files = {path.stem for path in Path(doctor.__file__).parent.glob("*.py")}
    assert files - {"__init__"} == {name.replace("-", "_").replace(" ", "_") for name in NAMES}


def test_a_second_word_has_its_own_options(capsys) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["fit", "lifter", "--help"])
    text = capsys.readouterr().out
    assert stopped.value.code == 0 and "usage: darb3d fit lifter" in text and "--protocol" in text


@pytest.mark.parametrize("name", SECOND_WORDS)
def test_a_command_that_wants_a_second_word_says_so(name: str, capsys) -> None:
    assert main([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"`darb3d {name} {word} --help`" in text for word in SECOND_WORDS[name])
    for words in ([name], [name, "--steps", "3"], [name, "nothing"]):
        assert main(words) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1 and f"expected {SECOND_WORDS[name][0]} or" in error


@pytest.mark.parametrize("name", NAMES)
def test_every_command_explains_its_options(name: str, capsys) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([*name.split(), "--help"])
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    assert f"usage: darb3d {name}" in text and "--no-no-" not in text


def test_a_slip_gets_the_nearest_command(capsys) -> None:
    assert main(["trian"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "did you mean train?" in error


def test_a_wrong_option_exits_with_2(darb3d, tmp_path) -> None:
    result = darb3d.run("doctor", "--jsn", cwd=tmp_path)
    assert result.returncode == 2 and "Traceback" not in result.stderr


def test_the_version_is_said(capsys) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("darb3d ")


def raising(error: BaseException):
    def run() -> int:
        raise error

    return run


def test_wrong_input_is_one_line_and_2(capsys) -> None:
    assert guarded(raising(UserError("a: expected b,\n  found c"))) == 2
    assert capsys.readouterr().err == "error: a: expected b, found c\n"


def test_a_missing_package_is_named_and_2(capsys) -> None:
    assert guarded(raising(ImportError("No module named 'open3d'", name="open3d.core"))) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "package open3d" in error and "darb3d doctor" in error


def test_a_full_disk_is_one_line_and_2(capsys) -> None:
    assert guarded(raising(OSError(errno.ENOSPC, "No space left on device", "a.ply"))) == 2
    line = capsys.readouterr().err
    assert line.startswith("error: a.ply: expected room on the disk") and "--resume" in line


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.EIO, errno.ENAMETOOLONG])
def test_what_a_file_system_refuses_is_one_line_and_2(number, capsys) -> None:
    assert guarded(raising(OSError(number, os.strerror(number), "scene/images"))) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: scene/images: expected") and os.strerror(number) in error


def test_memory_that_is_not_there_is_one_line_and_2(capsys) -> None:
    assert guarded(raising(MemoryError("Unable to allocate 9 GiB"))) == 2
    assert "--data-factor" in capsys.readouterr().err


def test_ctrl_c_is_130_and_silent(capsys) -> None:
    assert guarded(raising(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("error", [ValueError("x"), ImportError("x", name="splatting.lost")])
def test_our_own_faults_keep_their_traceback(error) -> None:
    with pytest.raises(type(error)):
        guarded(raising(error))
