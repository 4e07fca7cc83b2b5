# Makes the directory that is served, and next to it what must never be served. Sourced by `run`.
#
#   $site/random.bin       3,000,017 random bytes
#   $site/sparse.bin       1 GiB of holes, with 64 KiB of random bytes every 32 MiB, at odd places
#   $site/numbers.txt      text, with the sibling numbers.txt.gz
#   $site/letters.txt      text, with the siblings letters.txt.gz and letters.txt.br (the latter with Node)
#   $site/page.html …      what a browser loads: see chromium.mjs
#   $site/tone.wav         ten minutes of silence, for a player that seeks
#   $site/sub/             a directory with an index
#   $site/names/           a directory without one, and files with awkward names
#   $site/outside.txt      a link that leads out of the site
#   $secret                what it leads to

make_site() {
  site=$work/site
  secret=$work/secret.txt
  rm -rf "$site"
  mkdir -p "$site/sub" "$site/names"
  echo 'the secret outside of the site' >"$secret"
  ln -s ../secret.txt "$site/outside.txt"
  echo 'the secret inside of the site' >"$site/.hidden"
  : >"$site/empty.txt"
  printf '1' >"$site/one.txt"
  head -c 3000017 /dev/urandom >"$site/random.bin"
  seq 1 40000 >"$site/numbers.txt"
  gzip -9 --keep "$site/numbers.txt"
  yes 'abc def ghi jkl mno pqr' | head -n 5000 >"$site/letters.txt" || true
  gzip -9 --keep "$site/letters.txt"
  if command -v node >/dev/null; then
    node -e 'const { readFileSync, writeFileSync } = require("fs"), name = process.argv[1];
      writeFileSync(name + ".br", require("zlib").brotliCompressSync(readFileSync(name)))' "$site/letters.txt"
  fi
  echo '<!doctype html><title>sub</title><p>the index of sub</p>' >"$site/sub/index.html"
  local name
  for name in 'a b, ünï & 100%.txt' '<img src=x onerror=alert(1)>.txt' $'"quoted\' #fragment?query;.txt'; do
    echo 'an awkward name' >"$site/names/$name"
  done
  make_sparse
  make_tone
  cp "$here"/page/* "$site/"
  base64 -d >"$site/pixel.png" <<'PNG'
iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==
PNG
}

# Holes alone would look right wherever they came from.
make_sparse() {
  local at
  truncate -s 1G "$site/sparse.bin"
  for ((at = 4097; at < 1 << 30; at += 1 << 25)); do
    head -c 65536 /dev/urandom |
      dd of="$site/sparse.bin" bs=64K oflag=seek_bytes seek="$at" conv=notrunc iflag=fullblock status=none
  done
}

# RIFF, PCM, one channel, 8,000 samples of 8 bits a second.
make_tone() {
  local bytes=4800000
  {
    printf 'RIFF%bWAVEfmt %b%b%b%b%b%b%bdata%b' "$(little 4 $((bytes + 36)))" "$(little 4 16)" \
      "$(little 2 1)" "$(little 2 1)" "$(little 4 8000)" "$(little 4 8000)" "$(little 2 1)" "$(little 2 8)" "$(little 4 "$bytes")"
    head -c "$bytes" /dev/zero | tr '\0' '\200'
  } >"$site/tone.wav"
}

# A number as COUNT bytes for printf %b, the lowest first.
little() {
  local at value=$2
  for ((at = 0; at < $1; at++)); do
    printf '\\x%02x' $((value & 255))
    value=$((value >> 8))
  done
}
