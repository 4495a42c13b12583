"""Write small Excel workbooks, byte by byte, so that a test can also write wrong ones."""

import io
import zipfile
from collections.abc import Mapping, Sequence

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
STYLES = (
    f'<styleSheet xmlns="{MAIN}"><numFmts><numFmt numFmtId="164" formatCode="00000"/>'
    '<numFmt numFmtId="165" formatCode="dd\\.mm\\.yyyy;@"/>'
    '<numFmt numFmtId="166" formatCode="#,##0.00 &quot;days&quot;"/>'
    '</numFmts><cellStyleXfs><xf numFmtId="14"/></cellStyleXfs>'
    '<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/><xf numFmtId="165"/>'
    '<xf numFmtId="166"/></cellXfs>'
    "</styleSheet>"
)
DATE, ZEROS, GERMAN_DATE, AMOUNT = 1, 2, 3, 4  # styles


def make_workbook(
    sheets: Mapping[str, str],
    *,
    texts: Sequence[str] = (),
    book: str = "",
    more: Mapping[str, bytes] | None = None,
) -> bytes:
    """Return a workbook with these sheets, each the XML of its rows; `book` is XML of the workbook itself."""
    names = list(sheets)
    relations = "".join(
        f'<Relationship Id="r{at}" Type="{RELATIONS}/worksheet" Target="worksheets/sheet{at}.xml"/>'
        for at in range(len(names))
    )
    list_ = "".join(
        f'<sheet name="{name}" sheetId="{at + 1}" r:id="r{at}"/>' for at, name in enumerate(names)
    )
    parts = {
        "[Content_Types].xml": "<Types/>",
        "xl/workbook.xml": (
            f'<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}">{book}<sheets>{list_}</sheets></workbook>'
        ),
        "xl/_rels/workbook.xml.rels": f"<Relationships>{relations}</Relationships>",
        "xl/styles.xml": STYLES,
        "xl/sharedStrings.xml": f'<sst xmlns="{MAIN}">{"".join(f"<si>{text}</si>" for text in texts)}</sst>',
    }
    for at, name in enumerate(names):
        parts[f"xl/worksheets/sheet{at}.xml"] = (
            f'<worksheet xmlns="{MAIN}"><sheetData>{sheets[name]}</sheetData></worksheet>'
        )
    return make_archive({name: text.encode() for name, text in parts.items()} | dict(more or {}))


def make_archive(parts: Mapping[str, bytes]) -> bytes:
    """Return a ZIP archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return file.getvalue()


def rows_of(table: Sequence[Sequence[str]]) -> str:
    """Return the XML of rows of text."""
    return "".join(
        "<row>" + "".join(f'<c t="inlineStr"><is><t>{cell}</t></is></c>' for cell in row) + "</row>"
        for row in table
    )
