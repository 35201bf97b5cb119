#!/bin/sh
# Collects what is handed in, a2_code.zip and a2_inline.pdf: sh collectSubmission.sh --help says more.
# Called from any folder. It runs the Python of .venv, or another one that has the packages of requirements.txt.
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
for python in "$here/.venv/bin/python" "$here/../.venv/bin/python" "$here/.venv/Scripts/python.exe" python3 python; do
    if "$python" -c 'import nbconvert, sphinx' 2>/dev/null; then
        PYTHONPATH="$here${PYTHONPATH:+:$PYTHONPATH}" exec "$python" -m tools.course.collect_submission "$@"
    fi
done
echo "No Python with the packages of requirements.txt found: run make install in $here first." >&2
exit 1
