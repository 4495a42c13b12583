"""A person who has only the keyboard: each step with Tab is checked."""

from dataclasses import dataclass
from typing import Any

from playwright.async_api import expect

from tests.integration.api.pages.tab import Tab

MOST_STEPS = 400  # on one page; more of them are a trap
LEAST_OUTLINE = 2  # CSS pixels
LEAST_CONTRAST = 3.0  # of the outline with what is behind it (WCAG 2.4.13, 1.4.11)
STOPS = """() => [...document.querySelectorAll(
  'a[href], button, input, select, textarea, summary, [tabindex]'
)].filter((one) => one.tabIndex >= 0 && !one.matches(':disabled, [type=hidden]') && one.checkVisibility({
  visibilityProperty: true
})).map((one) => one.outerHTML.slice(0, 120))"""
STEP = """() => {
  const one = document.activeElement;
  if (!one || one === document.body) return null;
  // what a browser cannot draw an outline around has it around its label
  const shown = one.type === 'file' ? one.labels[0] : one;
  const style = getComputedStyle(shown);
  const [rect] = shown.getClientRects();
  const inset = parseFloat(style.outlineOffset) < 0;
  let behind = inset ? shown : shown.parentElement;
  while (behind && /(, 0\\)|transparent|\\/ 0\\))$/.test(getComputedStyle(behind).backgroundColor)) {
    behind = behind.parentElement;
  }
  const light = (text) => {
    const [r, g, b] = text.match(/[\\d.]+/g).slice(0, 3).map((part) => {
      const value = part / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
  };
  const ground = getComputedStyle(behind ?? document.documentElement).backgroundColor;
  const lights = [style.outlineColor, ground].map(light);
  const at = document.elementFromPoint(rect.left + rect.width / 2, rect.top + rect.height / 2);
  return {
    html: one.outerHTML.slice(0, 120),
    place: [...document.querySelectorAll('*')].indexOf(one),
    name: (one.labels?.[0] ?? one).textContent.trim().replace(/\\s+/g, ' '),
    top: rect.top + scrollY, left: rect.left, bottom: rect.bottom + scrollY, right: rect.right,
    outline: style.outlineStyle === 'none' ? 0 : parseFloat(style.outlineWidth),
    contrast: Math.max(...lights) / Math.min(...lights),
    seen: at !== null && (shown.contains(at) || at.contains(shown)),
  };
}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """An element that has the focus, and how it looks then."""

    html: str
    place: int
    name: str
    top: float
    left: float
    bottom: float
    right: float
    outline: float
    contrast: float
    seen: bool


async def focused(tab: Tab) -> Step | None:
    """Return what has the focus; None: nothing."""
    found: dict[str, Any] | None = await tab.page.evaluate(STEP)
    return Step(**found) if found else None


async def walk(tab: Tab) -> list[Step]:
    """Press Tab from the beginning of a page to its end, and check each step.

    Everything is reached, in the order of the page, and nothing holds the focus. It is visible at each step.
    """
    wanted: list[str] = await tab.page.evaluate(STOPS)
    await tab.page.locator(".skip").focus()
    steps: list[Step] = []
    for number in range(MOST_STEPS):
        if number:
            await tab.page.keyboard.press("Tab")
        step = await focused(tab)
        if step is None or (steps and step.place == steps[0].place):
            break
        if steps and step.place == steps[-1].place:
            continue  # the next part of a date
        _check(steps[-1] if steps else None, step)
        steps.append(step)
    else:
        raise AssertionError(f"{tab.page.url} holds the focus at {steps[-1].html}")
    missing = [html for html in wanted if html not in {step.html for step in steps}]
    assert not missing, f"{tab.page.url}: not reached: {missing}"
    return steps


def _check(before: Step | None, step: Step) -> None:
    assert step.outline >= LEAST_OUTLINE, f"no outline: {step}"
    assert step.contrast >= LEAST_CONTRAST, f"the outline is hard to see: {step}"
    assert step.seen, f"hidden while it has the focus: {step}"
    if before:
        assert step.place > before.place, f"out of order: {step} after {before}"
        back = step.bottom <= before.top and step.left < before.right
        assert not back, f"the focus jumps back: {step} after {before}"


async def go_to(tab: Tab, name: str) -> None:
    """Press Tab until the element with this text or label has the focus."""
    for _ in range(MOST_STEPS):
        await tab.page.keyboard.press("Tab")
        step = await focused(tab)
        if step and step.name.startswith(name):
            return
    raise AssertionError(f"{tab.page.url}: {name} is not reached")


async def press(tab: Tab, *keys: str) -> None:
    """Press keys one after another."""
    for key in keys:
        await tab.page.keyboard.press(key)


async def expect_question(tab: Tab, name: str, button: str) -> None:
    """A question opens with Enter; Escape closes it and gives the focus back to its button."""
    await go_to(tab, name)
    await press(tab, "Enter", "Tab")
    answer = tab.page.get_by_role("button", name=button)
    if await answer.count() == 0:
        await expect(tab.page.get_by_label(button).first).to_be_focused()
    else:
        await expect(answer.first).to_be_focused()
    await press(tab, "Escape")
    step = await focused(tab)
    assert step is not None
    assert step.name.startswith(name)
