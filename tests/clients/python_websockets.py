#!/usr/bin/env python3
"""The package `websockets` for Python as a judge: strict about what a reply to its offer may say.

    python tests/clients/python_websockets.py ws://127.0.0.1:PORT MODE

MODE says how the server compresses: see websockets.sh.
"""

import asyncio
import json
import os
import secrets
import sys
from pathlib import Path

import websockets
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Opcode

URL, MODE = sys.argv[1:]
REPLIES = json.loads((Path(__file__).parent / "offers.json").read_text()).get(MODE)
MIB = 1 << 20
PATIENCE_S = 60
DATA = {Opcode.TEXT, Opcode.BINARY, Opcode.CONT}

# What this library can offer.
OFFERS = {
    "usual": {"client_max_window_bits": True},
    "forget": {
        "client_max_window_bits": True, "server_no_context_takeover": True, "client_no_context_takeover": True,
    },
    "windows": {"server_max_window_bits": 10, "client_max_window_bits": 10},
}

checks = 0
failures = 0


def expect(what, wanted, found):
    global checks, failures
    checks += 1
    if wanted != found:
        failures += 1
        print(f"FAILED: {what}: expected {str(wanted)[:200]!r}, found {str(found)[:400]!r}")


def session(path, offer=None, **options):
    extensions = [ClientPerMessageDeflateFactory(**offer)] if offer is not None else None
    return connect(URL + path, extensions=extensions, compression=None, max_size=None, ping_interval=None,
                   proxy=None, **options)


def watch(socket):
    """Lists what its frames were before the extension took them apart, and behind it: (sent, RSV1, length)."""
    frames = []
    for extension in socket.protocol.extensions:
        decode, encode = extension.decode, extension.encode

        def decoded(frame, *, max_size=None, decode=decode):
            if frame.opcode in DATA:
                frames.append((False, frame.rsv1, len(frame.data)))
            return decode(frame, max_size=max_size)

        def encoded(frame, encode=encode):
            result = encode(frame)
            if result.opcode in DATA:
                frames.append((True, result.rsv1, len(result.data)))
            return result

        extension.decode, extension.encode = decoded, encoded
    return frames


async def echoes(socket, what):
    messages = ["", "ahoy", "Grüße ✓ 😂", "x" * 100_000, "ü😂" * 30_000, bytes(1_000_000)]
    messages += [secrets.token_bytes(length) for length in (0, 1, 63, 64, 125, 126, 127, 65_535, 65_536, 1_000_000)]

    async def say():
        for message in messages:
            await socket.send(message)

    saying = asyncio.create_task(say())
    for number, message in enumerate(messages):
        expect(f"{what}, echo {number}", True, await socket.recv() == message)
    await saying


async def fragments(socket, what):
    """An iterable is sent as fragments; the first of them is always there, and an empty one ends the message."""
    words = ["zwölf ", "", "Boxkämpfer ", "😂", "x" * 70_000]
    await socket.send(words)
    expect(f"{what}, fragments of text", "".join(words), await socket.recv())
    parts = [secrets.token_bytes(length) for length in (1, 0, 125, 126, 65_536)]
    await socket.send(parts)
    expect(f"{what}, fragments of bytes", b"".join(parts), await socket.recv())

    async def slowly():
        for word in words:
            yield word
            pong = await socket.ping()
            await pong

    await socket.send(slowly())
    expect(f"{what}, fragments with pings between", "".join(words), await socket.recv())
    pieces = [piece async for piece in socket.recv_streaming()] if await socket.send("one") is None else []
    expect(f"{what}, frames of an echo", "one", "".join(pieces))


async def in_flight(socket, what):
    texts = [f"message {number} {'.' * (number % 300)}" for number in range(3000)]

    async def say():
        for text in texts:
            await socket.send(text)

    saying = asyncio.create_task(say())
    found = [await socket.recv() for _ in texts]
    await saying
    expect(f"{what}, in flight", True, found == texts)


async def pings(socket, what):
    for payload in (b"x", b"p" * 125):
        pong = await socket.ping(payload)
        expect(f"{what}, ping of {len(payload)}", True, await asyncio.wait_for(pong, PATIENCE_S) >= 0)


async def compressed(socket, what, frames):
    """RSV1 stands on what was worth compressing, and little travels."""
    frames.clear()
    text = "The same words, again and again. " * 3000
    await socket.send(text)
    expect(f"{what}, compressed", True, await socket.recv() == text)
    expect(f"{what}, RSV1", [(True, True), (False, True)], [frame[:2] for frame in frames])
    expect(f"{what}, lengths", True, all(frame[2] < len(text) // 4 for frame in frames))
    frames.clear()
    await socket.send("short")
    await socket.recv()
    expect(f"{what}, RSV1 of what is short", [(True, True), (False, False)], [frame[:2] for frame in frames])
    frames.clear()
    noise = secrets.token_bytes(200)  # which the smallest window holds
    for _ in range(2):
        await socket.send(noise)
        await socket.recv()
    _, _, sent, received = frames
    reply = REPLIES[what]
    expect(f"{what}, noise again, ours", "client_no_context_takeover" not in reply, sent[2] < 50)
    expect(f"{what}, noise again, the server's", "server_no_context_takeover" not in reply, received[2] < 50)


async def plain():
    async with session("/ws") as socket:
        expect("no extension", None, socket.response.headers.get("Sec-WebSocket-Extensions"))
        for part in (echoes, fragments, in_flight, pings):
            await part(socket, "plain")


async def offered():
    for name, offer in OFFERS.items():
        async with session("/ws", offer) as socket:
            reply = socket.response.headers.get("Sec-WebSocket-Extensions")
            expect(f"reply to the offer {name}", REPLIES and REPLIES[name], reply)
            expect(f"extensions of the offer {name}", 1 if REPLIES else 0, len(socket.protocol.extensions))
            frames = watch(socket)
            for part in (echoes, fragments, in_flight, pings):
                await part(socket, name)
            if REPLIES:
                await compressed(socket, name, frames)


async def largest():
    """16 MiB are taken, whole and in fragments; one byte more is not."""
    exact = bytes(16 * MIB)
    # Not `async with`: 17.4 stumbles over its own transport when the server has hung up on half a message.
    socket = await session("/ws", OFFERS["usual"])
    await socket.send(exact)
    expect("16 MiB", True, await socket.recv() == exact)
    await socket.send([exact[at : at + MIB] for at in range(0, len(exact), MIB)])
    expect("16 MiB in fragments", True, await socket.recv() == exact)
    try:
        await socket.send(exact + b"\0")
        await socket.recv()
        expect("a byte more", 1009, "echoed")
    except ConnectionClosed as closed:
        expect("a byte more", 1009, closed.rcvd and closed.rcvd.code)


async def closes():
    for code, reason in ((1000, "done"), (3000, "Grüße ✓"), (4999, "x" * 123)):
        async with session("/ws", OFFERS["usual"]) as socket:
            await socket.send("under way")
            await socket.close(code, reason)
            closed = socket.protocol.close_exc
            found = (closed.rcvd.code, closed.rcvd.reason, closed.sent.code, closed.rcvd_then_sent)
            expect(f"close {code}", (code, "", code, False), found)
            expect(f"what was under way, {code}", "under way", await socket.recv())


async def chat():
    """It speaks one subprotocol, to its own pages."""
    origin = URL.replace("ws", "http", 1)
    names = ["other", "longshore.chat.v1"]
    async with session("/chat/ws", subprotocols=names, origin=origin) as socket:
        expect("subprotocol", "longshore.chat.v1", socket.subprotocol)
        hello = {"type": "hello", "name": f"Python {os.getpid()}", "key": secrets.token_hex(16)}
        await socket.send(json.dumps(hello))
        expect("welcome", "welcome", json.loads(await socket.recv())["type"])
    for path, where, status in (("/chat/ws", "https://elsewhere.example", 403), ("/nothing", origin, 404)):
        try:
            async with session(path, origin=where):
                expect(f"{path} from {where}", status, "opened")
        except InvalidStatus as refused:
            expect(f"{path} from {where}", status, refused.response.status_code)


async def main():
    parts = [offered, largest, closes]
    if MODE == "plain":
        parts += [plain, chat]
        print(f"NOTE: websockets {websockets.__version__} for Python {sys.version.split()[0]}")
    for part in parts:
        try:
            await asyncio.wait_for(part(), PATIENCE_S)
        except Exception as error:  # whatever it is, it is this part's failure, and the others run all the same
            expect(part.__name__, "no error", repr(error))
    print(f"{checks} checks")
    sys.exit(failures > 0)


asyncio.run(main())
