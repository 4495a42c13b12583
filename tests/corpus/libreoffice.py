"""Write tables with LibreOffice, as a person does who opens a CSV file and saves it as another one."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

SOFFICE = shutil.which("soffice")
CHARSETS = {"utf-8": 76, "windows-1252": 1, "utf-16": 65535}  # the numbers that its filters have for them
SECONDS = 120  # for its start, on a slow machine
AS_TEXT = "1/2/2/2/3/2"  # columns 1 to 3; without it, a phone becomes a number, and a date one of its locale


def files(table: bytes) -> Iterator[tuple[str, bytes, str, dict[str, str]]]:
    """Yield a CSV file as files of many kinds: name, bytes, content type and query of each."""
    for label, query in (("text", {}), ("numbers", {"region": "IN"})):
        as_text = label == "text"
        for mark, name in ((",", "comma"), (";", "semicolon"), ("\t", "tab")):
            for charset in CHARSETS:
                data = write(table, "csv", as_text=as_text, mark=mark, charset=charset)
                declared = "; charset=windows-1252" if charset == "windows-1252" else ""
                yield f"libreoffice-{label}-{name}-{charset}.csv", data, f"text/csv{declared}", query
        for suffix in ("xlsx", "ods", "xls"):
            data = write(table, suffix, as_text=as_text)
            yield f"libreoffice-{label}.{suffix}", data, "application/octet-stream", query


def write(
    table: bytes, suffix: str, *, as_text: bool = False, mark: str = ",", charset: str = "utf-8"
) -> bytes:
    """Return a CSV file in UTF-8 as a file of another kind: `xlsx`, `ods`, `xls` or `csv`.

    A CSV file has the delimiter `mark` and the charset.
    """
    assert SOFFICE is not None
    target = suffix
    if suffix == "csv":
        target = f"csv:Text - txt - csv (StarCalc):{ord(mark)},34,{CHARSETS[charset]},1,,0,false,true,false"
    with TemporaryDirectory() as folder:
        source = Path(folder, "table.csv")
        source.write_bytes(table)
        options = f"44,34,76,1,{AS_TEXT if as_text else ''}"
        subprocess.run(
            [
                SOFFICE,
                "--headless",
                "--norestore",
                f"-env:UserInstallation=file://{folder}/profile",
                f"--infilter=CSV:{options}",
                "--convert-to",
                target,
                "--outdir",
                f"{folder}/out",
                str(source),
            ],
            check=True,
            capture_output=True,
            timeout=SECONDS,
        )
        return Path(folder, "out", f"table.{suffix}").read_bytes()
