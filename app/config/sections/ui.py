"""The page for people."""

from app.config.sections.base import Section, setting


class UiSettings(Section):
    enabled: bool = setting(
        True,
        "Serve the page for people at `/` and `/ui` (docs/page.md). The page itself needs no key and shows nothing of the gateway; whatever "
        "it asks for needs the key that its reader logs in with. When false, there is nothing at these paths.",
    )
