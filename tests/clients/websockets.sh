# WebSocket clients that others wrote: `ws` for Node, `websockets` for Python, tokio-tungstenite, Chromium. Sourced by `run`,
# behind node.sh.
#
# Each of them talks to four servers, or modes:
#
#   plain        no compression; also /chat/ws, for its subprotocol and its origins
#   forgetting   --ws-deflate: no context takeover, in either direction
#   keeping      and with context takeover
#   small        and with windows of 512 bytes
#
# To the last three a client makes the offers that its library can make; offers.json says what the server has to reply.

ws_modes='plain forgetting keeping small'
declare -A ws_arguments=([plain]='' [forgetting]='--ws-deflate' [keeping]='--ws-deflate --ws-deflate-context'
  [small]='--ws-deflate --ws-deflate-context --ws-deflate-window-bits 9')

# Each is installed once, into $libraries. What a registry does not give is SKIPPED.
install_node_ws() {
  if [[ ! -e $libraries/node/node_modules/ws/package.json ]]; then
    npm install --prefix "$libraries/node" --no-audit --no-fund --silent ws@8.23.0 >"$libraries/node_ws.install.log" 2>&1
  fi
}

install_python_websockets() {
  if ! "$libraries/python/bin/python" -c 'import websockets.asyncio.client' 2>/dev/null; then
    python3 -m venv "$libraries/python" >"$libraries/python_websockets.install.log" 2>&1 &&
      "$libraries/python/bin/pip" install --quiet 'websockets>=14,<18' >>"$libraries/python_websockets.install.log" 2>&1
  fi
}

install_tungstenite() {
  cargo build --release --quiet --locked --manifest-path "$here/tungstenite/Cargo.toml" --target-dir "$libraries/tungstenite" \
    >"$libraries/tungstenite.install.log" 2>&1
}

judge_node_ws() {
  take_over "$mode.node_ws" node "$here/node_ws.mjs" "$url" "$mode" "$libraries/node"
}

judge_python_websockets() {
  take_over "$mode.python_websockets" "$libraries/python/bin/python" "$here/python_websockets.py" "$url" "$mode"
}

judge_tungstenite() {
  take_over "$mode.tungstenite" "$libraries/tungstenite/release/tungstenite_client" "$url" "$mode"
}

judge_chromium_ws() {
  take_over "$mode.chromium_ws" node "$here/chromium_ws.mjs" "$url" "$mode"
}

judge_websockets() {
  local mode started checks_before code
  for mode in $ws_modes; do
    log=$work/$backend.$mode.server.log
    # Unquoted on purpose: several arguments.
    start_server "$log" "$target/release/longshore" serve --listen 127.0.0.1:0 --workers 1 --backend "$backend" \
      ${ws_arguments[$mode]} || return 1
    url=ws://127.0.0.1:$port
    descriptors=$(find "/proc/$pid/fd" -type l | wc -l)
    for client in "${present_ws[@]}"; do
      started=$SECONDS
      checks_before=$checks
      "judge_${client//-/_}"
      printf '%-9s %-10s %-17s %4d checks, %3d s\n' "$backend" "$mode" "$client" $((checks - checks_before)) \
        $((SECONDS - started))
    done
    look_after || continue
    code=0
    kill -TERM "$pid"
    wait "$pid" || code=$?
    pid=
    expect "$mode, exit code after SIGTERM" 0 "$code"
    expect "$mode, said on the terminal" '' "$(grep -v '^listening on ' "$log" || true)"
  done
}
