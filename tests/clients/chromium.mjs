// A browser as a judge: Chromium without a window, told what to do through chromedriver (W3C WebDriver).
//
//   node tests/clients/chromium.mjs http://127.0.0.1:PORT
//
//   this script ──WebDriver──▶ chromedriver ──▶ Chromium ──HTTP, WebSocket──▶ longshore
//                                                  └─ page/script.mjs writes what it found into the page

import { setTimeout as pause } from 'node:timers/promises';
import { expect, note, run } from './checks.mjs';
import { startBrowser } from './webdriver.mjs';

const [url] = process.argv.slice(2);
const PAGE_SECONDS_MAX = 20;
const command = await startBrowser();

const evaluate = (script) => command('POST', '/execute/sync', { script: `return ${script}`, args: [] });

/** What the network did since it was last asked: events of the DevTools protocol. */
async function networkEvents() {
  const lines = await command('POST', '/se/log', { type: 'performance' });
  return lines.map(({ message }) => JSON.parse(message).message);
}

async function index() {
  await command('POST', '/url', { url: `${url}/` });
  expect('title of /', 'longshore', await command('GET', '/title'));
  expect('links of /', true, await evaluate('[...document.links].some((link) => link.pathname === "/plaintext")'));
  expect('mode', 'CSS1Compat', await evaluate('document.compatMode'));
  expect('protocol of /', 'http/1.1', await evaluate('performance.getEntriesByType("navigation")[0].nextHopProtocol'));
  await command('POST', '/url', { url: `${url}/plaintext` });
  expect('text of /plaintext', 'Hello, World!', await evaluate('document.body.textContent'));
}

async function page() {
  await command('POST', '/url', { url: `${url}/static/page.html` });
  const deadline = Date.now() + PAGE_SECONDS_MAX * 1000;
  while (Date.now() < deadline && await command('GET', '/title') !== 'done') await pause(100);
  expect('title of the page', 'done', await command('GET', '/title'));
  const found = JSON.parse(await evaluate('document.getElementById("found").textContent'));
  const wanted = {
    looks: { color: 'rgb(1, 2, 3)', vector: [30, 40], pixel: 1, protocols: ['http/1.1'] },
    contents: {
      plain: { message: 'Hello, World!' }, coded: 228_894, shorter: true, missing: 404, head: [200, '3000017'],
    },
    ranges: { status: 206, says: 'bytes 1000-1999/3000017', whole: 3_000_017, same: true },
    again: { length: 228_894, onlyAHead: true },
    uploads: { text: 'ahoy ✓', same: true, form: true, large: '20000000', tooLarge: 413, beacon: true },
    seeking: { seconds: 600, at: 550 },
    stopped: { error: 'AbortError', after: 200 },
    many: 100,
    webSocket: { same: true, code: 3001, wasClean: true, extensions: found.webSocket?.extensions },
  };
  for (const [name, value] of Object.entries(wanted)) expect(name, value, found[name]);
  note(`Chromium's WebSocket agreed on these extensions: ${found.webSocket?.extensions || 'none'}`);
}

/** The links that the server makes of awkward names lead to the files, and no name becomes markup. */
async function listing() {
  await command('POST', '/url', { url: `${url}/static/names/` });
  const names = await evaluate('[...document.links].map((link) => link.textContent)');
  expect('names', ['"quoted\' #fragment?query;.txt', '<img src=x onerror=alert(1)>.txt', 'a b, ünï & 100%.txt'],
    names.filter((name) => name.endsWith('.txt')).sort());
  expect('images in it', 0, await evaluate('document.images.length'));
  const links = await evaluate('[...document.links].map((link) => link.href).filter((link) => link.endsWith(".txt"))');
  for (const link of links) {
    await command('POST', '/url', { url: link });
    expect(link, 'an awkward name\n', await evaluate('document.body.textContent'));
  }
}

/** What the browser said to its console, and what DevTools would show in red. */
async function complaints() {
  const expected = /\/(favicon.ico|static\/nothing) .*404|\/echo .*413/;
  const lines = await command('POST', '/se/log', { type: 'browser' });
  expect('console', [], lines.map(({ message }) => message).filter((message) => !expected.test(message)));
}

async function network() {
  const events = await networkEvents();
  const replies = events.filter(({ method }) => method === 'Network.responseReceived').map(({ params }) => params.response);
  const failed = events.filter(({ method, params }) => method === 'Network.loadingFailed' && !params.canceled);
  expect('requests that failed', [], failed.map(({ params }) => params.errorText));
  const ours = replies.filter((reply) => reply.url.startsWith(url));
  const connections = new Set(ours.map((reply) => reply.connectionId));
  const reused = ours.filter((reply) => reply.connectionReused).length;
  const parts = ours.filter((reply) => reply.url.endsWith('/tone.wav') && reply.status === 206);
  expect('the player asked for parts', true, parts.length >= 2);
  expect('there were replies', true, ours.length > 100);
  expect('most connections were used again', true, reused > ours.length * 0.8);
  note(`Chromium had ${ours.length} replies on ${connections.size} connections`);
}

await run([index, page, listing, complaints, network]);
await command('DELETE', '');
process.exit();
