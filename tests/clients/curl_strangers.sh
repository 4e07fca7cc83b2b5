# curl as a judge of what a client should not do: escaping the site, speaking other protocols, going away. Sourced by `run`.

# A status of 4xx, and not a byte of the secret.
curl_paths() {
  local path found
  for path in /static/../secret.txt /static/../../../../../../etc/passwd /static/%2e%2e/secret.txt \
    /static/..%2fsecret.txt /static/%2e%2e%2fsecret.txt /static/sub/../../secret.txt \
    /static/sub%2f..%2f..%2fsecret.txt '/static/..\secret.txt' /static/..%5csecret.txt \
    /static/%252e%252e/secret.txt /static//etc/passwd /static/%00 /static/one.txt%00.html \
    /static/outside.txt /static/.hidden /static/sub/%2e%2e/.hidden /static../secret.txt //static/../secret.txt \
    /static/%c0%ae%c0%ae/secret.txt /static/one.txt/ /static/one.txt/../../secret.txt; do
    found=$(status --path-as-is "$url$path")
    expect_match "$path" '^40[034]$' "$found"
    expect "secrets in the reply to $path" 0 "$(grep -c -e secret -e root: "$work/reply")"
  done
  expect 'an awkward name' 200 "$(status "$url/static/names/a%20b,%20%C3%BCn%C3%AF%20&%20100%25.txt")"
  expect 'content of that' 'an awkward name' "$(cat "$work/reply")"
}

# Clients of other protocols, and requests that are refused. The statuses are curl's: 000 if it read no HTTP.
curl_strangers() {
  expect 'TLS' 000 "$(status "https://${url#http://}/")"
  expect 'a PROXY line' 400 "$(status --haproxy-protocol "$url/")"
  expect 'CONNECT' '000 405' \
    "$(ask --proxytunnel --proxy "$url" -o "$work/reply" -w '%{http_code} %{http_connect}' http://example.test/ || true)"
  expect 'TRACE' 405 "$(status -X TRACE "$url/")"
  expect 'no Host' 400 "$(status -H 'Host:' "$url/plaintext")"
  expect 'no Host in HTTP/1.0' 200 "$(status --http1.0 -H 'Host:' "$url/plaintext")"
  expect 'two lengths' 400 "$(status -H 'Content-Length: 4' -H 'Content-Length: 3' -d abc "$url/echo")"
  expect 'a head too long' 431 "$(status -H "X: $(head -c 17000 /dev/zero | tr '\0' x)" "$url/")"
  expect 'a target too long' 414 "$(status "$url/$(head -c 9000 /dev/zero | tr '\0' x)")"
  expect 'GET with a body' 200 "$(status -X GET -d abc "$url/plaintext")"
  expect 'served as before' 200 "$(status "$url/plaintext")"
}

# Readers that go away in the middle, that are slow, and that wait for much.
curl_stopped_downloads() {
  local readers=() at
  for ((at = 0; at < 20; at++)); do
    curl -s --limit-rate 1M --max-time 0.$((at % 9 + 1)) -o /dev/null "$url/static/sparse.bin" &
    readers+=($!)
  done
  expect 'a slow reader' 200 "$(status --limit-rate 2M "$url/static/random.bin")"
  expect_same 'content of the slow reader' "$site/random.bin" "$work/reply"
  expect 'a slow writer' 3000017 "$(ask --limit-rate 2M -X POST -T "$site/random.bin" "$url/upload")"
  wait "${readers[@]}" || true
}
