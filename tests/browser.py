"""A real browser for the tests of the page: headless Chromium, driven by selenium."""

import contextlib
import shutil

import pytest

_CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_OPTIONS = (
    "--headless",
    "--no-sandbox",  # needed where the tests run as root
    "--disable-gpu",
    "--disable-dev-shm-usage",  # containers have little of it
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--window-size=1300,900",
)


def _find(*names):
    return next((path for path in map(shutil.which, names) if path), None)


@contextlib.contextmanager
def chromium(profile):
    """Start Chromium with a profile of its own, or skip the test where there is none.

    Both programs are named to selenium, which would otherwise fetch what it does not find.
    """
    webdriver = pytest.importorskip("selenium.webdriver")
    browser, driver = _find(*_CHROMIUM), _find("chromedriver")
    if not browser or not driver:
        pytest.skip("no browser here: install Chromium (Debian: chromium, chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for option in [*_OPTIONS, f"--user-data-dir={profile}"]:
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    running = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        yield running
    finally:
        running.quit()
