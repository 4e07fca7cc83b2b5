# slowhttptest as a judge: clients that hold connections by being slow, while curl is served. Sourced by `run`.
#
# Its modes run at the same time: heads that never end, bodies that never end, readers that hardly read, and requests for
# a thousand ranges each.

# Longer than the 10 s of the head timeout and the body grace, so that those clients are cut; the write stall is 30 s.
slow_seconds=13
slow_clients=100

# slow_start MODE PATH ARGUMENTS…
slow_start() {
  local mode=$1 path=$2
  shift 2
  timeout 60 slowhttptest "-$mode" -c "$slow_clients" -r "$slow_clients" -l "$slow_seconds" -p 3 -v 1 -g \
    -o "$work/$backend.slow.$mode" "$@" -u "$url$path" >"$work/$backend.slow.$mode.log" 2>&1 &
  slow+=($!)
}

# slow_report MODE NAME: as the tool saw it. Rows are: seconds, closed, pending, connected, whether its probe was answered.
slow_report() {
  local rows closed held unserved
  rows=$(tail -n +2 "$work/$backend.slow.$1.csv")
  read -r closed held unserved < <(awk -F, '{ if ($4 > held) held = $4; closed = $2; if ($5 != 100) unserved++ }
    END { print closed + 0, held + 0, unserved + 0 }' <<<"$rows")
  printf '          slow %s: %d connections at most; at the last look %d were closed\n' "$2" "$held" "$closed"
  expect "slow $2, seconds in which the probe was not answered" 0 "$unserved"
}

# slow_end MODE NAME REASON: why the tool ended.
slow_end() {
  expect_match "slow $2, the end" "Exit status: +$3" "$(tr -d '\033' <"$work/$backend.slow.$1.log" | sed 's/\[[0-9;]*m//g')"
}

judge_slow() {
  local slow=() at deadline=$((SECONDS + slow_seconds)) answered=0 asked=0
  slow_start H /plaintext -i 1 -x 8
  slow_start B /upload -i 1 -x 8 -s 8192
  slow_start X /static/random.bin -w 512 -y 1024 -n 1 -z 32 -k 3
  slow_start R /static/random.bin -a 5 -b 1000 -t GET
  while ((SECONDS < deadline)); do
    for at in /plaintext /static/numbers.txt; do
      asked=$((asked + 1))
      if [[ $(status --max-time 2 "$url$at") == 200 ]]; then answered=$((answered + 1)); fi
    done
    sleep 0.2
  done
  wait "${slow[@]}" || true
  expect 'requests of curl meanwhile that were answered' "$asked" "$answered"
  slow_report H heads
  slow_report B bodies
  slow_report X readers
  slow_report R ranges
  slow_end H heads 'No open connections left'
  slow_end B bodies 'No open connections left'
  slow_end X readers 'Hit test time limit'
  slow_end R ranges 'No open connections left'
}
