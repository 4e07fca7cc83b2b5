# h2load (nghttp2) as a judge: HTTP/1.1, many clients, plain and pipelined. Sourced by `run`.

# h2load_run WHAT REQUESTS BYTES ARGUMENTS…: every request succeeds, and the contents together are BYTES long.
h2load_run() {
  local what=$1 requests=$2 bytes=$3 output
  shift 3
  logged[h2load]=$((logged[h2load] + requests))
  output=$(h2load --h1 --threads 1 --clients 64 --requests "$requests" "$@" 2>&1) ||
    failed_check "$what: h2load failed: $output"
  printf '== %s %s\n%s\n' "$backend" "$what" "$output" >>"$work/h2load.log"
  expect "$what, requests" \
    "requests: $requests total, $requests started, $requests done, $requests succeeded, 0 failed, 0 errored, 0 timeout" \
    "$(grep '^requests:' <<<"$output")"
  expect "$what, statuses" "status codes: $requests 2xx, 0 3xx, 0 4xx, 0 5xx" "$(grep '^status codes:' <<<"$output")"
  expect "$what, bytes" "$bytes" "$(sed -n 's/^traffic: .*(\([0-9]*\)) data$/\1/p' <<<"$output")"
}

judge_h2load() {
  local index numbers
  index=$(curl --silent "$url/" --compressed -o /dev/null -w '%{size_download}')
  numbers=$(stat -c %s "$site/numbers.txt.gz")
  h2load_run 'one at a time' 40000 $((40000 * 13)) "$url/plaintext"
  h2load_run 'pipelined 16' 100000 $((100000 * 13)) --max-concurrent-streams 16 "$url/plaintext"
  # Deeper than any batch of ours, so that replies wait for room.
  h2load_run 'pipelined 200' 100000 $((100000 * 27)) --max-concurrent-streams 200 "$url/json"
  h2load_run 'files, pipelined 4' 400 $((400 * 3000017)) --max-concurrent-streams 4 "$url/static/random.bin"
  h2load_run 'siblings, pipelined 8' 4000 $((4000 * numbers)) --max-concurrent-streams 8 \
    --header 'Accept-Encoding: gzip' "$url/static/numbers.txt"
  h2load_run 'compressed, pipelined 8' 4000 $((4000 * index)) --max-concurrent-streams 8 \
    --header 'Accept-Encoding: gzip' "$url/"
  h2load_run 'bodies, pipelined 4' 2000 $((2000 * 228894)) --max-concurrent-streams 4 --data "$site/numbers.txt" "$url/echo"
}
