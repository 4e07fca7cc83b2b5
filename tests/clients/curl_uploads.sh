# curl as a judge of uploads: counted, echoed, announced with `Expect`, chunked, and refused. Sourced by `run`.

# upload WHAT FILE CURL-ARGUMENTS…: POST /upload counts the bytes of a file.
upload() {
  local what=$1 file=$2
  shift 2
  ask -X POST -T "$file" -D "$work/head" -o "$work/reply" "$@" "$url/upload" || true
  expect "$what is counted" "$(stat -Lc %s "$file")" "$(cat "$work/reply")"
}

# Without 100 curl would wait for 20 s, and fail the check at 15.
wait_for_100=(--expect100-timeout 20 --max-time 15)

curl_uploads() {
  head -c 900001 "$site/random.bin" >"$work/fits"
  expect 'PUT /echo' 200 "$(status -T "$work/fits" "$url/echo")"
  expect_same 'content of PUT /echo' "$work/fits" "$work/reply"
  expect 'PUT /echo, 100-continue' 200 \
    "$(status "${wait_for_100[@]}" -H 'Expect: 100-continue' -D "$work/head" -T "$work/fits" "$url/echo")"
  expect 'the heads of that' '100 200 ' "$(sed -n 's|^HTTP/1.1 \([0-9]*\).*|\1|p' "$work/head" | tr -d '\r' | tr '\n' ' ')"
  expect_same 'content of that' "$work/fits" "$work/reply"
  expect 'PUT /echo, chunked' 200 "$(status -H 'Transfer-Encoding: chunked' -T - "$url/echo" <"$work/fits")"
  expect_same 'content of that' "$work/fits" "$work/reply"
  expect 'PUT /echo, no bytes' '200 0' "$(ask -w '%{http_code} %{size_download}' -T /dev/null "$url/echo")"
  # HTTP/1.0 has no 100 (RFC 9110 §10.1.1), so a body is sent at once.
  expect 'PUT /echo, HTTP/1.0' 200 "$(status --http1.0 -D "$work/head" -T "$work/fits" "$url/echo")"
  expect_same 'content of that' "$work/fits" "$work/reply"

  upload '1 GiB, exactly the limit,' "$site/sparse.bin" "${wait_for_100[@]}"
  expect_match '100 before it' 'HTTP/1.1 100 Continue' "$(cat "$work/head")"
  upload '3 MB without Expect' "$site/random.bin" -H 'Expect:'
  expect 'no 100 without Expect' '' "$(grep '^HTTP/1.1 100' "$work/head" || true)"
  upload '3 MB over the Unix socket' "$site/random.bin" --unix-socket "$socket"
  expect '3 MB, chunked, with Expect' 3000017 \
    "$(ask "${wait_for_100[@]}" -X POST -H 'Transfer-Encoding: chunked' -T - "$url/upload" <"$site/random.bin")"
  expect '3 MB, chunked, without Expect' 3000017 \
    "$(ask -X POST -H 'Expect:' -H 'Transfer-Encoding: chunked' -T - "$url/upload" <"$site/random.bin")"
  expect 'a pipe that pauses' 20 \
    "$(for _ in {1..5}; do printf 'abc\n'; sleep 0.2; done |
      ask -X POST -H 'Transfer-Encoding: chunked' -T - "$url/upload")"
  expect 'a number as data' 49 "$(ask --data 42 "$url/baseline11?a=2&b=5")"
  expect_match 'a form' '^3000[0-9]{3}$' "$(ask --form "file=@$site/random.bin" "$url/upload")"
}

curl_refused_uploads() {
  local big=$work/too-big
  expect 'too large for /echo, with Expect' '413 0' \
    "$(ask -T "$site/random.bin" -o "$work/reply" -w '%{http_code} %{size_upload}' "$url/echo")"
  # The server must not reset what curl has not read yet (RFC 9112 §9.6). Whether it does is a race: once is not enough.
  expect 'too large for /echo, without Expect, 40 times' 40 \
    "$(for _ in {1..20}; do
      status -H 'Expect:' -T "$site/random.bin" "$url/echo"
      echo
      status -H 'Expect:' -H 'Transfer-Encoding: chunked' -T - "$url/echo" <"$site/random.bin"
      echo
    done | grep -c '^413$')"
  truncate -s $(((1 << 30) + 1)) "$big"
  expect 'a byte above 1 GiB' '413 0' \
    "$(ask -X POST -T "$big" -o "$work/reply" -w '%{http_code} %{size_upload}' "$url/upload")"
  expect 'a byte above 1 GiB, chunked' 413 \
    "$(status -X POST -H 'Expect:' -H 'Transfer-Encoding: chunked' -T - "$url/upload" <"$big")"
  rm "$big"
  expect 'PUT where nothing is, with Expect' '404 0' \
    "$(ask -T "$site/random.bin" -o "$work/reply" -w '%{http_code} %{size_upload}' "$url/nothing")"
  expect 'POST to a file' '405 GET, HEAD, OPTIONS' \
    "$(status -d abc -D "$work/head" "$url/static/one.txt") $(head_field allow)"
}
