"""Steps of a person on the page that uploads a file."""

from tests.integration.api.pages.tab import Tab


async def choose(tab: Tab, name: str, content: bytes) -> None:
    """Choose a file, and wait for its preview."""
    async with tab.page.expect_response(lambda response: "/upload/preview" in response.url):
        await tab.page.locator("#file").set_input_files({"name": name, "mimeType": "", "buffer": content})
    await tab.page.locator("#file-kind, #preview-problem").first.wait_for(state="attached")


async def fields(tab: Tab) -> list[str]:
    """Return the field of each column."""
    values: list[str] = await tab.page.locator("#mapping select").evaluate_all(
        "selects => selects.map((select) => select.value)"
    )
    return values


async def press(tab: Tab, name: str) -> None:
    """Press a button with the keyboard."""
    await tab.page.get_by_role("button", name=name, exact=True).press("Enter")
