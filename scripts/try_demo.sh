#!/usr/bin/env bash
# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
#
# Run command 1 of README.rst, as it stands there, as a newcomer would: in a fresh
# clone of the last commit, with a home that is empty. Then look at what it wrote.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

git clone --quiet "$root" "$work/galmorph"
mkdir "$work/home"
cd "$work/galmorph"
command=$(python3 scripts/readme_command.py 1)
echo "clone of $(git log -1 --format='%h, %s')"
echo "\$ $command"
start=$SECONDS
env -u PYTHONPATH -u VIRTUAL_ENV -u XDG_CACHE_HOME -u XDG_CONFIG_HOME \
    HOME="$work/home" bash -c "$command" </dev/null
echo "took $((SECONDS - start)) s"

for name in mosaic.fits catalog.ecsv catalog.fits gallery.png; do
    test -s "demo-output/$name" || { echo "demo-output/$name is missing"; exit 1; }
done
ls -l demo-output
if [ $# -gt 0 ]; then
    mkdir -p "$1"
    cp demo-output/* "$1"
    echo "copied to $1"
fi
