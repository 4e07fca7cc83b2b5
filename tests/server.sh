# Starts and stops a server under test. Sourced by the judges' scripts, which run under `set -euo pipefail`.
#
#   start_server OUTPUT COMMAND…   sets `pid` and `port`; the command says `listening on http://ADDR` when it is ready
#   server_lives                   whether it still runs
#   stop_server                    SIGTERM, and waits; harmless when nothing runs. Also runs when the script ends

pid=
stop_server() {
  if [[ -n $pid ]]; then
    kill -TERM "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    pid=
  fi
}
trap stop_server EXIT

server_lives() {
  kill -0 "$pid" 2>/dev/null
}

start_server() {
  local output=$1 deadline=$((SECONDS + 15))
  shift
  : >"$output"
  "$@" </dev/null >>"$output" 2>&1 &
  pid=$!
  while ((SECONDS < deadline)); do
    port=$(sed -n 's|.*listening on http://[^ ]*:\([0-9]\{1,5\}\).*|\1|p' "$output" | head -n 1)
    if [[ -n $port ]]; then return 0; fi
    if ! kill -0 "$pid" 2>/dev/null; then break; fi
    sleep 0.05
  done
  echo "FAILED: \`$*\` does not listen:" >&2
  cat "$output" >&2
  return 1
}
