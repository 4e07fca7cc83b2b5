// Runs in the browser: asks in every way that a page can, and writes what it found into the page, as JSON. Whether that
// is right is for chromium.mjs to say.

const path = '/static/random.bin';

async function contents() {
  const [plain, coded, missing, head] = await Promise.all([
    fetch('/json').then((reply) => reply.json()),
    fetch('numbers.txt').then((reply) => reply.text()),
    fetch('nothing').then((reply) => reply.status),
    fetch(path, { method: 'HEAD' }).then((reply) => [reply.status, reply.headers.get('content-length')]),
  ]);
  const timing = performance.getEntriesByName(new URL('numbers.txt', location).href)[0];
  return { plain, coded: coded.length, shorter: timing.encodedBodySize < timing.decodedBodySize, missing, head };
}

async function ranges() {
  const whole = new Uint8Array(await (await fetch(path)).arrayBuffer());
  const reply = await fetch(path, { headers: { Range: 'bytes=1000-1999' }, cache: 'no-store' });
  const part = new Uint8Array(await reply.arrayBuffer());
  return {
    status: reply.status,
    says: reply.headers.get('content-range'),
    whole: whole.length,
    same: part.length === 1000 && part.every((byte, at) => byte === whole[1000 + at]),
  };
}

/** A second look at something that the browser has: the server is asked whether it changed. */
async function again() {
  await (await fetch('numbers.txt?again')).text();
  performance.clearResourceTimings();
  const text = await (await fetch('numbers.txt?again', { cache: 'no-cache' })).text();
  const { transferSize } = performance.getEntriesByType('resource').at(-1);
  return { length: text.length, onlyAHead: transferSize > 0 && transferSize < 1000 };
}

async function uploads() {
  const bytes = crypto.getRandomValues(new Uint8Array(60_000));
  const echo = new Uint8Array(await (await fetch('/echo', { method: 'POST', body: bytes })).arrayBuffer());
  const form = new FormData();
  form.append('name', 'Grüße');
  form.append('file', new Blob([bytes]), 'file.bin');
  return {
    text: await (await fetch('/echo', { method: 'PUT', body: 'ahoy ✓' })).text(),
    same: echo.length === bytes.length && echo.every((byte, at) => byte === bytes[at]),
    form: (await (await fetch('/echo', { method: 'POST', body: form })).text()).includes('\r\n\r\nGrüße\r\n--'),
    large: await (await fetch('/upload', { method: 'POST', body: new Blob([new Uint8Array(20_000_000)]) })).text(),
    tooLarge: (await fetch('/echo', { method: 'POST', body: new Blob([new Uint8Array(10_000_000)]) })).status,
    beacon: navigator.sendBeacon('/upload', 'seen'),
  };
}

/** Leaves in the middle of a large file, twice: by cancelling the content, and by aborting the request. */
async function stopped() {
  const reader = (await fetch('sparse.bin', { cache: 'no-store' })).body.getReader();
  let seen = 0;
  while (seen < 5_000_000) seen += (await reader.read()).value.length;
  await reader.cancel();
  const controller = new AbortController();
  const reply = await fetch('sparse.bin', { cache: 'no-store', signal: controller.signal });
  controller.abort();
  const error = await reply.arrayBuffer().then(() => 'none', ({ name }) => name);
  return { error, after: (await fetch('/plaintext')).status };
}

async function many() {
  const replies = await Promise.all(Array.from({ length: 100 }, (_, at) => (
    fetch('/echo', { method: 'POST', body: `number ${at}` }).then((reply) => reply.text()))));
  return replies.filter((text, at) => text === `number ${at}`).length;
}

async function webSocket() {
  const socket = new WebSocket(new URL('/ws', location).href.replace('http', 'ws'));
  socket.binaryType = 'arraybuffer';
  const messages = ['', 'ahoy ✓', 'x'.repeat(100_000), new Uint8Array(70_000).fill(7), new Uint8Array(1_000_000).fill(9)];
  const found = [];
  return new Promise((resolve) => {
    socket.onopen = () => messages.forEach((message) => socket.send(message));
    socket.onmessage = ({ data }) => {
      found.push(typeof data === 'string' ? data : new Uint8Array(data));
      if (found.length === messages.length) socket.close(3001, 'enough');
    };
    socket.onclose = ({ code, wasClean }) => resolve({
      same: JSON.stringify(found) === JSON.stringify(messages), code, wasClean, extensions: socket.extensions,
    });
  });
}

/** A player asks for the parts that it needs. */
async function seeking() {
  const player = new Audio('tone.wav');
  const happens = (name) => new Promise((resolve, reject) => {
    player.addEventListener(name, resolve, { once: true });
    player.addEventListener('error', () => reject(new Error(player.error.message)), { once: true });
  });
  player.preload = 'metadata';
  await happens('loadedmetadata');
  player.currentTime = 550;
  await happens('seeked');
  return { seconds: player.duration, at: player.currentTime };
}

async function looks() {
  await new Promise((resolve) => { if (document.readyState === 'complete') resolve(); else window.onload = resolve; });
  const { naturalWidth, naturalHeight } = document.getElementById('vector');
  return {
    color: getComputedStyle(document.querySelector('h1')).color,
    vector: [naturalWidth, naturalHeight],
    pixel: document.getElementById('pixel').naturalWidth,
    protocols: [...new Set(performance.getEntriesByType('resource').map((entry) => entry.nextHopProtocol))],
  };
}

const found = {};
for (const part of [looks, contents, ranges, again, uploads, seeking, stopped, many, webSocket]) {
  found[part.name] = await part().catch((error) => String(error));
}
document.getElementById('found').textContent = JSON.stringify(found);
document.title = 'done';
