// The package `ws` for Node as a judge: the client that most servers in JavaScript are tested with.
//
//   node tests/clients/node_ws.mjs ws://127.0.0.1:PORT MODE DIR
//
// MODE says how the server compresses: see websockets.sh. DIR has node_modules with `ws`.

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { expect, note, run } from './checks.mjs';
import { watch } from './frames.mjs';

const [url, mode, modules] = process.argv.slice(2);
const { WebSocket } = createRequire(`${modules}/`)('ws');
const replies = JSON.parse(readFileSync(new URL('offers.json', import.meta.url)))[mode];
const MIB = 1 << 20;

/** What this library can offer. Without a threshold it compresses every message. */
const OFFERS = {
  usual: {},
  forget: { serverNoContextTakeover: true, clientNoContextTakeover: true },
  windows: { serverMaxWindowBits: 10, clientMaxWindowBits: 10 },
};

/** A connection whose messages and pongs can be awaited one after the other. */
class Session {
  frames = [];

  #said = [];

  #waiting = [];

  static async open(path, perMessageDeflate, protocols = [], options = {}) {
    const session = new Session();
    const client = new WebSocket(url + path, protocols, { perMessageDeflate, ...options });
    session.client = client;
    client.on('upgrade', (response) => {
      session.extensions = response.headers['sec-websocket-extensions'];
      session.socket = response.socket;
      response.socket.on('data', watch(session.frames));
    });
    client.on('message', (data, isBinary) => session.#tell(isBinary ? data : data.toString()));
    client.on('pong', (data) => session.#tell(`pong ${data}`));
    session.closed = new Promise((resolve) => { client.on('close', (code, reason) => resolve([code, reason.toString()])); });
    session.closed.then((close) => session.#tell(close));
    session.failed = [];
    await new Promise((resolve, reject) => {
      client.once('open', resolve);
      client.on('error', (error) => { session.failed.push(error); reject(error); });
    });
    return session;
  }

  #tell(what) {
    const waiting = this.#waiting.shift();
    if (waiting) waiting(what); else this.#said.push(what);
  }

  next() {
    if (this.#said.length > 0) return Promise.resolve(this.#said.shift());
    return new Promise((resolve) => { this.#waiting.push(resolve); });
  }

  async take(count) {
    const taken = [];
    for (let at = 0; at < count; at += 1) taken.push(await this.next());
    return taken;
  }

  async end() {
    this.client.close(1000);
    expect('close', [1000, ''], await this.closed);
  }
}

const same = (found, wanted) => (typeof wanted === 'string' ? found === wanted
  : Buffer.isBuffer(found) && found.equals(wanted));

async function echoes(session, what) {
  const messages = ['', 'ahoy', 'Grüße ✓ 😂', 'x'.repeat(100_000), 'ü😂'.repeat(30_000),
    ...[0, 1, 63, 64, 125, 126, 127, 65_535, 65_536, 1_000_000].map((length) => randomBytes(length)),
    Buffer.alloc(1_000_000, 'all the same')];
  for (const message of messages) session.client.send(message);
  const found = await session.take(messages.length);
  messages.forEach((message, at) => expect(`${what}, echo ${at}`, true, same(found[at], message)));
}

/** In pieces that cut characters, with pings between. */
async function fragments(session, what) {
  const text = 'zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich 😂 '.repeat(20);
  const bytes = Buffer.from(text);
  let pings = 0;
  for (let at = 0; at < bytes.length; at += 97) {
    const fin = at + 97 >= bytes.length;
    session.client.send(bytes.subarray(at, at + 97), { binary: false, fin });
    if (!fin) {
      session.client.ping(`${pings}`);
      pings += 1;
    }
  }
  session.client.send('', { fin: false });
  session.client.send('', { fin: true });
  const wanted = [...Array.from({ length: pings }, (_, at) => `pong ${at}`), text, ''];
  expect(`${what}, fragments`, wanted, await session.take(wanted.length));
}

async function inFlight(session, what) {
  const texts = Array.from({ length: 3000 }, (_, at) => `message ${at} ${'.'.repeat(at % 300)}`);
  for (const text of texts) session.client.send(text);
  expect(`${what}, in flight`, true, (await session.take(texts.length)).every((text, at) => text === texts[at]));
}

async function pings(session, what) {
  for (const payload of ['', 'x', 'p'.repeat(125)]) {
    session.client.ping(payload);
    expect(`${what}, ping of ${payload.length}`, `pong ${payload}`, await session.next());
  }
}

/** RSV1 stands on every data frame that was worth compressing, in both directions little travels. */
async function compressed(session, what) {
  const [before, from] = [session.socket.bytesWritten, session.frames.length];
  const text = 'The same words, again and again. '.repeat(3000);
  session.client.send(text);
  session.client.send(text, { compress: false });
  session.client.send('short');
  expect(`${what}, compressed`, true, (await session.take(3)).every((found, at) => found === (at < 2 ? text : 'short')));
  const frames = session.frames.slice(from).filter(({ opcode }) => opcode < 8);
  expect(`${what}, RSV1`, [true, true, false], frames.map(({ rsv1 }) => rsv1));
  expect(`${what}, lengths of the server's frames`, true, Math.max(frames[0].length, frames[1].length) < text.length / 4);
  const written = session.socket.bytesWritten - before - text.length;
  expect(`${what}, bytes of the client`, true, written < text.length / 4);
  const noise = randomBytes(200); // which the smallest window holds
  const again = session.frames.length;
  for (let at = 0; at < 2; at += 1) session.client.send(noise);
  await session.take(2);
  const kept = !/server_no_context_takeover/.test(session.extensions);
  const [, second] = session.frames.slice(again);
  // Noise shrinks only for who has seen it before.
  expect(`${what}, noise again`, [kept, kept], [second.rsv1, second.length < 50]);
}

async function plain() {
  const session = await Session.open('/ws', false);
  expect('no extension', undefined, session.extensions);
  for (const part of [echoes, fragments, inFlight, pings]) await part(session, 'plain');
  expect('no RSV1', 0, session.frames.filter(({ rsv1 }) => rsv1).length);
  await session.end();
}

async function offered() {
  for (const [name, offer] of Object.entries(OFFERS)) {
    const session = await Session.open('/ws', { threshold: 0, ...offer });
    expect(`reply to the offer ${name}`, replies?.[name], session.extensions);
    for (const part of [echoes, fragments, inFlight, pings]) await part(session, name);
    if (replies) await compressed(session, name);
    await session.end();
  }
}

/** 16 MiB are taken, one byte more is not, whether it shrinks or not, whole or in fragments. */
async function largest() {
  for (const [name, bytes, compress] of [['noise', randomBytes(16 * MIB + 1), true], ['zeros', Buffer.alloc(16 * MIB + 1), true]]) {
    const exact = bytes.subarray(0, 16 * MIB);
    const session = await Session.open('/ws', {});
    session.client.send(exact, { compress });
    expect(`16 MiB of ${name}`, true, same(await session.next(), exact));
    for (let at = 0; at < 16; at += 1) session.client.send(exact.subarray(at * MIB, (at + 1) * MIB), { fin: false, compress });
    session.client.send(Buffer.alloc(0), { fin: true });
    expect(`16 MiB of ${name} in fragments`, true, same(await session.next(), exact));
    session.client.send(bytes, { compress });
    const [code] = await session.closed;
    expect(`a byte more of ${name}`, 1009, code);
  }
}

async function closes() {
  for (const [code, reason] of [[1000, 'done'], [3000, 'Grüße ✓'], [4999, 'x'.repeat(123)], [undefined, undefined]]) {
    const session = await Session.open('/ws', {});
    session.client.send('under way');
    session.client.close(code, reason);
    expect(`close ${code}`, ['under way', [code ?? 1005, '']], await session.take(2));
    expect(`errors of close ${code}`, [], session.failed);
  }
  for (const [name, bytes] of [['bad text', Buffer.from('gr\xFFn', 'latin1')], ['half a character', Buffer.from([0xC3])]]) {
    const session = await Session.open('/ws', {});
    session.client.send(bytes, { binary: false });
    expect(name, 1007, (await session.closed)[0]);
  }
}

/** The chat speaks one subprotocol, to its own pages. */
async function chat() {
  const origin = url.replace('ws', 'http');
  const session = await Session.open('/chat/ws', false, ['other', 'longshore.chat.v1'], { origin });
  expect('subprotocol', 'longshore.chat.v1', session.client.protocol);
  session.client.send(JSON.stringify({ type: 'hello', name: `Node ${process.pid}`, key: randomBytes(16).toString('hex') }));
  expect('welcome', 'welcome', JSON.parse(await session.next()).type);
  session.client.close(1000);
  expect('close of the chat', 1000, (await session.closed)[0]);
  const foreign = await Session.open('/chat/ws', false, [], { origin: 'https://elsewhere.example' })
    .then(() => 'opened', (error) => error.message);
  expect('a foreign origin', 'Unexpected server response: 403', foreign);
  const unknown = await Session.open('/nothing', false).then(() => 'opened', (error) => error.message);
  expect('an unknown path', 'Unexpected server response: 404', unknown);
}

await run(mode === 'plain' ? [plain, offered, largest, closes, chat] : [plain, offered, largest, closes]);
if (mode === 'plain') note(`ws ${createRequire(`${modules}/`)('ws/package.json').version} for Node ${process.version}`);
process.exit();
