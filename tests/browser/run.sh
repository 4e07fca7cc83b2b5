# Opens a page of `longshore serve` in headless Chromium, on every backend. Sourced by tests/PAGE/run, which say in their own
# heads how they are called.
#
#   open_page PAGE ARGUMENTS…     runs tests/PAGE/browser.mjs LONGSHORE BACKEND FOLDER; exits as those scripts say
set -euo pipefail

open_page() {
  local page=$1 root target backends=epoll,io-uring,mio server=
  root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
  target=${CARGO_TARGET_DIR:-$root/target}
  shift
  while (($#)); do
    case $1 in
      --backends) backends=$2; shift 2 ;;
      --server) server=$2; shift 2 ;;
      *) sed -n '2,8s/^# \{0,1\}//p' "$root/tests/$page/run" >&2; exit 2 ;;
    esac
  done

  local program
  for program in node chromium chromedriver; do
    if ! command -v "$program" >/dev/null; then
      printf '\nSKIPPED: %s is not installed\n\n' "$program" >&2
      exit 77
    fi
  done
  if (($(node -p 'process.versions.node.split(".")[0]') < 18)); then
    printf '\nSKIPPED: Node 18 or later is needed\n\n' >&2
    exit 77
  fi

  if [[ -z $server ]]; then
    (cd "$root" && cargo build --quiet)
    server=$target/debug/longshore
  fi

  mkdir -p "$target/$page"
  local backend failed=0
  for backend in ${backends//,/ }; do
    # The machine may refuse io_uring; the others it always has.
    if [[ $backend == io-uring && $("$server" doctor --json) != *'"name":"io-uring","ok":true'* ]]; then
      echo "io-uring  SKIPPED: it is refused here" >&2
      continue
    fi
    node "$root/tests/$page/browser.mjs" "$server" "$backend" "$target/$page" || failed=1
  done
  exit "$failed"
}
