"""The pictures of the page in docs/page.md: of a gateway that runs, in a real Chromium.

foggate serve --demo                                   in one terminal
python -m tests.runs.page_pictures http://127.0.0.1:8080     in another one
"""

import argparse
import asyncio
import base64
import json
import tempfile
from pathlib import Path

import httpx2

from app.demo.bank import SHIPPED_BANK, load_rows
from tests.support.browser import chromium

FOLDER = Path(__file__).parents[2] / "docs/pictures"
WIDTH = 1280
LIVE_S = 45


async def look(page, theme):
    await page.command("Emulation.setDeviceMetricsOverride", width=WIDTH, height=800, deviceScaleFactor=1, mobile=False)
    await page.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])


async def keep(page, name):
    await asyncio.sleep(1)
    height = await page.run("document.documentElement.scrollHeight")
    clip = {"x": 0, "y": 0, "width": WIDTH, "height": height, "scale": 0.75}
    picture = (await page.command("Page.captureScreenshot", captureBeyondViewport=True, clip=clip))["data"]
    (FOLDER / name).write_bytes(base64.b64decode(picture))


async def load(url):
    """Questions of the mock cloud's bank, a few at a time, again and again."""
    questions = [{"question": row["question"], "options": row["options"]} for row in load_rows([SHIPPED_BANK])]
    async with httpx2.AsyncClient(base_url=url, timeout=60) as http:
        while True:
            for start in range(0, len(questions), 4):
                await asyncio.gather(*(http.post("/v1/answer", json=one) for one in questions[start : start + 4]))
                await asyncio.sleep(0.2)


async def main(url):
    with tempfile.TemporaryDirectory() as folder:
        async with chromium(Path(folder)) as browser, browser.page(url + "/") as page:
            await look(page, "light")
            await page.until("document.querySelector('.ask')")
            await page.run("[...document.querySelectorAll('.actions .link')][0].click()")
            await page.until("document.querySelector('.pill')")
            await keep(page, "page-ask.png")
            print(json.dumps(await page.run("document.querySelector('.why').innerText")))
            await look(page, "dark")
            await page.run("location.hash = 'live'")
            loading = asyncio.create_task(load(url))
            await asyncio.sleep(LIVE_S)
            await keep(page, "page-live.png")
            loading.cancel()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    asyncio.run(main(parser.parse_args().url.rstrip("/")))
