#!/usr/bin/python3
# SPDX-License-Identifier: MIT
# t/lib/client/websocket.py URL - talks to t/lib/modules/messages.c by the library
# websockets (python3-websockets): a counterpart that is not ours. Prints a line
# `ok NAME` or `not ok NAME: ...` for each thing it sees, `do WHAT` and waits for a
# line of input when the test shall do something to the relay, and `end`.
import asyncio
import os
import ssl
import sys

import websockets

url = sys.argv[1]
tls = ssl.create_default_context() if url.startswith('wss') else None
if tls:
    tls.check_hostname = False
    tls.verify_mode = ssl.CERT_NONE
# A machine that is busy with other tests is no failure.
PATIENCE = 60


def say(line):
    print(line, flush=True)


def same(got, want, name):
    say(f'ok {name}' if got == want else f'not ok {name}: {got!r:.200} is not {want!r:.200}')


async def ask_for(what):
    say(f'do {what}')
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


def connect(path='', **o):
    o = {'max_size': None, 'ping_interval': None, 'ssl': tls, 'open_timeout': PATIENCE} | o
    return websockets.connect(url + path, **o)


async def hear(ws):
    return await asyncio.wait_for(ws.recv(), PATIENCE)


async def asked(ws, text):
    await ws.send(text)
    return await hear(ws)


async def end_of(ws):
    await asyncio.wait_for(ws.wait_closed(), PATIENCE)
    return ws.close_code, ws.close_reason


async def borders():
    async with connect() as ws:
        for kind, message in (('text', 'grüße'), ('binary', b'\0\xff\x80'), ('empty text', ''),
                              ('empty binary', b''), ('125 bytes', b'a' * 125), ('126', b'b' * 126),
                              ('65535', b'c' * 65535), ('65536', b'd' * 65536)):
            same(await asked(ws, message), message, f'back as it came: {kind}')
        many = [os.urandom(n * 37 % 3000 + 1) for n in range(200)]
        for m in many:
            await ws.send(m)
        same([await hear(ws) for _ in many], many, '200 messages at once keep their borders')
        await ws.send('many 40')
        back = [await hear(ws) for _ in range(40)]
        same([len(m) for m in back], [i * 97 for i in range(40)], '... and 40 from there')
        same([isinstance(m, str) for m in back], [i % 2 == 1 for i in range(40)], '... of two kinds')
        same(await asked(ws, 'x' * (1024 * 1024)), 'text of 1048576 bytes', 'the largest message')
        same(await asked(ws, ['frag', 'men', 'ted']), 'fragmented', 'fragments are put together')
        same(await asked(ws, iter([b'a' * 40000, b'b' * 40000])), 'binary of 80000 bytes', '... large ones')

        async def slowly():
            for part in ('ping ', 'amid ', 'fragments'):
                yield part
                await asyncio.wait_for(await ws.ping(b'are you there'), PATIENCE)
        same(await asked(ws, slowly()), 'ping amid fragments', 'a Ping amid fragments is answered')
        # before any other end: the relay logs only some of many
        await ws.close(4002, 'their reason')
        same(await end_of(ws), (4002, ''), 'we close, the code comes back')


async def subprotocols():
    async def chosen(path='', **o):
        async with connect(path, **o) as ws:
            return ws.subprotocol, await asked(ws, 'subprotocol')
    same(await chosen(subprotocols=['v1', 'v2']), ('v2', 'v2'), 'the order of the server counts')
    same(await chosen(subprotocols=['v1', 'v3']), ('v1', 'v1'), '... among what is offered')
    same(await chosen(subprotocols=['v3']), (None, ''), 'none of them')
    same(await chosen('/needed', subprotocols=['v1']), ('v1', 'v1'), 'one is needed and offered')

    async def status(path='', **o):
        try:
            async with connect(path, **o):
                return 101
        except websockets.InvalidStatusCode as e:
            return e.status_code
    same(await status('/needed'), 426, 'one is needed')
    same(await status(origin='https://evil.example'), 403, 'a page that must not')


async def closing():
    async def ended(path, message):
        async with connect(path) as ws:
            await ws.send(message)
            return await end_of(ws)
    same(await ended('', 'close 4001 our reason, ü'), (4001, 'our reason, ü'), 'a code of the module')
    same(await ended('', 'deny'), (1008, ''), 'a reason of the core')
    same(await ended('', 'login mallory'), (1008, 'no' + '€' * 40), 'a login that a hook refuses: why, as whole characters')
    same(await ended('', 'reason 0'), (1008, ''), 'a reason of the module: the code of its kind')
    same(await ended('', 'reason 1'), (4001, 'zu schnell für uns'), '... or its own')
    same(await ended('', 'reason 2'), (1000, ''), '... one that is not in its table')
    same(await ended('/small', 'x' * 101), (1009, ''), 'a message that is too long')
    same(await ended('', 'x' * (1024 * 1024 + 1)), (1009, ''), '... for the largest limit')
    async with connect() as ws:
        same(await asked(ws, 'close 4001'), 'goes before the end', 'what was sent before comes first')
        await end_of(ws)
    async with connect() as ws:
        same(await asked(ws, 'close 1005'), 'goes before the end', 'a code that may not be sent')
        same(await hear(ws), 'no such code', '... is refused')
    async with connect() as ws:
        ws.transport.write(b'\x81\x81\0\0\0\0\xff')
        same((await end_of(ws))[0], 1007, 'text that is none')
    async with connect() as ws:
        ws.transport.write(b'\x83\x80\0\0\0\0')
        same((await end_of(ws))[0], 1002, 'an opcode that is none')


async def time():
    async with connect('/small') as ws:
        ws.transport.write(b'\x01\x84\0\0\0\0ab')
        same((await end_of(ws))[0], 1008, 'half a message falls under the deadline')
    async with connect('/pinged') as ws:
        pings = 0
        real = ws.pong

        async def pong(data):
            nonlocal pings
            pings += 1
            await real(data)
        ws.pong = pong
        while pings < 2:
            await asyncio.sleep(0.05)
        same(await asked(ws, 'still here'), 'still here', 'who answers Pings stays')


async def held():
    async with connect() as ws:
        for message in ('hold', 'one', 'two', 'x' * 200000):
            await ws.send(message)
        same([await hear(ws) for _ in range(4)], ['goes on', 'one', 'two', 'text of 200000 bytes'],
             'what is held back comes later, all of it')


async def relayed():
    async with connect() as a, connect() as b, connect() as c:
        for name, ws in (('alice', a), ('bob', b), ('carol', c)):
            same(await asked(ws, f'login {name}'), 'logged in', f'{name} logs in')
        for i in range(50):
            await a.send(f'to bob {i} from alice')
            await c.send(f'to bob {i} from carol')
        got = [await hear(b) for _ in range(100)]
        for name in (b'alice', b'carol'):
            same([m for m in got if m.endswith(name)], [b'%d from %s' % (i, name) for i in range(50)],
                 f'bob hears each of 50 messages from {name.decode()}')


async def reload():
    async with connect() as ws:
        same(await asked(ws, 'build'), 'BUILD=000001 messages=1', 'the first build')
        ws.transport.write(b'\x01\x83\0\0\0\0buihalf'[:-4])
        # what is behind it has been read as soon as this Ping is answered
        await asyncio.wait_for(await ws.ping(b'read'), PATIENCE)
        await ask_for('reload')
        ws.transport.write(b'\x80\x82\0\0\0\0ld')
        same(await hear(ws), 'BUILD=000002 messages=2', 'half a message goes on in new code')


async def drain():
    async with connect() as ws:
        same(await asked(ws, 'hello'), 'hello', 'before the drain')
        await ask_for('drain')
        same(await end_of(ws), (1001, ''), 'going away')


async def main():
    for part in (borders, subprotocols, closing, time, held, relayed, reload, drain):
        if len(sys.argv) < 3 or part.__name__ in sys.argv[2:]:
            await part()
    say('end')

asyncio.run(main())
