// The browser's side of the room. The protocol stands in mod.rs beside this file.
//
//   forms ──▶ unsent ──▶ socket ──▶ server        one message at a time, until the server tells it to everybody
//   log, people, state ◀── receive ◀── socket
//
// Everything that somebody has written gets into the page through textContent, never as markup.

const QUIET_MS = 25_000; // after so much silence the server is asked whether it is there
const ANSWER_MS = 10_000; // within which it has to answer
const RETRY_MS = { first: 500, longest: 30_000 };
const STABLE_MS = 5_000; // a connection that held so long was a good one
const LOG_MAX = 500; // messages in the page
const UNSENT_MAX = 20;
const NAME_MAX = 32;
const TEXT_MAX = 2000;

const $ = (id) => document.getElementById(id);
const door = $("door"), room = $("room"), log = $("log"), text = $("text"), nickname = $("name");

// ---- What is kept: the nickname for all tabs, the rest for this tab, over reloads --------------------------------

// Browsers that keep nothing (private windows, blocked storage) throw; then the page forgets on reload.
function load(storage, name) {
  try { return window[storage].getItem(`longshore.chat.${name}`); } catch { return null; }
}

function save(storage, name, value) {
  try { window[storage].setItem(`longshore.chat.${name}`, value); } catch { /* see above */ }
}

// Not crypto.randomUUID, which plain http: pages on other hosts do not have.
function random(bytes) {
  return [...crypto.getRandomValues(new Uint8Array(bytes))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

const me = {
  name: load("sessionStorage", "name") ?? load("localStorage", "name") ?? "", // other tabs may have other names
  key: load("sessionStorage", "key") ?? random(16), // proves that a new connection is this tab's
  seat: null,
  room: null, // which life of the server the numbers belong to
  since: 0, // the last message that this page has
};
save("sessionStorage", "key", me.key);

// ---- The connection ---------------------------------------------------------------------------------------------
//
//   away ──enter──▶ connecting ──welcome──▶ open
//                       ▲                    │ it breaks
//                       └──── waiting ◀──────┘        twice as long each time, or "Reconnect now"

let state = "away";
let socket = null;
let openedAt = 0;
let failures = 0;
let retryTimer, retryAt, aliveTimer;

function connect() {
  disconnect();
  show("connecting");
  const url = new URL("chat/ws", location.href);
  url.protocol = url.protocol.replace("http", "ws");
  const own = new WebSocket(url, "longshore.chat.v1");
  socket = own;
  own.onopen = () => {
    const known = me.room === null ? {} : { room: me.room, since: me.since };
    send({ type: "hello", name: me.name, key: me.key, ...known });
  };
  own.onmessage = (event) => {
    if (socket !== own) return; // given up
    expectSomething();
    receive(JSON.parse(event.data));
  };
  own.onclose = (event) => {
    if (socket === own) lost(event.code);
  };
  // A connection that is never made, or is made and stays silent, is no connection.
  aliveTimer = setTimeout(lost, ANSWER_MS);
}

function disconnect() {
  const old = socket;
  socket = null; // first, so that its end is not taken for a loss
  old?.close();
  clearTimeout(aliveTimer);
  clearInterval(retryTimer);
  retryTimer = null;
  inFlight = null;
}

function send(message) {
  socket.send(JSON.stringify(message));
}

// A dead connection looks like a quiet one: ask, and give it up if nothing comes.
function expectSomething() {
  clearTimeout(aliveTimer);
  aliveTimer = setTimeout(() => {
    if (socket?.readyState !== WebSocket.OPEN) return;
    send({ type: "alive" });
    aliveTimer = setTimeout(lost, ANSWER_MS);
  }, QUIET_MS);
}

function lost(code) {
  const wasGood = state === "open" && Date.now() - openedAt > STABLE_MS;
  disconnect();
  if (code === 1008) return rest("The server has closed this connection");
  failures = wasGood ? 0 : failures + 1;
  const longest = Math.min(RETRY_MS.longest, RETRY_MS.first * 2 ** failures);
  // Half of it by chance: or all pages would come back in the same moment, when a server comes back.
  retryAt = Date.now() + longest * (0.5 + Math.random() / 2);
  retryTimer = setInterval(countDown, 250);
  show("waiting", "Connection lost");
  countDown();
}

function countDown() {
  const seconds = Math.ceil((retryAt - Date.now()) / 1000);
  if (seconds <= 0) return connect();
  $("countdown").textContent = ` – next try in ${seconds} s`;
}

// Not connected, and not trying until the user wants to.
function rest(why) {
  disconnect();
  show("waiting", why);
}

const STATES = { away: "Not in the room", connecting: "Connecting …", open: "Connected" };

function show(now, words = STATES[now]) {
  state = now;
  const button = $("reconnect");
  if (now === "open" && document.activeElement === button) text.focus(); // it is about to vanish
  button.hidden = now !== "waiting";
  $("leave").hidden = now === "away";
  $("light").dataset.state = now;
  $("countdown").textContent = "";
  // Read out by screen readers, so only when it changes; the countdown stands outside of it.
  if ($("state-text").textContent !== words) $("state-text").textContent = words;
  showUnsent();
}

// ---- What the server tells --------------------------------------------------------------------------------------

function receive(told) {
  switch (told.type) {
    case "welcome": return welcome(told);
    case "history": return history(told.messages);
    case "said": return said(told);
    case "who": return showPeople(told.members);
    case "replaced": return told.seat === me.seat && rest("This tab's place was taken over by another one");
    case "error": return refused(told);
  }
}

function welcome({ room: now, name, seat }) {
  if (me.room !== now) {
    if (me.room !== null) append(divider("The server was restarted"));
    me.room = now;
    me.since = 0;
  }
  me.name = name;
  me.seat = seat;
  openedAt = Date.now();
  save("localStorage", "name", name);
  save("sessionStorage", "name", name);
  save("sessionStorage", "entered", "yes");
  showRoom();
  show("open");
}

function history(messages) {
  if (me.since > 0 && messages[0]?.number > me.since + 1) append(divider("Older messages are not kept"));
  // Fifty old messages are not to be read out.
  log.setAttribute("aria-live", "off");
  messages.forEach(said);
  setTimeout(() => log.setAttribute("aria-live", "polite"), 1000);
  sendNext();
}

function said(message) {
  // Ours may come a second time, if the connection broke before we knew that it had arrived.
  const isOwn = message.from === me.name;
  if (isOwn && message.id === unsent[0]?.id) {
    unsent.shift();
    inFlight = null;
    keepUnsent();
    sendSoon(unsent.length > 0 ? pauseMs : (pauseMs = 0));
  }
  if (message.number <= me.since) return;
  me.since = message.number;
  append(bubble(message, isOwn), isOwn);
}

function refused({ code, text: why, id, retry_ms: retryMs }) {
  if (["name", "taken", "full", "key"].includes(code)) return showDoor(why);
  $("notice").textContent = why;
  if (id === undefined || id !== inFlight) return;
  inFlight = null;
  if (code === "rate" || code === "busy") {
    pauseMs = Math.max(1000, retryMs ?? 0); // also between the ones behind it
    return sendSoon(pauseMs);
  }
  // It will not be taken as it is: back to the user.
  text.value = [unsent.shift().text, text.value].filter(Boolean).join("\n");
  keepUnsent();
}

// ---- What we say: it waits until the server has told it to everybody ----------------------------------------------

const unsent = JSON.parse(load("sessionStorage", "unsent") ?? "[]");
let inFlight = null; // the id of the first of them, if it is on its way
let pauseMs = 0; // between two messages, after the server has found us too fast
let sendTimer;

function sendNext() {
  if (state !== "open" || inFlight !== null || unsent.length === 0) return;
  inFlight = unsent[0].id;
  send({ type: "say", ...unsent[0] });
}

function sendSoon(ms) {
  clearTimeout(sendTimer);
  sendTimer = setTimeout(sendNext, ms);
}

function say(words) {
  unsent.push({ id: random(8), text: words });
  keepUnsent();
  if (pauseMs === 0) sendNext();
}

function keepUnsent() {
  save("sessionStorage", "unsent", JSON.stringify(unsent));
  save("sessionStorage", "draft", text.value);
  showUnsent();
}

// One that is on its way is usually back at once: it would only flicker.
function showUnsent() {
  const waiting = state === "open" && pauseMs === 0 ? [] : unsent;
  $("unsent").hidden = waiting.length === 0;
  $("unsent").replaceChildren(...waiting.map((message) => element("li", "", message.text)));
}

// ---- The log ----------------------------------------------------------------------------------------------------

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const calendar = new Intl.DateTimeFormat(undefined, { dateStyle: "long" });
let lastDay = calendar.format(Date.now());
let following = true; // the newest message is in view
let unseen = 0;

function element(tag, className = "", content = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = content;
  return made;
}

function divider(words) {
  return element("li", "divider", words);
}

function timeOf(ms) {
  const time = element("time", "", clock.format(ms));
  time.dateTime = new Date(ms).toISOString();
  return time;
}

function bubble(message, isOwn) {
  const day = calendar.format(message.time);
  if (day !== lastDay) append(divider(day));
  lastDay = day;
  const head = element("p");
  head.append(element("bdi", "from", message.from), isOwn ? "(you) " : "", timeOf(message.time));
  const body = element("p", "text", message.text);
  body.dir = "auto"; // and so its direction stays inside of it
  const item = element("li", isOwn ? "message own" : "message");
  item.append(head, body);
  return item;
}

function append(item, isOwn = false) {
  log.append(item);
  while (log.childElementCount > LOG_MAX) log.firstElementChild.remove();
  if (following || isOwn) return toEnd();
  unseen += 1;
  $("newer").textContent = unseen === 1 ? "1 new message ↓" : `${unseen} new messages ↓`;
  $("newer").hidden = false;
}

function toEnd() {
  log.scrollTop = log.scrollHeight;
  following = true;
  unseen = 0;
  $("newer").hidden = true;
}

log.addEventListener("scroll", () => {
  following = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  if (following) toEnd();
});
$("newer").addEventListener("click", () => {
  toEnd();
  text.focus();
});
// A phone's keyboard, or a longer input, takes room from the log: what was in view stays in view.
new ResizeObserver(() => following && toEnd()).observe(log);

// ---- The people -------------------------------------------------------------------------------------------------

function showPeople(members) {
  $("people-count").textContent = `(${members.filter((member) => member.online).length} online)`;
  $("people-list").replaceChildren(...members.map(person));
}

function person({ name, online, seen }) {
  const item = element("li", online ? "online" : "");
  item.append(element("bdi", "", name), name === me.name && online ? " (you)" : "");
  if (online) {
    item.append(element("span", "seen", " online"));
  } else {
    const day = calendar.format(seen);
    const lastSeen = element("span", "seen", day === calendar.format(Date.now()) ? " last seen " : ` last seen ${day}, `);
    lastSeen.append(timeOf(seen));
    item.append(lastSeen);
  }
  return item;
}

// On a phone the people fold away; beside the talk there is room for them.
const isWide = matchMedia("(min-width: 48rem)");
const unfold = () => { $("people").open = isWide.matches; };
isWide.addEventListener("change", unfold);
unfold();

// ---- Door and room, forms and buttons ---------------------------------------------------------------------------

function showRoom() {
  if (!room.hidden) return;
  door.hidden = true;
  room.hidden = false;
  toEnd();
  text.focus();
}

function showDoor(why = "") {
  disconnect();
  show("away");
  save("sessionStorage", "entered", "");
  room.hidden = true;
  door.hidden = false;
  nickname.value = me.name;
  nickname.setAttribute("aria-invalid", why !== "");
  $("name-error").textContent = why;
  nickname.focus();
}

const count = (string) => [...string].length; // characters, as the server counts them
// Half a character (from a script, or a broken paste) could not be sent.
const clean = (string) => (string.toWellFormed?.() ?? string).trim();

$("hello").addEventListener("submit", (event) => {
  event.preventDefault();
  me.name = clean(nickname.value);
  if (me.name === "" || count(me.name) > NAME_MAX) return showDoor("A nickname has 1 to 32 characters.");
  nickname.removeAttribute("aria-invalid");
  $("name-error").textContent = "";
  connect();
});

$("say").addEventListener("submit", (event) => {
  event.preventDefault();
  const words = clean(text.value);
  const tooLong = count(words) - TEXT_MAX;
  $("notice").textContent =
    tooLong > 0 ? `This message is ${tooLong} characters too long.`
    : unsent.length >= UNSENT_MAX ? "Too many messages wait to be sent. Yours stays here until then."
    : "";
  if (words === "" || $("notice").textContent !== "") return;
  text.value = "";
  say(words);
});

text.addEventListener("keydown", (event) => {
  // While an input method composes a character, Enter belongs to it.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $("say").requestSubmit();
});
text.addEventListener("input", () => save("sessionStorage", "draft", text.value));

$("reconnect").addEventListener("click", connect);
$("leave").addEventListener("click", () => showDoor());
window.addEventListener("online", () => state === "waiting" && retryTimer && connect());

text.value = load("sessionStorage", "draft") ?? "";
nickname.value = me.name;
if (me.name !== "" && load("sessionStorage", "entered") === "yes") {
  showRoom();
  connect();
} else {
  nickname.focus();
}
