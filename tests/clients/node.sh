# Node's http client and its WebSocket as judges: see node.mjs. Sourced by `run`.

# script NAME ARGUMENTS…: runs a script with Node, and takes over its checks.
script() {
  local name=$1 flags=()
  shift
  # Node 20 and 21 have the global WebSocket only when asked for it, later ones have it anyway.
  if node --experimental-websocket -e 0 2>/dev/null; then flags=(--experimental-websocket); fi
  take_over "$name" node ${flags[@]+"${flags[@]}"} "$here/$name" "$@"
}

judge_node() {
  script node.mjs "$url" "$site" "$socket"
}
