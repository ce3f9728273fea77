"""A mock cloud that costs next to nothing: a few bytes after a fixed time. Started by `tests/runs/request_cpu.py`; argument: milliseconds."""

import asyncio
import json
import sys

WHOLE = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "mock",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Final answer: B"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 5, "total_tokens": 105},
    }
).encode()
REPLY = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(WHOLE), WHOLE)
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "mock"}
# Twenty pieces of text, one after the other.
PIECES = [
    b"data: "
    + json.dumps({**HEAD, "choices": [{"index": 0, "delta": {"content": f"word {number} "}, "finish_reason": None}]}).encode()
    + b"\n\n"
    for number in range(20)
]
LAST = b"data: " + json.dumps({**HEAD, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}).encode() + b"\n\ndata: [DONE]\n\n"
GAP_S = 0.001


def chunk(content):
    return b"%x\r\n%s\r\n" % (len(content), content)


async def serve(delay_s):
    async def connected(reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                content = await reader.readexactly(int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0]))
                await asyncio.sleep(delay_s)
                if b'"stream": true' not in content and b'"stream":true' not in content:
                    writer.write(REPLY)
                    continue
                writer.write(STREAM)
                for piece in PIECES:
                    writer.write(chunk(piece))
                    await asyncio.sleep(GAP_S)
                writer.write(chunk(LAST) + b"0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, backlog=1024)
    host, port = server.sockets[0].getsockname()
    print(json.dumps({"url": f"http://{host}:{port}"}), flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1]) / 1000))
