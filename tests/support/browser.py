"""A real Chromium, driven by its DevTools protocol over pipes: no driver and no package is needed beside the browser."""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PATH = os.environ.get("CHROMIUM") or next((found for name in NAMES if (found := shutil.which(name))), None)
WHY_NOT = "no Chromium is here (Debian: apt-get install chromium; or set CHROMIUM to its path)"


class Browser:
    """One headless browser. `command` sends a command and gives its result; events are kept in `events`."""

    def __init__(self, process, reader, writer):
        self.process = process
        self.reader, self.writer = reader, writer
        self.events = []
        self._waiting = {}
        self._last = 0
        self._listening = asyncio.ensure_future(self._listen())

    async def _listen(self):
        while message := await self.reader.readuntil(b"\0"):
            said = json.loads(message[:-1])
            if "id" in said:
                self._waiting.pop(said["id"]).set_result(said)
            else:
                self.events.append(said)

    async def command(self, method, session=None, **params):
        self._last += 1
        number = self._last
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        message = {"id": number, "method": method, "params": params} | ({"sessionId": session} if session else {})
        self.writer.write(json.dumps(message).encode() + b"\0")
        said = await asyncio.wait_for(waiting, 60)
        assert "error" not in said, said
        return said["result"]

    @contextlib.asynccontextmanager
    async def page(self, url):
        """A new page of its own profile."""
        context = (await self.command("Target.createBrowserContext"))["browserContextId"]
        target = (await self.command("Target.createTarget", url="about:blank", browserContextId=context))["targetId"]
        page = Page(self, (await self.command("Target.attachToTarget", targetId=target, flatten=True))["sessionId"])
        for domain in ("Page", "Runtime", "Network", "Log"):
            await page.command(f"{domain}.enable")
        await page.command("Page.navigate", url=url)
        try:
            yield page
        finally:
            await self.command("Target.disposeBrowserContext", browserContextId=context)

    async def close(self):
        self._listening.cancel()
        self.process.terminate()
        await asyncio.to_thread(self.process.wait, 30)
        self.writer.close()


class Page:
    def __init__(self, browser, session):
        self.browser, self.session = browser, session

    async def command(self, method, **params):
        return await self.browser.command(method, self.session, **params)

    async def run(self, script):
        """The value of an expression in the page; promises are awaited."""
        said = await self.command("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    async def until(self, condition):
        """Wait until an expression is true in the page."""
        async with asyncio.timeout(60):
            while not await self.run(f"!!({condition})"):
                await asyncio.sleep(0.05)

    def _seen(self, method):
        return [event["params"] for event in self.browser.events if event["method"] == method and event.get("sessionId") == self.session]

    @property
    def requests(self):
        """The addresses that the page asked for."""
        return [seen["request"]["url"] for seen in self._seen("Network.requestWillBeSent")]

    @property
    def complaints(self):
        """What the browser itself says of the page: blocked by its policy, not found, exceptions."""
        logged = [seen["entry"]["text"] for seen in self._seen("Log.entryAdded") if seen["entry"]["level"] == "error"]
        return logged + [seen["exceptionDetails"]["text"] for seen in self._seen("Runtime.exceptionThrown")]


@contextlib.asynccontextmanager
async def chromium(folder):
    """A headless browser that finds no host but loopback."""
    from_here, to_browser = os.pipe()
    from_browser, to_here = os.pipe()
    # The protocol's pipes are the files 3 and 4.
    begin = f"import os, sys; os.dup2({from_here}, 3); os.dup2({to_here}, 4); os.execv(sys.argv[1], sys.argv[1:])"
    command = (
        PATH,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost",
        f"--user-data-dir={folder}",
        "--remote-debugging-pipe",
        "about:blank",
    )
    with (folder / "chromium.log").open("w") as log:
        process = subprocess.Popen([sys.executable, "-c", begin, *command], pass_fds=(from_here, to_here), stdout=log, stderr=log)
    os.close(from_here)
    os.close(to_here)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=64 * 1024 * 1024)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(from_browser, "rb"))
    transport, _ = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, os.fdopen(to_browser, "wb"))
    browser = Browser(process, reader, transport)
    try:
        yield browser
    finally:
        await browser.close()
