# Chromium as a judge: see chromium.mjs. Sourced by `run`, behind node.sh, from which it takes `script`.

judge_chromium() {
  script chromium.mjs "$url"
}
