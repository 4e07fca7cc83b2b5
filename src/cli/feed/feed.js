// The same events by four ways. What comes, and in which form, stands in mod.rs beside this file.
//
//   poll, longPoll: fetch ──┐
//   events: EventSource ────┼──▶ state, arrive ──▶ figures ──▶ show
//   socket: WebSocket ──────┘
//
// Each way runs for itself, until it is stopped, and goes on where it was when its server comes back.

const RETRY_MS = 1000;
const DELAYS_MAX = 200; // of which the median is taken
const SHOWN_MAX = 10; // events

// What a browser does not show. tests/feed compares them with what the server sends.
const STREAM_HEAD_BYTES = 175;
const SOCKET_HEAD_BYTES = 129;

const $ = (id) => document.getElementById(id);
const encoder = new TextEncoder();
const bytesOf = (text) => encoder.encode(text).length;
// Milliseconds since 1970 with their fraction: Date.now() has none, and many delays are shorter than one.
const now = () => performance.timeOrigin + performance.now();
const sleep = (ms, signal) => new Promise((resolve) => {
  const over = () => {
    clearTimeout(timer);
    signal.removeEventListener("abort", over);
    resolve();
  };
  const timer = setTimeout(over, ms);
  signal.addEventListener("abort", over);
});

// All at once, when the browser paints next: an event comes to four of them.
let frameAt;

function showSoon() {
  frameAt ??= requestAnimationFrame(() => {
    frameAt = undefined;
    const eachMax = Math.max(...ways.filter((way) => way.count).map((way) => way.each));
    ways.forEach((way) => way.show(eachMax));
  });
}

// ---- One way: where it stands, what it has cost --------------------------------------------------------------------

class Way {
  constructor({ id, title, path, what, run }) {
    Object.assign(this, { id, path, run });
    this.root = $("way").content.firstElementChild.cloneNode(true);
    this.root.id = id;
    const heading = this.root.querySelector("h2");
    heading.textContent = title;
    heading.id = `${id}-title`;
    this.root.setAttribute("aria-labelledby", heading.id);
    this.root.querySelector("code").textContent = `GET ${path}`;
    this.root.querySelector(".what").textContent = what;
    this.events = this.root.querySelector(".events");
    this.begin(null, 0);
  }

  begin(feed, after) {
    Object.assign(this, { feed, after, requests: 0, up: 0, down: 0, count: 0, delays: [] });
    this.events.replaceChildren();
    showSoon();
  }

  get address() { return `${this.path.slice(1)}?after=${this.after}`; }

  state(state, text) {
    this.root.dataset.state = state;
    // Read out by screen readers, so only when it changes.
    const shown = this.root.querySelector(".state-text");
    if (shown.textContent !== text) shown.textContent = text;
  }

  // The server says where the feed stands. False if it was restarted: everything since then is still to come.
  stands({ feed, missed }) {
    if (this.feed !== null && feed !== this.feed) {
      Object.assign(this, { feed, after: 0 });
      this.divide("The server was restarted");
      return false;
    }
    this.feed = feed;
    if (missed > 0) this.divide(`${missed} missed: not kept any more`);
    return true;
  }

  arrive({ id, at_us: at, text }) {
    if (id <= this.after) return;
    this.after = id;
    this.count += 1;
    const delay = now() - at / 1000;
    this.delays.push(delay);
    if (this.delays.length > DELAYS_MAX) this.delays.shift();
    const item = document.createElement("li");
    item.dataset.id = id;
    for (const [name, content] of [["number", `#${id}`], ["text", text], ["delay", ms(delay)]]) {
      const part = document.createElement("span");
      part.className = name;
      part.textContent = content;
      item.append(part);
    }
    this.add(item);
  }

  divide(words) {
    const item = document.createElement("li");
    item.className = "divider";
    item.textContent = words;
    this.add(item);
  }

  add(item) {
    this.events.prepend(item);
    while (this.events.childElementCount > SHOWN_MAX) this.events.lastElementChild.remove();
    showSoon();
  }

  show(eachMax) {
    const sorted = [...this.delays].sort((a, b) => a - b);
    const figures = {
      requests: whole(this.requests),
      up: whole(this.up),
      down: whole(this.down),
      events: whole(this.count),
      last: sorted.length ? ms(this.delays.at(-1)) : "–",
      median: sorted.length ? ms(sorted[sorted.length >> 1]) : "–",
      each: this.count ? whole(this.each) : "–",
    };
    for (const [name, text] of Object.entries(figures)) this.root.querySelector(`[data-figure=${name}]`).textContent = text;
    this.root.querySelector(".bar span").style.width = this.count ? `${100 * this.each / eachMax}%` : "0";
  }

  get each() { return Math.round((this.up + this.down) / this.count); }
}

const digits = new Intl.NumberFormat("en");
const whole = (value) => digits.format(value);
const ms = (value) => (Math.abs(value) < 100 ? `${value.toFixed(1)} ms` : `${whole(Math.round(value))} ms`);

// ---- The four of them ------------------------------------------------------------------------------------------------

// A fetch as both kinds of polling need it. False if the list is not to be looked at.
async function ask(way, signal) {
  const reply = await fetch(way.address, { signal, cache: "no-store" });
  const text = await reply.text();
  // performance's transferSize would say 300 for the head of every reply; so it is counted here.
  let head = `HTTP/1.1 ${reply.status} ${reply.statusText}\r\n\r\n`.length;
  for (const [name, value] of reply.headers) head += name.length + value.length + 4;
  way.requests += 1;
  way.down += head + bytesOf(text);
  if (!reply.ok) throw new Error(text);
  const list = JSON.parse(text);
  way.up += list.request_bytes;
  way.state("open", "Running");
  showSoon();
  if (!way.stands(list)) return;
  list.events.forEach((event) => way.arrive(event));
}

// Asks again and again, `pause` apart, until it is stopped.
async function asking(way, signal, pause) {
  while (!signal.aborted) {
    try {
      await ask(way, signal);
      await sleep(pause(), signal);
    } catch {
      if (signal.aborted) return;
      way.state("waiting", "No answer; trying again");
      await sleep(RETRY_MS, signal);
    }
  }
}

const poll = (way, signal) => asking(way, signal, () => Number($("interval").value));
const longPoll = (way, signal) => asking(way, signal, () => 0);

// Bytes of a chunk (RFC 9112 §7.1).
const chunk = (bytes) => bytes + bytes.toString(16).length + 4;

async function events(way, signal) {
  while (!signal.aborted) {
    await new Promise((over) => {
      const source = new EventSource(way.address);
      let isNew = true;
      signal.addEventListener("abort", over, { once: true });
      source.onopen = () => {
        isNew = true; // the browser comes back by itself, too
        way.requests += 1;
        way.down += STREAM_HEAD_BYTES;
        way.state("open", "Running");
        showSoon();
      };
      source.addEventListener("feed", ({ data }) => {
        const state = JSON.parse(data);
        way.down += chunk(bytesOf(`${isNew ? "retry: 1000\n\n" : ""}event: feed\ndata: ${data}\n\n`));
        way.up += isNew ? state.request_bytes : 0;
        isNew = false;
        if (!way.stands(state)) over();
      });
      source.onmessage = ({ data, lastEventId }) => {
        way.down += chunk(bytesOf(`id: ${lastEventId}\ndata: ${data}\n\n`));
        way.arrive(JSON.parse(data));
      };
      source.onerror = () => {
        way.state("waiting", "Broken; trying again");
        // A refusal ends it for good; a connection that breaks does not.
        if (source.readyState === EventSource.CLOSED) setTimeout(over, RETRY_MS);
      };
      way.leave = () => source.close();
    });
    way.leave();
  }
}

// Bytes of a frame from a server, which masks nothing (RFC 6455 §5.2).
const frame = (bytes) => bytes + (bytes < 126 ? 2 : bytes < 65536 ? 4 : 10);

async function socket(way, signal) {
  while (!signal.aborted) {
    await new Promise((over) => {
      const url = new URL(way.address, location.href);
      url.protocol = url.protocol.replace("http", "ws");
      const own = new WebSocket(url);
      signal.addEventListener("abort", over, { once: true });
      own.onopen = () => {
        way.requests += 1;
        way.down += SOCKET_HEAD_BYTES;
        way.state("open", "Running");
        showSoon();
      };
      own.onmessage = ({ data }) => {
        way.down += frame(bytesOf(data));
        const message = JSON.parse(data);
        if (message.feed === undefined) return way.arrive(message);
        way.up += message.request_bytes;
        if (!way.stands(message)) over();
      };
      own.onclose = () => {
        if (!signal.aborted) way.state("waiting", "Broken; trying again");
        setTimeout(over, RETRY_MS);
      };
      way.leave = () => {
        own.onmessage = own.onclose = null;
        own.close();
      };
    });
    way.leave();
  }
}

const ways = [
  { id: "poll", title: "Polling", path: "/feed/poll", run: poll,
    what: "Asks whether there is news, again and again. Mostly there is none, or it is old already." },
  { id: "long-poll", title: "Long polling", path: "/feed/long-poll", run: longPoll,
    what: "Asks, and the server answers when there is news. A request for each event." },
  { id: "events", title: "Event stream", path: "/feed/events", run: events,
    what: "One reply that never ends: lines of text, one way (server-sent events)." },
  { id: "socket", title: "WebSocket", path: "/feed/ws", run: socket,
    what: "One request, and then frames instead of HTTP. Both could speak; here one does." },
].map((way) => new Way(way));
$("ways").append(...ways.map((way) => way.root));

// ---- Starting, stopping ------------------------------------------------------------------------------------------------

let running = null;

// All begin behind the same event, so that they can be compared.
async function start() {
  running = new AbortController();
  const { signal } = running;
  $("toggle").textContent = "Stop";
  ways.forEach((way) => way.state("connecting", "Starting …"));
  while (!signal.aborted) {
    try {
      const reply = await fetch("feed/poll", { signal, cache: "no-store" });
      const { feed, last } = await reply.json();
      ways.forEach((way) => way.begin(feed, last));
      break;
    } catch {
      if (signal.aborted) return;
      ways.forEach((way) => way.state("waiting", "No answer; trying again"));
      await sleep(RETRY_MS, signal);
    }
  }
  if (!signal.aborted) ways.forEach((way) => way.run(way, signal));
}

function stop() {
  running.abort();
  running = null;
  $("toggle").textContent = "Start";
  ways.forEach((way) => way.state("stopped", "Stopped"));
}

$("toggle").addEventListener("click", () => (running ? stop() : start()));
$("controls").addEventListener("submit", (event) => event.preventDefault());
$("controls").hidden = false;
$("clocks").hidden = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
start();
