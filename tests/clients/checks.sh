# What the scripts of all clients share: counting checks, and saying which of them failed. Sourced by `run`.
#
#   expect WHAT WANTED FOUND     the two must be equal
#   expect_match WHAT REGEX FOUND
#   expect_same WHAT FILE FILE   byte for byte
#   number KEY TEXT              the number behind `KEY:` in what a tool printed
#   take_over NAME COMMAND…      runs a judge that counts for itself: it prints `FAILED: …`, `NOTE: …` and `N checks`
#
# A failure ends nothing: whoever reads the log wants all of them.

checks=0
failures=0

failed_check() {
  failures=$((failures + 1))
  printf 'FAILED: %s, %s: %s\n' "$backend" "$client" "$*" >&2
}

expect() {
  checks=$((checks + 1))
  if [[ $2 != "$3" ]]; then failed_check "$1: expected '${2:0:300}', found '${3:0:300}'"; fi
}

expect_match() {
  checks=$((checks + 1))
  if [[ ! $3 =~ $2 ]]; then failed_check "$1: '$2' is not in '${3:0:300}'"; fi
}

expect_same() {
  local difference
  checks=$((checks + 1))
  if ! difference=$(cmp "$2" "$3" 2>&1); then failed_check "$1: $difference"; fi
}

number() {
  sed -n "s/^ *$1: *\([0-9]\{1,\}\).*/\1/p" <<<"$2" | head -n 1
}

take_over() {
  local name=$1 output=$work/$backend.$1.log count
  shift
  timeout 180 "$@" >"$output" 2>&1 || echo "FAILED: $name ended with $?" >>"$output"
  count=$(sed -n 's/^\([0-9]*\) checks$/\1/p' "$output")
  checks=$((checks + ${count:-0}))
  expect "$name, failures" '' "$(grep FAILED "$output" || true)"
  expect_match "$name, checks" '^[1-9][0-9]*$' "$count"
  sed -n 's/^NOTE: /          /p' "$output"
}
