// `longshore serve` with two workers, for a page that a browser opens.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { until } from "./webdriver.mjs";

export class Server {
  #process;
  #port = 0;

  constructor(program, backend, ...options) {
    Object.assign(this, { program, backend, options });
  }

  get url() { return `http://127.0.0.1:${this.#port}`; }

  // On any port for the first time, on the same one again after that.
  async start() {
    const args = ["serve", "--workers", "2", "--backend", this.backend, "--listen", `127.0.0.1:${this.#port}`];
    this.#process = spawn(this.program, [...args, ...this.options]);
    let printed = "";
    for (const stream of [this.#process.stdout, this.#process.stderr]) stream.on("data", (data) => { printed += data; });
    this.#port = await until("the server listens", () => printed.match(/listening on http:\/\/[^ ]*:(\d+)/)?.[1]);
  }

  // Harmless when it does not run.
  async stop() {
    if (!this.#process || this.#process.exitCode !== null) return;
    this.#process.kill("SIGTERM");
    const [code] = await once(this.#process, "exit");
    assert.equal(code, 0, "the server ends in order");
  }
}
