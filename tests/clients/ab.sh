# ab (ApacheBench) as a judge: HTTP/1.0, which closes unless `Connection: keep-alive` was agreed on. Sourced by `run`.

# ab_run WHAT REQUESTS KEPT BYTES ARGUMENTS…: all complete, KEPT of them leave the connection open, and the contents
# together are BYTES long.
ab_run() {
  local what=$1 requests=$2 kept=$3 bytes=$4 output
  shift 4
  logged[ApacheBench]=$((logged[ApacheBench] + requests))
  output=$(ab -q -n "$requests" "$@" 2>&1) || failed_check "$what: ab failed: $output"
  printf '== %s %s\n%s\n' "$backend" "$what" "$output" >>"$work/ab.log"
  expect "$what, complete" "$requests" "$(number 'Complete requests' "$output")"
  expect "$what, failed" 0 "$(number 'Failed requests' "$output")"
  expect "$what, kept alive" "$kept" "$(number 'Keep-Alive requests' "$output")"
  expect "$what, bytes" "$bytes" "$(number 'HTML transferred' "$output")"
  # ab prints these lines only if there is something to say.
  expect "$what, errors" '' "$(grep -iE 'Non-2xx|Write errors|Exceptions' <<<"$output" || true)"
}

judge_ab() {
  local body=(-p "$site/numbers.txt" -T application/octet-stream)
  ab_run 'closed' 5000 '' 65000 -c 64 "$url/plaintext"
  ab_run 'kept' 40000 40000 520000 -k -c 64 "$url/plaintext"
  ab_run 'closed, 100 clients' 5000 '' 65000 -c 100 "$url/plaintext"
  ab_run 'kept, 100 clients' 40000 40000 520000 -k -c 100 "$url/plaintext"
  ab_run 'POST, closed' 1000 '' $((1000 * 228894)) -c 100 "${body[@]}" "$url/echo"
  ab_run 'POST, kept' 1000 1000 $((1000 * 228894)) -k -c 100 "${body[@]}" "$url/echo"
  ab_run 'HEAD, kept' 5000 5000 0 -k -i -c 100 "$url/static/random.bin"
  ab_run 'files, closed' 200 '' $((200 * 3000017)) -c 50 "$url/static/random.bin"
  ab_run 'files, kept' 200 200 $((200 * 3000017)) -k -c 50 "$url/static/random.bin"
}
