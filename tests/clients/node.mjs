// Node's http client and its WebSocket (undici) as judges. Its parser is llhttp, and it is not told to be lenient.
//
//   node tests/clients/node.mjs http://127.0.0.1:PORT DIR SOCKET
//
// DIR is what is served, SOCKET the path of a Unix socket where the same server listens.

import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, note, run } from './checks.mjs';

const [url, site, socket] = process.argv.slice(2);
const random = readFileSync(`${site}/random.bin`);
const hash = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** A request on its way, and a promise of its reply with all of its content. */
function begin(path, options = {}) {
  const request = http.request(url + path, { insecureHTTPParser: false, timeout: 20_000, ...options });
  request.on('timeout', () => request.destroy(new Error(`${path}: nothing came for 20 s`)));
  const reply = new Promise((resolve, reject) => {
    request.on('error', reject);
    request.on('response', async (response) => {
      const pieces = [];
      try {
        for await (const piece of response) pieces.push(piece);
        resolve({ status: response.statusCode, headers: response.headers, reused: request.reusedSocket,
          complete: response.complete, body: Buffer.concat(pieces) });
      } catch (error) {
        reject(error);
      }
    });
  });
  // Who awaits it gets the error; an aborted request nobody awaits.
  reply.catch(() => {});
  return { request, reply };
}

function ask(path, options = {}, body = undefined) {
  const { request, reply } = begin(path, options);
  request.end(body);
  return reply;
}

/** Counts the connections that an agent opens. */
function counting(options) {
  const agent = new http.Agent({ keepAlive: true, ...options });
  const create = agent.createConnection.bind(agent);
  agent.opened = 0;
  agent.createConnection = (...rest) => {
    agent.opened += 1;
    return create(...rest);
  };
  return agent;
}

async function manyOnFewConnections() {
  const agent = counting({ maxSockets: 16 });
  const replies = await Promise.all(Array.from({ length: 3000 }, (_, at) => (at % 3 === 0
    ? ask('/plaintext', { agent })
    : ask('/echo', { agent, method: 'POST' }, `body ${at}`))));
  expect('statuses', 3000, replies.filter((reply) => reply.status === 200 && reply.complete).length);
  expect('each its own content', true,
    replies.every((reply, at) => reply.body.toString() === (at % 3 === 0 ? 'Hello, World!' : `body ${at}`)));
  expect('connections opened', 16, agent.opened);
  agent.destroy();
}

async function filesAtTheSameTime() {
  const agent = counting({ maxSockets: 8 });
  const replies = await Promise.all(Array.from({ length: 40 }, () => ask('/static/random.bin', { agent })));
  expect('files', [hash(random)], [...new Set(replies.map((reply) => hash(reply.body)))]);
  expect('connections for files', 8, agent.opened);
  const one = await ask('/static/random.bin', { agent, headers: { Range: 'bytes=1000-1999' } });
  expect('range', [206, 'bytes 1000-1999/3000017', hash(random.subarray(1000, 2000))],
    [one.status, one.headers['content-range'], hash(one.body)]);
  agent.destroy();
}

async function streamedUpload() {
  const agent = counting({ maxSockets: 1 });
  const piece = randomBytes(100_003);
  const { request, reply } = begin('/upload', { agent, method: 'POST' });
  let full = 0;
  for (let at = 0; at < 500; at += 1) {
    if (!request.write(piece)) {
      full += 1;
      await new Promise((resolve) => { request.once('drain', resolve); });
    }
  }
  request.end();
  expect('chunked upload', String(500 * piece.length), (await reply).body.toString());
  expect('the upload met backpressure', true, full > 0);

  const { request: slow, reply: counted } = begin('/upload', { agent, method: 'POST' });
  for (let at = 0; at < 20; at += 1) {
    slow.write('x');
    await pause(10);
  }
  slow.end();
  expect('upload in chunks of one byte', '20', (await counted).body.toString());
  const { request: piped, reply: echoed } = begin('/echo', { agent, method: 'PUT' });
  Readable.from([random.subarray(0, 500_000), random.subarray(500_000, 1_000_000)]).pipe(piped);
  expect('piped', hash(random.subarray(0, 1_000_000)), hash((await echoed).body));
  expect('connections for uploads', 1, agent.opened);
  agent.destroy();
}

async function trailers() {
  const agent = counting({ maxSockets: 1 });
  for (const path of ['/echo', '/upload']) {
    const headers = { Trailer: 'X-Sum', 'Transfer-Encoding': 'chunked' };
    const { request, reply } = begin(path, { agent, method: 'POST', headers });
    request.write('abc');
    request.addTrailers({ 'X-Sum': 'none' });
    request.end();
    const { status, body } = await reply;
    expect(`trailers to ${path}`, [200, path === '/echo' ? 'abc' : '3'], [status, body.toString()]);
  }
  const behind = await ask('/plaintext', { agent });
  expect('the connection goes on behind trailers', [200, true], [behind.status, behind.reused]);
  agent.destroy();
}

/** Sends the body only when told to. */
async function expectContinue() {
  const agent = counting({ maxSockets: 1 });
  const told = [];
  const attempt = async (path, length) => {
    const headers = { Expect: '100-continue', 'Content-Length': length };
    const { request, reply } = begin(path, { agent, method: 'POST', headers });
    request.on('continue', () => {
      told.push(path);
      request.end(random.subarray(0, length));
    });
    request.on('response', () => request.end());
    request.flushHeaders();
    return reply;
  };
  expect('continue to /upload', '2000000', (await attempt('/upload', 2_000_000)).body.toString());
  expect('continue to /echo', hash(random.subarray(0, 70_000)), hash((await attempt('/echo', 70_000)).body));
  expect('who was told to continue', ['/upload', '/echo'], told);
  expect('connections for it', 1, agent.opened);
  const refused = await attempt('/echo', 2_000_000).catch((error) => ({ status: error.code }));
  expect('too large is refused before the body', [413, 2], [refused.status, told.length]);
  agent.destroy();
}

/** Who sends on without having been told to must read the refusal, and no reset before it (RFC 9112 §9.6). */
async function refusedUploads() {
  const body = Buffer.alloc(10 << 20, 'x');
  const answers = await Promise.all(Array.from({ length: 20 }, (_, at) => {
    const headers = at % 2 === 0 ? { 'Content-Length': body.length } : { 'Transfer-Encoding': 'chunked' };
    return ask('/echo', { method: 'PUT', agent: false, headers }, body).then((reply) => reply.status, (error) => error.code);
  }));
  expect('10 MiB to /echo', Array(20).fill(413), answers);
}

async function headAndOthers() {
  const agent = counting({ maxSockets: 1 });
  const fields = (headers) => ({ ...headers, date: undefined });
  for (const path of ['/plaintext', '/', '/static/random.bin', '/nothing', '/static/empty.txt']) {
    const [head, whole] = [await ask(path, { agent, method: 'HEAD' }), await ask(path, { agent })];
    expect(`HEAD ${path}`, [whole.status, 0, fields(whole.headers)], [head.status, head.body.length, fields(head.headers)]);
    expect(`Content-Length of ${path}`, String(whole.body.length), whole.headers['content-length']);
  }
  const methods = [];
  for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS', 'POST']) {
    // Without a length Node sends the content of DELETE and OPTIONS with no framing at all.
    const headers = { 'Content-Length': method.length };
    methods.push((await ask('/echo', { agent, method, headers }, method)).body.toString());
  }
  expect('methods', ['PUT', 'DELETE', 'PATCH', 'OPTIONS', 'POST'], methods);
  const same = (await ask('/static/random.bin', { agent })).headers.etag;
  expect('304 has no content', [304, 0], await ask('/static/random.bin', { agent, headers: { 'If-None-Match': same } })
    .then((reply) => [reply.status, reply.body.length]));
  expect('204 has no length', [204, undefined], await ask('/', { agent, method: 'OPTIONS' })
    .then((reply) => [reply.status, reply.headers['content-length']]));
  expect('connections for all of it', 1, agent.opened);
  expect('Unix socket', hash(random), hash((await ask('/static/random.bin', { socketPath: socket })).body));
  agent.destroy();
}

/** Who goes away in the middle disturbs nobody. */
async function aborted() {
  for (let round = 0; round < 100; round += 1) {
    const { request } = begin('/upload', { method: 'POST', headers: { 'Content-Length': 1_000_000 } });
    request.on('socket', (stream) => stream.on('connect', () => setTimeout(() => request.destroy(), round % 7)));
    request.write(random.subarray(0, 100 * round));
  }
  for (let round = 0; round < 50; round += 1) {
    const { request } = begin('/static/sparse.bin');
    request.on('response', (response) => response.once('data', () => request.destroy()));
    request.end();
  }
  await pause(100);
  expect('others after aborts', 200, (await ask('/plaintext')).status);
}

async function upgrades() {
  const { request, reply } = begin('/plaintext', { headers: { Connection: 'Upgrade', Upgrade: 'unknown/1' } });
  request.end();
  expect('an unknown upgrade is not taken', 200, (await reply).status);
  const plain = await ask('/ws');
  expect('a plain GET of /ws', [426, 'websocket'], [plain.status, plain.headers.upgrade?.toLowerCase()]);
}

async function webSocket() {
  if (!globalThis.WebSocket) {
    note('this Node has no WebSocket; it was not judged by it');
    return;
  }
  const open = new WebSocket(`${url.replace('http', 'ws')}/ws`);
  open.binaryType = 'arraybuffer';
  const messages = ['', 'ahoy', 'Grüße ✓', randomBytes(125), randomBytes(126), randomBytes(65_535), randomBytes(65_536),
    randomBytes(1_000_000), 'x'.repeat(300_000)];
  const found = [];
  const closed = await new Promise((resolve, reject) => {
    open.onerror = (event) => reject(event.error ?? new Error('the WebSocket failed'));
    open.onopen = () => messages.forEach((message) => open.send(message));
    open.onmessage = ({ data }) => {
      found.push(typeof data === 'string' ? data : Buffer.from(data));
      if (found.length === messages.length) open.close(3001, 'enough');
    };
    open.onclose = ({ code, wasClean }) => resolve([code, wasClean]);
  });
  expect('messages', messages, found);
  expect('close', [3001, true], closed);
}

await run([manyOnFewConnections, filesAtTheSameTime, streamedUpload, trailers, expectContinue, refusedUploads,
  headAndOthers, aborted, upgrades, webSocket]);
process.exit();
