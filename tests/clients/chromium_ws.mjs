// Chromium's WebSocket as a judge. It offers compression by itself, always the same, and no page can see or choose more:
// neither RSV1 nor lengths, so what counts here is what was agreed on, and that every message comes back.
//
//   node tests/clients/chromium_ws.mjs ws://127.0.0.1:PORT MODE
//
// MODE says how the server compresses: see websockets.sh. A page cannot fragment; Chromium does, where a message is long.

import { readFileSync } from 'node:fs';
import { expect, note, run } from './checks.mjs';
import { startBrowser } from './webdriver.mjs';

const [url, mode] = process.argv.slice(2);
const origin = url.replace('ws', 'http');
const reply = JSON.parse(readFileSync(new URL('offers.json', import.meta.url)))[mode]?.usual ?? '';
const SECONDS_MAX = 60;
const command = await startBrowser();
await command('POST', '/timeouts', { script: SECONDS_MAX * 1000 });

/** Runs an async function in the page, with JSON in both directions. */
async function inPage(part, ...args) {
  const script = `const done = arguments[arguments.length - 1];
    (${part})(...[...arguments].slice(0, -1)).then((value) => done({ value }), (error) => done({ error: String(error) }));`;
  const { value, error } = await command('POST', '/execute/async', { script, args });
  if (error) throw new Error(`in the page: ${error}`);
  return value;
}

/** In the page: sends messages at once, and compares what comes back; then closes, or waits for the server to do so. */
async function conversation(address, messages, close, protocols = []) {
  const noise = (length) => {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
    return bytes;
  };
  const made = messages.map((message) => {
    if (message.noise !== undefined) return noise(message.noise);
    if (message.zeros !== undefined) return new Uint8Array(message.zeros);
    return message.text.repeat(message.times ?? 1);
  });
  const equal = (one, other) => (typeof one === 'string' || typeof other === 'string' ? one === other
    : one.length === other.length && one.every((byte, at) => byte === other[at]));
  const socket = new WebSocket(address, protocols);
  socket.binaryType = 'arraybuffer';
  const wrong = [];
  let [opened, count, first] = [false, 0, undefined];
  const ended = new Promise((resolve) => {
    socket.onclose = ({ code, reason, wasClean }) => resolve({ code, reason, wasClean });
  });
  socket.onopen = () => {
    opened = true;
    made.forEach((message) => socket.send(message));
    if (made.length === 0) socket.close(...close);
  };
  socket.onmessage = ({ data }) => {
    first ??= typeof data === 'string' ? data.slice(0, 200) : undefined;
    if (!equal(typeof data === 'string' ? data : new Uint8Array(data), made[count])) wrong.push(count);
    count += 1;
    if (count === made.length && close) socket.close(...close);
  };
  return { ...await ended, opened, wrong, count, first, extensions: socket.extensions, protocol: socket.protocol };
}

const whole = (count, [code]) => ({ opened: true, wrong: [], count, code, reason: '', wasClean: true, extensions: reply });

async function expectConversation(what, messages, close) {
  const { first, protocol, ...found } = await inPage(conversation, `${url}/ws`, messages, close);
  expect(what, whole(messages.length, close), found);
}

async function messages() {
  await command('POST', '/url', { url: `${origin}/` });
  await expectConversation('messages', [{ text: '' }, { text: 'ahoy' }, { text: 'Grüße ✓ 😂' }, { text: 'x', times: 100_000 },
    { text: 'ü😂', times: 30_000 }, { zeros: 1_000_000 },
    ...[0, 1, 63, 64, 125, 126, 127, 65_535, 65_536, 1_000_000].map((noise) => ({ noise }))], [1000, 'done']);
  const many = Array.from({ length: 3000 }, (_, at) => ({ text: `message ${at} `, times: 1 + (at % 20) }));
  await expectConversation('in flight', many, [3000, 'Grüße ✓']);
  await expectConversation('nothing but a close', [], [4999, 'x'.repeat(123)]);
}

async function largest() {
  await expectConversation('16 MiB', [{ zeros: 16 << 20 }], [1000]);
  await expectConversation('4 MiB that do not shrink', [{ noise: 4 << 20 }], [1000]);
  const { code, count } = await inPage(conversation, `${url}/ws`, [{ zeros: (16 << 20) + 1 }], null);
  expect('a byte more', [1009, 0], [code, count]);
}

/** The chat speaks one subprotocol, to its own pages. */
async function chat() {
  const key = Array.from({ length: 32 }, () => Math.floor(Math.random() * 16).toString(16)).join('');
  const hello = { text: JSON.stringify({ type: 'hello', name: `Chromium ${process.pid}`, key }) };
  const protocols = ['other', 'longshore.chat.v1'];
  const welcome = await inPage(conversation, `${url}/chat/ws`, [hello], [1000], protocols);
  expect('subprotocol', 'longshore.chat.v1', welcome.protocol);
  expect('welcome', 'welcome', JSON.parse(welcome.first).type);
  expect('close of the chat', [1000, true], [welcome.code, welcome.wasClean]);
  // The same server by another name is another origin. (From an address that is not local the browser itself would refuse.)
  await command('POST', '/url', { url: `${origin.replace('127.0.0.1', 'localhost')}/` });
  const { opened, code } = await inPage(conversation, `${url}/chat/ws`, [hello], [1000], []);
  expect('a foreign origin', [false, 1006], [opened, code]);
  const open = await inPage(conversation, `${url}/ws`, [{ text: 'from anywhere' }], [1000]);
  expect('/ws is open to any origin', [true, 1000, 1], [open.opened, open.code, open.count]);
}

await run({ plain: [messages, largest, chat], keeping: [messages, largest] }[mode] ?? [messages]);
if (mode === 'small') note(`Chromium agreed on: ${reply}`);
await command('DELETE', '');
process.exit();
