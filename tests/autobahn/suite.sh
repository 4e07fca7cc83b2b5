# Installs the Autobahn|Testsuite and runs it. Sourced by `run` and `client`, which run under `set -euo pipefail` and set
# `target` (the build's folder) and `cases` (a list with commas).
#
#   install_suite              into $target/autobahn/venv, once; or finds a container engine; or exits with 77, SKIPPED
#   write_spec NAME FIELDS     what the suite is to do, and an empty folder for its report, $work/reports/NAME
#   suite_command NAME MODE    sets the array `wstest`, the command that does it

work=$target/autobahn
venv=$work/venv
suite=autobahntestsuite==25.10.1
image=crossbario/autobahn-testsuite

skip() {
  printf '\nSKIPPED: Autobahn|Testsuite: %s\n\n' "$*" >&2
  exit 77
}

# The version managers' shims exist without the Python behind them, so every candidate has to prove itself.
find_python27() {
  local candidate
  for candidate in python2.7 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/2.7.*/bin/python2.7 /usr/bin/python2.7; do
    if "$candidate" -c 'import sys, ssl; sys.exit(sys.version_info[:2] != (2, 7))' >/dev/null 2>&1; then
      echo "$candidate"
      return 0
    fi
  done
  return 1
}

# virtualenv 20.22 dropped Python 2.7. It is run from a folder of its own, so that nothing is installed into either Python.
make_virtualenv() {
  local python27=$1 tool=$work/virtualenv maker
  rm -rf "$venv" "$tool"
  for maker in "$python27" python3; do
    if "$maker" -m pip --version >/dev/null 2>&1 &&
      "$maker" -m pip install --quiet --target "$tool" 'virtualenv<20.22' &&
      PYTHONPATH=$tool "$maker" -m virtualenv --quiet --python "$python27" "$venv"; then
      return 0
    fi
    rm -rf "$venv" "$tool"
  done
  return 1
}

engine=
install_suite() {
  local python27 log=$work/install.log
  mkdir -p "$work"
  if [[ -e $venv/installed ]]; then
    return 0
  fi
  if python27=$(find_python27); then
    echo "installing $suite with $python27 (a minute or two, once)"
    if make_virtualenv "$python27" >"$log" 2>&1 && "$venv/bin/pip" install "$suite" >>"$log" 2>&1; then
      touch "$venv/installed"
      return 0
    fi
    tail -n 20 "$log" >&2
    echo "the installation failed; the whole log is $log" >&2
  else
    echo "no Python 2.7 here; looking for a container engine" >&2
  fi
  for engine in docker podman; do
    if "$engine" info >/dev/null 2>&1 && "$engine" pull --quiet "$image" >/dev/null 2>&1; then
      return 0
    fi
  done
  skip 'needs Python 2.7 (with ssl, and a C compiler), or docker or podman'
}

write_spec() {
  local name=$1 fields=$2 reports=$work/reports/$1 outdir list
  rm -rf "$reports"
  mkdir -p "$reports"
  outdir=${engine:+/suite/reports/$name}
  list=\"${cases//,/\",\"}\"
  cat >"$work/$name.spec.json" <<SPEC
{"outdir": "${outdir:-$reports}", $fields,
 "cases": [$list], "exclude-cases": [], "exclude-agent-cases": {}}
SPEC
}

suite_command() {
  local name=$1 mode=$2
  if [[ -n $engine ]]; then
    wstest=("$engine" run --rm --init --network host -v "$work:/suite" "$image"
      wstest -m "$mode" -s "/suite/$name.spec.json")
  else
    wstest=("$venv/bin/wstest" -m "$mode" -s "$work/$name.spec.json")
  fi
}
