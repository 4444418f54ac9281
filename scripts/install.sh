#!/bin/sh
# Build .venv: what the system lacks, then torch, then everything else as pinned in constraints.txt.
# Usage: install.sh PYTHON TORCH
set -eu
cd "$(dirname "$0")/.."
python=$1
torch=$2

if [ -z "$python" ]; then
    echo "expected Python 3.11 or later on the PATH, found none; install it, or name it: make PYTHON=/path/to/python3" >&2
    exit 2
fi
sh scripts/system_packages.sh install "$python"
if ! .venv/bin/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    "$python" -m venv --clear .venv
fi
install() {
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt "$@"
}

if [ "$(uname -sm)" = "Darwin x86_64" ]; then
    echo "torch has no wheel for Intel Macs: training and viewing work without it"
else
    .venv/bin/python scripts/say_torch.py "$torch"
    install "$torch"
fi
echo "installing darb3d with its packages (about 0.5 GB)"
install --editable '.[dev]'
if ! .venv/bin/python -c 'import importlib.util as u, sys; sys.exit(u.find_spec("open3d") is None)'; then
    case "$(uname -sm)" in
    "Linux x86_64") open3d=open3d-cpu ;;
    *) open3d=open3d ;;
    esac
    install --only-binary :all: "$open3d" 2>/dev/null ||
        echo "$open3d has no wheel for this system and Python: darb3d mesh will say so"
fi
echo "$torch" >.venv/.installed
