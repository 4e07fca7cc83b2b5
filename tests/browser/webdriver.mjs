// A browser, driven by the WebDriver protocol (W3C) over plain HTTP. No dependencies.

import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";

export const PATIENCE_MS = 20_000;

// Asks until the answer is truthy. Fails with the last answer.
export async function until(what, ask, patience = PATIENCE_MS) {
  const deadline = Date.now() + patience;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > deadline) throw new Error(`not within ${patience / 1000} s: ${what}`);
    await sleep(50);
  }
}

export class Browser {
  #process;
  #base;

  static async start() {
    const browser = new Browser();
    browser.#process = spawn("chromedriver", ["--port=0"], { stdio: ["ignore", "pipe", "inherit"] });
    let printed = "";
    browser.#process.stdout.on("data", (data) => { printed += data; });
    const port = await until("chromedriver listens", () => printed.match(/on port (\d+)\./)?.[1]);
    const args = [
      "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server",
      // Only one tab is in front, and all of them have to live.
      "--disable-background-timer-throttling", "--disable-renderer-backgrounding", "--disable-backgrounding-occluded-windows",
    ];
    browser.#base = `http://127.0.0.1:${port}/session`;
    const capabilities = {
      alwaysMatch: {
        browserName: "chrome",
        "goog:chromeOptions": { args, binary: "/usr/bin/chromium" },
        "goog:loggingPrefs": { browser: "ALL" },
      },
    };
    const { sessionId } = await browser.call("POST", "", { capabilities });
    browser.#base += `/${sessionId}`;
    return browser;
  }

  async stop() {
    await this.call("DELETE", "").catch(() => {});
    this.#process.kill();
  }

  async call(method, path, body) {
    const options = { method, headers: { "Content-Type": "application/json" } };
    if (method === "POST") options.body = JSON.stringify(body ?? {});
    const reply = await fetch(this.#base + path, options);
    const { value } = await reply.json();
    if (!reply.ok) throw new Error(`${method} ${path}: ${value.error}: ${value.message}`);
    return value;
  }

  // What the consoles of all tabs have said since the last call.
  log() {
    return this.call("POST", "/se/log", { type: "browser" });
  }

  // A new tab with its own sessionStorage, as if the user had opened it.
  async tab(name) {
    const { handle } = await this.call("POST", "/window/new", { type: "tab" });
    return new Tab(this, handle, name);
  }
}

// One tab. Each method puts it in front first.
export class Tab {
  constructor(browser, handle, name) {
    Object.assign(this, { browser, handle, name });
  }

  async call(method, path, body) {
    await this.browser.call("POST", "/window", { handle: this.handle });
    return this.browser.call(method, path, body);
  }

  open(url) { return this.call("POST", "/url", { url }); }
  reload() { return this.call("POST", "/refresh"); }
  close() { return this.call("DELETE", "/window"); }
  chromium(cmd, params) { return this.call("POST", "/goog/cdp/execute", { cmd, params }); }

  // Runs a function in the page.
  run(script, ...args) {
    return this.call("POST", "/execute/sync", { script: `return (${script}).apply(null, arguments)`, args });
  }

  // Waits until a function of the page is truthy.
  until(what, script, ...args) {
    return until(`${this.name}: ${what}`, () => this.run(script, ...args));
  }

  // Presses keys one after the other, into whatever has the focus. No mouse, no element is named.
  keys(...keys) {
    const actions = keys.flatMap((key) => {
      const shift = key.startsWith("Shift+");
      const value = KEYS[key.replace("Shift+", "")] ?? key;
      const stroke = [...value].flatMap((one) => [{ type: "keyDown", value: one }, { type: "keyUp", value: one }]);
      return shift ? [{ type: "keyDown", value: KEYS.Shift }, ...stroke, { type: "keyUp", value: KEYS.Shift }] : stroke;
    });
    return this.call("POST", "/actions", { actions: [{ type: "key", id: "keyboard", actions }] });
  }

  // The id of what has the focus.
  focus() { return this.run(() => document.activeElement.id); }

  async screenshot() { return Buffer.from(await this.call("GET", "/screenshot"), "base64"); }

  // As a phone or a desktop shows it.
  size(width, height) {
    const mobile = width < 600;
    return this.chromium("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: mobile ? 2 : 1, mobile });
  }
}

// WebDriver §17.4.2
const KEYS = { Tab: "\uE004", Enter: "\uE007", Shift: "\uE008", Escape: "\uE00C", Home: "\uE011", Backspace: "\uE003" };
