"""Tabs of a real browser: a tool of the tests of pages."""

from __future__ import annotations


class Watched:
    """A tab that remembers every request and every word on the console."""

    def __init__(self, browser, address, **options):
        self.context = browser.new_context(**{"viewport": {"width": 1300, "height": 900}, **options})
        self.tab = self.context.new_page()
        self.address, self.requests, self.console = address, [], []
        self.tab.on("request", lambda r: self.requests.append(r.url))
        self.tab.on("console", lambda m: self.console.append(m.text))
        self.tab.on("pageerror", lambda e: self.console.append(str(e)))

    def open(self, fragment=""):
        self.tab.goto("about:blank")
        self.requests.clear()
        self.tab.goto(self.address + fragment)
        self.tab.wait_for_selector("table")
        return self.tab

    def close(self):
        self.context.close()
        strangers = [url for url in self.requests if not url.startswith(("data:", "blob:", self.address, "about:"))]
        assert not strangers
        assert not self.console
