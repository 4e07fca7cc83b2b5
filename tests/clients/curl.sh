# curl as a judge: what a careful client sees of versions, ranges, conditions, codings and reuse. Sourced by `run`, with
# curl_uploads.sh and curl_strangers.sh, which use what stands at the top here.
#
# Options not given on the command line are curl's own, such as `Expect: 100-continue` for uploads above 1 MiB.

ask() {
  # What the request before left must not pass for the content of one that failed.
  : >"$work/reply"
  curl --silent --show-error --max-time 30 "$@" 2>"$work/curl.err"
}

# The status alone; 000 if there was no reply. The content goes to $work/reply.
status() {
  ask --output "$work/reply" --write-out '%{http_code}' "$@" || true
}

# The value of a field in the head that was dumped to $work/head.
head_field() {
  tr -d '\r' <"$work/head" | sed -n "s/^$1: //Ip"
}

judge_curl() {
  curl_versions
  curl_ranges
  curl_conditions
  curl_codings
  curl_uploads
  curl_refused_uploads
  curl_reuse
  curl_parallel
  curl_paths
  curl_strangers
  curl_stopped_downloads
  curl_big
}

curl_versions() {
  local name
  expect 'HTTP/1.0' '200 close' "$(status --http1.0 -D "$work/head" "$url/plaintext") $(head_field connection)"
  expect 'content of HTTP/1.0' 'Hello, World!' "$(cat "$work/reply")"
  expect 'HTTP/1.1' '200 1.1' "$(ask -o "$work/reply" -w '%{http_code} %{http_version}' --http1.1 "$url/plaintext")"
  if [[ $(curl --version) == *HTTP2* ]]; then
    # An offer of HTTP/2 in the clear may be ignored (RFC 9110 §7.8).
    expect 'h2c is not taken' '200 1.1' "$(ask -o "$work/reply" -w '%{http_code} %{http_version}' --http2 "$url/plaintext")"
    expect 'HTTP/2 with prior knowledge' 000 "$(status --http2-prior-knowledge "$url/")"
  fi
  expect 'keep-alive of HTTP/1.0' '1 0 ' "$(ask --http1.0 -H 'Connection: keep-alive' -w '%{num_connects} ' \
    -o "$work/reply" -o "$work/reply" "$url/plaintext" "$url/json")"

  for name in random.bin numbers.txt empty.txt one.txt sub/; do
    expect "GET $name" 200 "$(status --dump-header "$work/head" "$url/static/$name")"
    expect_same "content of $name" "$site/${name/%sub\//sub/index.html}" "$work/reply"
    expect "HEAD $name" 200 "$(ask --head -o "$work/head.of" -w '%{http_code}' "$url/static/$name")"
    expect "HEAD $name says what GET says" "$(grep -vi '^date:' "$work/head")" "$(grep -vi '^date:' "$work/head.of")"
  done
  # curl --head does not read what follows the head; a second request on the connection would meet it.
  expect 'nothing follows the head' '200 0 200 13 ' \
    "$(ask -w '%{http_code} %{size_download} ' -o "$work/reply" --head "$url/static/random.bin" --next -sS \
      -w '%{http_code} %{size_download} ' -o "$work/reply" "$url/plaintext")"

  expect 'Unix socket' 200 "$(status --unix-socket "$socket" http://localhost/static/random.bin)"
  expect_same 'content over the Unix socket' "$site/random.bin" "$work/reply"
  expect 'OPTIONS' '204 GET, HEAD, OPTIONS' "$(status -X OPTIONS -D "$work/head" "$url/plaintext") $(head_field allow)"
  expect 'OPTIONS *' 204 "$(status -X OPTIONS --request-target '*' "$url")"
  expect 'absolute form, as to a proxy' 200 "$(status --proxy "$url" http://example.test/plaintext)"
  expect 'a redirect is followed' '200 1' "$(ask -L -o "$work/reply" -w '%{http_code} %{num_redirects}' "$url/static/sub")"
}

# range WHAT RANGE FIRST COUNT
range() {
  expect "range $2" 206 "$(status --range "$2" -D "$work/head" "$url/static/$1")"
  tail -c "+$(($3 + 1))" "$site/$1" | head -c "$4" >"$work/expected" || true
  expect_same "content of range $2" "$work/expected" "$work/reply"
  expect "Content-Range of $2" "bytes $3-$(($3 + $4 - 1))/$(stat -c %s "$site/$1")" "$(head_field content-range)"
}

curl_ranges() {
  local size=3000017
  range random.bin 0-0 0 1
  range random.bin 1000-1999 1000 1000
  range random.bin 2999000- 2999000 1017
  range random.bin -70001 2930016 70001
  range random.bin 5-99999999 5 3000012
  range sparse.bin 1000000001-1000100000 1000000001 100000

  expect 'several ranges' 206 "$(status --range 0-1,100-103,-2 -D "$work/head" "$url/static/numbers.txt")"
  expect_match 'several ranges' '^multipart/byteranges; boundary=' "$(head_field content-type)"
  expect 'parts of several ranges' 'bytes 0-1/228894 bytes 100-103/228894 bytes 228892-228893/228894 ' \
    "$(tr -d '\r' <"$work/reply" | sed -n 's/^Content-Range: //p' | tr '\n' ' ')"
  expect 'length of several ranges' "$(head_field content-length)" "$(stat -c %s "$work/reply")"

  expect 'beyond the end' '416 bytes */3000017' \
    "$(status --range "$size-" -D "$work/head" "$url/static/random.bin") $(head_field content-range)"
  head -c 1000003 "$site/random.bin" >"$work/part"
  expect 'resumed' 206 "$(ask --continue-at - -o "$work/part" -w '%{http_code}' "$url/static/random.bin")"
  expect_same 'content when resumed' "$site/random.bin" "$work/part"
  # curl takes 416 with the length that it has already for success.
  expect 'resumed at the end' 416 "$(ask --continue-at - -o "$work/part" -w '%{http_code}' "$url/static/random.bin" || true)"
  expect_same 'content after that' "$site/random.bin" "$work/part"
}

curl_conditions() {
  local file=$url/static/random.bin
  expect 'saves an entity tag' 200 "$(status --etag-save "$work/etag" "$file")"
  expect_match 'entity tag' '^"[^"]+"' "$(cat "$work/etag")"
  expect 'If-None-Match' '304 0' \
    "$(ask --etag-compare "$work/etag" -o "$work/reply" -w '%{http_code} %{size_download}' "$file")"
  expect 'another If-None-Match' 200 "$(status -H 'If-None-Match: "another"' "$file")"
  expect 'If-None-Match: *' 304 "$(status -H 'If-None-Match: *' "$file")"
  expect 'If-Modified-Since its own time' 304 "$(status --time-cond "$site/random.bin" "$file")"
  expect 'If-Modified-Since long ago' 200 "$(status --time-cond '1 Jan 2000 00:00:00 GMT' "$file")"
  expect 'If-Unmodified-Since long ago' 412 "$(status --time-cond '-1 Jan 2000 00:00:00 GMT' "$file")"
  expect 'If-Match of another' 412 "$(status -H 'If-Match: "another"' "$file")"
  expect 'If-Range of its own' 206 "$(status -H "If-Range: $(cat "$work/etag")" --range 0-9 "$file")"
  expect 'If-Range of another' 200 "$(status -H 'If-Range: "another"' --range 0-9 "$file")"
  expect 'the time of the file' "$(stat -c %Y "$site/random.bin")" \
    "$(ask --remote-time -o "$work/timed" "$file" && stat -c %Y "$work/timed")"
}

# coded PATH PLAIN-FILE CODING: what curl decodes is the plain file, and fewer bytes were sent.
coded() {
  local sent
  sent=$(ask --compressed -D "$work/head" -o "$work/reply" -w '%{size_download}' "$url$1") || true
  expect "Content-Encoding of $1" "$3" "$(head_field content-encoding)"
  expect_match "Vary of $1" '[Aa]ccept-[Ee]ncoding' "$(head_field vary)"
  expect "Content-Length of $1" "$sent" "$(head_field content-length)"
  expect_same "content of $1, decoded" "$2" "$work/reply"
  expect "$1 is shorter when coded" yes "$( ((sent < $(stat -c %s "$2"))) && echo yes)"
}

curl_codings() {
  local best=gzip plain
  expect '/ as it is' 200 "$(status -D "$work/head" "$url/")"
  expect 'no coding unless asked for' '' "$(head_field content-encoding)"
  cp "$work/reply" "$work/index.plain"
  coded / "$work/index.plain" gzip
  coded /static/numbers.txt "$site/numbers.txt" gzip
  if [[ -e $site/letters.txt.br && $(curl --version) == *brotli* ]]; then best=br; fi
  coded /static/letters.txt "$site/letters.txt" "$best"
  ask -o "$work/reply" --etag-save "$work/etag" "$url/static/numbers.txt" || true
  expect 'each form has its own entity tag' 200 \
    "$(status --compressed --etag-compare "$work/etag" "$url/static/numbers.txt")"
  plain=$(ask --compressed -H 'Accept-Encoding: gzip;q=0' -D "$work/head" "$url/static/numbers.txt" | wc -c)
  expect 'gzip;q=0 gets none' "$(stat -c %s "$site/numbers.txt")" "$plain"
}

# One connection through everything that need not close it: `status:new connections`.
curl_reuse() {
  local each=(-sS -o "$work/reply" -w '%{http_code}:%{num_connects} ') found
  found=$(curl --max-time 30 "${each[@]}" "$url/plaintext" \
    --next "${each[@]}" --head "$url/static/random.bin" \
    --next "${each[@]}" "$url/nothing" \
    --next "${each[@]}" -d abc "$url/echo" \
    --next "${each[@]}" -d abc "$url/plaintext" \
    --next "${each[@]}" -d abc "$url/nothing" \
    --next "${each[@]}" --range 99999999- "$url/static/random.bin" \
    --next "${each[@]}" --range 1-2,4-5 "$url/static/random.bin" \
    --next "${each[@]}" -H 'If-None-Match: *' "$url/static/random.bin" \
    --next "${each[@]}" -X DELETE "$url/static/random.bin" \
    --next "${each[@]}" -X UNKNOWN "$url/static/random.bin" \
    --next "${each[@]}" -X OPTIONS "$url/static/random.bin" \
    --next "${each[@]}" "$url/static/empty.txt" \
    --next "${each[@]}" "$url/static/sub" \
    --next "${each[@]}" --compressed "$url/" \
    --next "${each[@]}" -T "$work/fits" "$url/echo" \
    --next "${each[@]}" --path-as-is "$url/static/../x" \
    --next "${each[@]}" "$url/ws" 2>&1) || true
  expect 'one connection for all of it' \
    '200:1 200:0 404:0 200:0 405:0 404:0 416:0 206:0 304:0 405:0 501:0 204:0 200:0 301:0 200:0 200:0 400:0 426:0 ' "$found"
  expect 'Connection: close ends it' '200:1 200:1 ' \
    "$(curl --max-time 30 "${each[@]}" -o "$work/reply" -H 'Connection: close' "$url/plaintext" "$url/json" 2>&1)"
  found=$(ask -o "$work/reply#1" -w '%{http_code}:%{num_connects}\n' "$url/plaintext?[1-1000]" |
    sort | uniq -c | sed 's/^ *//')
  rm -f "$work"/reply[0-9]*
  expect '1000 requests, one connection' $'999 200:0\n1 200:1' "$found"
}

curl_parallel() {
  local found name wrong=0
  rm -rf "$work/parallel"
  mkdir "$work/parallel"
  found=$(ask --parallel --parallel-max 50 -o "$work/parallel/#1" -w '%{http_code}\n' "$url/static/random.bin?[1-100]" |
    sort | uniq -c | sed 's/^ *//')
  expect '100 downloads, 50 at a time' '100 200' "$found"
  for name in "$work"/parallel/*; do
    cmp -s "$site/random.bin" "$name" || wrong=$((wrong + 1))
  done
  expect 'of them with wrong bytes' 0 "$wrong"
  rm -r "$work/parallel"
}

curl_big() {
  expect '1 GiB' same "$(ask "$url/static/sparse.bin" | cmp - "$site/sparse.bin" 2>&1 && echo same)"
  expect '1 GiB over the Unix socket' same \
    "$(ask --unix-socket "$socket" http://localhost/static/sparse.bin | cmp - "$site/sparse.bin" 2>&1 && echo same)"
}
