# Node's http client and its WebSocket as judges: see node.mjs. Sourced by `run`.

# script NAME ARGUMENTS…: runs a script with Node, and takes over its checks.
script() {
  local name=$1 output=$work/$backend.$1.log flags=() count
  shift
  # Node 20 and 21 have the global WebSocket only when asked for it, later ones have it anyway.
  if node --experimental-websocket -e 0 2>/dev/null; then flags=(--experimental-websocket); fi
  timeout 60 node ${flags[@]+"${flags[@]}"} "$here/$name" "$@" >"$output" 2>&1 ||
    echo "FAILED: $name ended with $?" >>"$output"
  count=$(sed -n 's/^\([0-9]*\) checks$/\1/p' "$output")
  checks=$((checks + ${count:-0}))
  expect "$name, failures" '' "$(grep FAILED "$output" || true)"
  expect_match "$name, checks" '^[1-9][0-9]*$' "$count"
  sed -n 's/^NOTE: /          /p' "$output"
}

judge_node() {
  script node.mjs "$url" "$site" "$socket"
}
