// The chat room in a real browser. Usage: node browser.mjs LONGSHORE BACKEND FOLDER-FOR-SCREENSHOTS; see `run`.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { complaints as complaintsOf, pale, wide } from "../browser/judges.mjs";
import { Server } from "../browser/server.mjs";
import { Browser } from "../browser/webdriver.mjs";

const [program, backend, folder] = process.argv.slice(2);

const server = new Server(program, backend);

// ---- What a tab shows. These functions run in the page -------------------------------------------------------------

const messages = () => [...document.querySelectorAll("#log .message")].map((item) => ({
  from: item.querySelector(".from").textContent,
  text: item.querySelector(".text").textContent,
  own: item.classList.contains("own"),
}));
const people = () => [...document.querySelectorAll("#people-list li")].map((item) => item.innerText.replace(/\s+/g, " "));
const state = () => document.getElementById("state-text").textContent;
const heard = (text) => [...document.querySelectorAll("#log .text")].filter((item) => item.textContent === text).length === 1;

async function enter(tab, name) {
  assert.equal(await tab.focus(), "name", "the first thing to do has the focus");
  // The other tab's nickname may stand there already.
  await tab.run(() => document.activeElement.select());
  await tab.keys(name, "Enter");
}

async function say(tab, text) {
  await tab.run(() => document.getElementById("text").focus());
  await tab.keys(text, "Enter");
}

// ---- The story --------------------------------------------------------------------------------------------------

const steps = {
  async "two tabs enter, by keyboard alone"() {
    for (const [tab, name] of [[ada, "Ada"], [bob, "Bob"]]) {
      await tab.open(`${server.url}/chat`);
      await enter(tab, name);
      await tab.until("is connected", () => document.getElementById("state-text").textContent === "Connected");
      assert.equal(await tab.focus(), "text", "the next thing to do has the focus");
    }
  },

  async "they talk both ways"() {
    await ada.keys("Hi Bob!", "Enter");
    await bob.until("hears Ada", heard, "Hi Bob!");
    await bob.keys("Hi Ada!", "Shift+Enter", "How are you?", "Enter");
    await ada.until("hears Bob", heard, "Hi Ada!\nHow are you?");
    assert.deepEqual(await ada.run(messages), [
      { from: "Ada", text: "Hi Bob!", own: true },
      { from: "Bob", text: "Hi Ada!\nHow are you?", own: false },
    ]);
    assert.ok(await ada.run(() => !document.querySelector("#unsent li") && document.getElementById("text").value === ""));
  },

  async "each sees both"() {
    for (const tab of [ada, bob]) await tab.until("sees both", () => document.querySelectorAll("#people-list .online").length === 2);
    await bob.run(() => { document.getElementById("people").open = true; });
    assert.deepEqual(await bob.run(people), ["Ada online", "Bob (you) online"]);
  },

  async "everything is reached by Tab"() {
    const reached = [];
    await ada.run(() => document.activeElement.blur());
    for (let count = 0; count < 8; count += 1) {
      await ada.keys("Tab");
      reached.push(await ada.run(() => document.activeElement.id || document.activeElement.tagName));
    }
    for (const wanted of ["leave", "SUMMARY", "log", "text"]) assert.ok(reached.includes(wanted), `${wanted}: ${reached}`);
    const unnamed = await ada.run(() => [...document.querySelectorAll("input, textarea")]
      .filter((field) => field.labels.length === 0).map((field) => field.id));
    assert.deepEqual(unnamed, [], "every field has a label");
  },

  async "text is text"() {
    const markup = "<script>window.hacked=1</script><img src=x onerror=window.hacked=2>";
    await say(ada, markup);
    for (const tab of [ada, bob]) {
      await tab.until("shows it as text", heard, markup);
      assert.ok(await tab.run(() => !window.hacked && !document.querySelector("#log script, #log img")));
    }
  },

  async "a name has one owner"() {
    const third = await browser.tab("third");
    await third.open(`${server.url}/chat`);
    await enter(third, "<b>ADA</b>");
    await third.until("is in", () => document.getElementById("state-text").textContent === "Connected");
    await third.run(() => document.getElementById("leave").click());
    await enter(third, "aDA");
    await third.until("is told", () => document.getElementById("name-error").textContent.includes("Somebody else"));
    assert.equal(await third.focus(), "name");
    await enter(third, "Carol");
    await third.until("is in", () => document.getElementById("state-text").textContent === "Connected");
    await ada.until("sees Carol", () => [...document.querySelectorAll(".online bdi")].some((name) => name.textContent === "Carol"));
    await third.close();
    await ada.until("sees Carol gone", () => document.querySelectorAll("#people-list .online").length === 2);
    const gone = (await ada.run(people)).slice(2);
    assert.ok(gone.length === 2 && gone.every((line) => /^(Carol|<b>ADA<\/b>) last seen \d/.test(line)), `${gone}`);
  },

  async "a reload keeps name, history and draft"() {
    await ada.run(() => document.getElementById("text").focus());
    await ada.keys("half a tho");
    const before = await ada.run(messages);
    await ada.reload();
    await ada.until("is back", () => document.getElementById("state-text").textContent === "Connected");
    await ada.until("has the history", (count) => document.querySelectorAll("#log .message").length >= count, before.length);
    assert.deepEqual(await ada.run(messages), before);
    assert.equal(await ada.run(() => document.getElementById("text").value), "half a tho");
    assert.equal((await bob.run(people)).filter((line) => line.endsWith("online")).length, 2, "Bob did not notice");
    await ada.run(() => document.getElementById("text").focus());
    await ada.keys(...Array(10).fill("Backspace"));
  },

  async "many at once arrive once, and in order"() {
    const texts = Array.from({ length: 9 }, (_, number) => `number ${number}`);
    for (const text of texts) await say(bob, text);
    await ada.until("hears the last", heard, texts.at(-1));
    const got = (await ada.run(messages)).map((message) => message.text).filter((text) => text.startsWith("number"));
    assert.deepEqual(got, texts);
    assert.equal(await bob.run(() => document.getElementById("unsent").hidden), true);
  },

  async "a new message below does not move what is read"() {
    await ada.size(390, 500);
    await ada.run(() => { document.getElementById("log").scrollTop = 0; });
    await sleep(200);
    await say(bob, "Look down!");
    await ada.until("is told of it", () => !document.getElementById("newer").hidden);
    assert.equal(await ada.run(() => document.getElementById("log").scrollTop), 0);
    writeFileSync(`${folder}/newer.png`, await ada.screenshot());
    await ada.run(() => document.getElementById("newer").click());
    await ada.until("is at the end", () => {
      const log = document.getElementById("log");
      return document.getElementById("newer").hidden && log.scrollHeight - log.scrollTop - log.clientHeight < 2;
    });
  },

  async "nothing was complained about"() {
    // Of now: the restart that follows makes connections fail, and the console says so.
    assert.deepEqual(await complaints(), []);
  },

  async "after a restart both go on"() {
    await server.stop();
    for (const tab of [ada, bob]) await tab.until("says so", () => document.getElementById("state-text").textContent === "Connection lost");
    await say(ada, "Said while it was away");
    await ada.until("keeps it", () => document.querySelector("#unsent li")?.textContent === "Said while it was away");
    await bob.until("counts down", () => /next try in \d+ s/.test(document.getElementById("countdown").textContent));
    await ada.size(390, 700);
    assert.deepEqual(await misfits(ada), []);
    writeFileSync(`${folder}/lost.png`, await ada.screenshot());
    await server.start();
    // By hand, before its time.
    await bob.until("offers it", () => {
      const button = document.getElementById("reconnect");
      if (button.hidden) return document.getElementById("state-text").textContent === "Connected";
      button.focus();
      return document.activeElement === button;
    });
    await bob.keys("Enter");
    for (const tab of [ada, bob]) {
      await tab.until("is back", () => document.getElementById("state-text").textContent === "Connected");
      await tab.until("hears what was kept", heard, "Said while it was away");
    }
    assert.equal(await ada.run(() => document.getElementById("unsent").hidden), true);
    await say(bob, "Here we are again");
    await ada.until("hears Bob", heard, "Here we are again");
    await ada.until("sees both", () => document.querySelectorAll("#people-list .online").length === 2);
    // What failed while nobody was there is said, which shows that the console is read; and nothing else.
    const isExpected = (line) => line.includes("WebSocket connection to");
    const lines = await complaints();
    assert.ok(lines.some(isExpected));
    assert.deepEqual(lines.filter((line) => !isExpected(line)), []);
  },

  async "it fits a phone, and can be read by day and night"() {
    await say(bob, "w".repeat(300));
    await say(bob, "https://example.com/" + "path/".repeat(30));
    await ada.until("hears it", heard, "w".repeat(300));
    for (const scheme of ["light", "dark"]) {
      const features = [{ name: "prefers-color-scheme", value: scheme }, { name: "prefers-reduced-motion", value: "reduce" }];
      for (const [width, height] of [[320, 568], [390, 844], [390, 360], [1024, 700]]) {
        await ada.size(width, height);
        await ada.chromium("Emulation.setEmulatedMedia", { features });
        await sleep(150);
        writeFileSync(`${folder}/${width}x${height}-${scheme}.png`, await ada.screenshot());
        assert.deepEqual(await misfits(ada), [], `${width} px`);
        assert.deepEqual(await ada.run(pale), [], `${scheme}, ${width} px`);
      }
    }
    await ada.size(320, 568);
    await ada.run(() => document.getElementById("leave").click());
    assert.deepEqual(await misfits(ada), []);
    writeFileSync(`${folder}/door-dark.png`, await ada.screenshot());
  },
};

// Whether the input can be seen. Runs in the page.
function hidden() {
  const text = document.getElementById("text").getBoundingClientRect();
  return text.height > 0 && (text.top < 0 || text.bottom > innerHeight) ? [`the input is out of view: ${text.top}–${text.bottom}`] : [];
}

async function misfits(tab) {
  return [...await tab.run(wide), ...await tab.run(hidden)];
}

const complaints = () => complaintsOf(browser, [ada, bob]);

let browser, ada, bob;
let failed = false;
let current = "start";
try {
  await server.start();
  browser = await Browser.start();
  ada = await browser.tab("Ada's tab");
  bob = await browser.tab("Bob's tab");
  for (const [name, step] of Object.entries(steps)) {
    current = name;
    await step();
    console.log(`${backend.padEnd(9)} ok  ${name}`);
  }
} catch (error) {
  failed = true;
  console.error(`${backend.padEnd(9)} FAILED: ${current}\n${error.stack}`);
  for (const tab of [ada, bob]) {
    if (!tab) continue;
    const shown = await tab.run(state).catch(() => "?");
    console.error(`${tab.name}: ${shown}; ${await complaints().catch(() => "?")}`);
    writeFileSync(`${folder}/failed-${tab.name.slice(0, 3)}.png`, await tab.screenshot().catch(() => ""));
  }
} finally {
  await browser?.stop();
  await server.stop().catch((error) => { failed = true; console.error(error.message); });
}
process.exit(failed ? 1 : 0);
