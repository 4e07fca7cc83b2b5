// The feed's page in a real browser. Usage: node browser.mjs LONGSHORE BACKEND FOLDER-FOR-SCREENSHOTS; see `run`.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { complaints, pale, wide } from "../browser/judges.mjs";
import { Server } from "../browser/server.mjs";
import { Browser } from "../browser/webdriver.mjs";

const [program, backend, folder] = process.argv.slice(2);
const server = new Server(program, backend, "--feed-interval", "200");
const WAYS = ["poll", "long-poll", "events", "socket"];

// ---- What the tab shows. These functions run in the page -----------------------------------------------------------

const ids = (way) => [...document.querySelectorAll(`#${way} .events li[data-id]`)].map((item) => Number(item.dataset.id)).reverse();
const events = (way) => [...document.querySelectorAll(`#${way} .events li[data-id]`)]
  .map((item) => [item.dataset.id, item.querySelector(".text").textContent]);
const states = () => [...document.querySelectorAll(".state-text")].map((item) => item.textContent);
const figures = (way) => Object.fromEntries([...document.querySelectorAll(`#${way} dd`)].map((item) => [item.dataset.figure, item.textContent]));
const allRun = () => document.querySelectorAll('.way[data-state="open"]').length === 4;

const number = (text) => Number(text.replace(/[ ,ms]/g, ""));

async function figuresOfAll() {
  const all = {};
  for (const way of WAYS) all[way] = await tab.run(figures, way);
  return all;
}

// Until every way has told so many events more.
async function untilMore(count) {
  const all = await figuresOfAll();
  const wanted = Math.max(...WAYS.map((way) => number(all[way].events))) + count;
  await tab.until(`${count} events more`, (wanted) => [...document.querySelectorAll("[data-figure=events]")]
    .every((item) => Number(item.textContent.replace(",", "")) >= wanted), wanted);
}

// ---- The story ------------------------------------------------------------------------------------------------------

const steps = {
  async "all four run by themselves"() {
    await tab.open(`${server.url}/feed`);
    await tab.until("run", allRun);
  },

  async "they show the same events, without a gap"() {
    await untilMore(12);
    await tab.run(() => document.getElementById("toggle").click());
    assert.deepEqual(await tab.run(states), Array(4).fill("Stopped"));
    const texts = new Map();
    for (const way of WAYS) {
      const shown = await tab.run(ids, way);
      assert.ok(shown.length === 10, `${way}: ${shown}`);
      assert.deepEqual(shown, shown.map((_, index) => shown[0] + index), `${way} has a gap`);
      for (const [id, text] of await tab.run(events, way)) assert.equal(texts.get(id) ?? text, text, `${way}: ${id}`);
      for (const [id, text] of await tab.run(events, way)) texts.set(id, text);
    }
    // Where each began: so nothing is missing in what is not shown any more. The figures are painted behind the events.
    await tab.until("began behind the same event", () => new Set([...document.querySelectorAll(".way")].map((way) =>
      way.querySelector("li[data-id]").dataset.id - way.querySelector("[data-figure=events]").textContent)).size === 1);
  },

  async "the figures are what they must be"() {
    const all = await figuresOfAll();
    for (const way of WAYS) {
      const { requests, up, down, events: count, each, median } = all[way];
      assert.ok([requests, up, down, count, each].every((text) => number(text) > 0), `${way}: ${JSON.stringify(all[way])}`);
      assert.equal(number(each), Math.round((number(up) + number(down)) / number(count)), way);
      assert.match(median, /^-?[\d,.]+ ms$/);
    }
    const requests = WAYS.map((way) => number(all[way].requests));
    assert.deepEqual(requests.slice(2), [1, 1], "a stream and a WebSocket are opened once");
    // One for each event; but what happens while the next one is on its way comes with it, and this machine may be slow.
    assert.ok(requests[1] * 2 > number(all["long-poll"].events), "long polls are asked again and again");
    const each = WAYS.map((way) => number(all[way].each));
    assert.ok(each[1] > each[2] && each[2] > each[3], `long poll, stream, WebSocket: ${each}`);
    const median = (way) => number(all[way].median);
    assert.ok(median("poll") > median("socket"), "who asks once a second hears later");
    assert.equal(await tab.run(() => document.getElementById("clocks").hidden), true, "one machine, one clock");
  },

  async "polling more often asks more often"() {
    await tab.run(() => { document.getElementById("interval").value = "250"; });
    await tab.run(() => document.getElementById("toggle").click());
    await tab.until("run", allRun);
    await untilMore(12);
    const { requests, events: count } = await tab.run(figures, "poll");
    assert.ok(number(requests) * 2 > number(count), "some four a second, of five events");
  },

  async "it is worked by keyboard, and everything has a name"() {
    await tab.run(() => document.activeElement.blur());
    const reached = [];
    for (let count = 0; count < 3; count += 1) {
      await tab.keys("Tab");
      reached.push(await tab.run(() => document.activeElement.id || document.activeElement.tagName));
    }
    assert.deepEqual(reached, ["toggle", "interval", "SUMMARY"]);
    await tab.keys("Enter");
    assert.equal(await tab.run(() => document.querySelector("details").open), true);
    const names = await tab.run(() => [...document.querySelectorAll("article")]
      .map((item) => document.getElementById(item.getAttribute("aria-labelledby")).textContent));
    assert.deepEqual(names, ["Polling", "Long polling", "Event stream", "WebSocket"]);
    assert.equal(await tab.run(() => document.getElementById("interval").labels.length), 1);
  },

  async "it fits a phone, and can be read by day and night"() {
    for (const scheme of ["light", "dark"]) {
      const features = [{ name: "prefers-color-scheme", value: scheme }];
      for (const [width, height] of [[360, 740], [768, 1024], [1280, 800]]) {
        await tab.size(width, height);
        await tab.chromium("Emulation.setEmulatedMedia", { features });
        await sleep(150);
        await screenshot(`${width}-${scheme}`);
        assert.deepEqual(await tab.run(wide), [], `${width} px`);
        assert.deepEqual(await tab.run(pale), [], `${scheme}, ${width} px`);
      }
    }
  },

  async "nothing was complained about"() {
    // Of now: the restart that follows makes connections fail, and the console says so.
    assert.deepEqual(await complaints(browser, [tab]), []);
  },

  async "after a restart all go on, from the first event of the new feed"() {
    await tab.size(360, 740);
    await server.stop();
    await tab.until("say so", () => [...document.querySelectorAll(".way")].every((way) => way.dataset.state === "waiting"));
    await screenshot("lost");
    await server.start();
    await tab.until("run again", allRun);
    await tab.until("begin anew", () => ["poll", "long-poll", "events", "socket"]
      .every((way) => document.querySelector(`#${way} .events li[data-id]`)?.dataset.id < 400));
    await untilMore(3);
    for (const way of WAYS) {
      const shown = (await tab.run(ids, way));
      assert.ok(shown.every((id, index) => index === 0 || id === shown[index - 1] + 1 || id === 1), `${way}: ${shown}`);
    }
    const isExpected = (line) => /ERR_CONNECTION_REFUSED|WebSocket connection to|ERR_INCOMPLETE_CHUNKED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|503/.test(line);
    assert.deepEqual((await complaints(browser, [tab])).filter((line) => !isExpected(line)), []);
  },

  async "stopped, nothing comes any more"() {
    await tab.run(() => document.getElementById("toggle").click());
    const shown = () => Promise.all(WAYS.map((way) => tab.run(ids, way)));
    const before = await shown();
    await sleep(600); // three events
    assert.deepEqual(await shown(), before);
  },
};

async function screenshot(name) {
  // The whole page, not only what is in view.
  const { data } = await tab.chromium("Page.captureScreenshot", { captureBeyondViewport: true });
  writeFileSync(`${folder}/${name}.png`, Buffer.from(data, "base64"));
}

let browser, tab;
let failed = false;
let current = "start";
try {
  await server.start();
  browser = await Browser.start();
  tab = await browser.tab("the tab");
  for (const [name, step] of Object.entries(steps)) {
    current = name;
    await step();
    console.log(`${backend.padEnd(9)} ok  ${name}`);
  }
} catch (error) {
  failed = true;
  console.error(`${backend.padEnd(9)} FAILED: ${current}\n${error.stack}`);
  if (tab) {
    console.error(await tab.run(states).catch(() => "?"), await complaints(browser, [tab]).catch(() => "?"));
    await screenshot("failed").catch(() => {});
  }
} finally {
  await browser?.stop();
  await server.stop().catch((error) => { failed = true; console.error(error.message); });
}
process.exit(failed ? 1 : 0);
