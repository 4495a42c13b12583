"""Write the files of the corpus with the programs that people use, and `cases.json`: what is in them.

    python tests/corpus/generate.py    # with pandas, polars, openpyxl, xlsxwriter, csvkit, LibreOffice

The service does not need these programs, so the files are committed and the tests do not run this script.
"""

# mypy: ignore-errors
# because these programs are not installed

import csv
import datetime as dt
import gzip
import io
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import libreoffice
import openpyxl
import pandas as pd
import polars as pl
import xlsxwriter

FOLDER = Path(__file__).parent / "files"
CASES: list[dict[str, Any]] = []
NAMES = ("Priya Sharma", "Jürgen Groß", "Zoë Crème, fils", 'Rui "Ré" Açor', "Søren Ångström", "Inés Núñez")
PEOPLE = [
    {"phone": f"+91987654321{at}", "name": name, "birth_date": f"199{at}-0{at + 1}-1{at}"}
    for at, name in enumerate(NAMES)
]
NUMBERS = [{**one, "phone": int(one["phone"][1:])} for one in PEOPLE]
CSV, XLSX = "text/csv", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
NDJSON, JSON = "application/x-ndjson", "application/json"
MARKS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
OK = {"people": len(PEOPLE)}
LOST = {"errors": [[at, "phone", "phone_digits_lost"] for at in range(len(PEOPLE))]}


def save(
    name: str, data: bytes, type_: str, expect: dict[str, Any] = OK, encoding: str = "", **query: str
) -> None:
    """Write one file, and note how it is sent and what comes of it."""
    (FOLDER / name).write_bytes(data)
    CASES.append({"file": name, "type": type_, "encoding": encoding, "query": query, "expect": expect})


def text_of(rows: list[dict[str, Any]], **dialect: Any) -> str:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]), **dialect)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def by_the_csv_module() -> None:
    for mark, label in MARKS.items():
        for end, end_label in (("\r\n", "crlf"), ("\n", "lf"), ("\r", "cr")):
            for quoting, quoted in ((csv.QUOTE_MINIMAL, "plain"), (csv.QUOTE_ALL, "quoted")):
                text = text_of(PEOPLE, delimiter=mark, lineterminator=end, quoting=quoting)
                save(f"csv-{label}-{end_label}-{quoted}.csv", text.encode(), CSV)
    text = text_of(PEOPLE)
    save("csv-no-last-line-end.csv", text.rstrip().encode(), CSV)
    save("csv-blank-lines.csv", ("\r\n\r\n" + text.replace("\r\n", "\r\n\r\n")).encode(), CSV)
    save("csv-excel-apostrophes.csv", text.replace("+91", "'+91").encode(), CSV)
    save("csv-trailing-separators.csv", text.replace("\r\n", ",,\r\n").encode(), CSV)
    save(
        "csv-short-row.csv",
        text.replace(",1995-06-15", "").encode(),
        CSV,
        {"errors": [[5, None, "row_length"]]},
    )
    save("csv-no-header.csv", text.partition("\r\n")[2].encode(), CSV, {"refused": "unknown_columns"})
    save(
        "csv-unknown-column.csv", text.replace("name", "Wunsch").encode(), CSV, {"refused": "unknown_columns"}
    )
    save(
        "csv-two-names.csv", text.replace("birth_date", "Name").encode(), CSV, {"refused": "duplicate_column"}
    )
    save("csv-one-line.csv", "".join(text.split()).encode(), CSV, {"refused": "unknown_columns"})
    save("csv-empty.csv", b"", CSV, {"refused": "empty"})
    save("csv-header-only.csv", b"phone,name\r\n", CSV, {"refused": "empty"})
    german = text.replace("phone", "Telefon").replace("birth_date", "Geburtstag")
    save("csv-mapped.csv", german.encode(), CSV, **{"map.Telefon": "phone", "map.Geburtstag": "birth_date"})
    for encoding, pack in (("gzip", gzip.compress),):
        save(f"csv-{encoding}.csv.gz", pack(text.encode()), CSV, OK, encoding)
    save("csv-gzip-undeclared.csv.gz", gzip.compress(text.encode()), CSV, {"refused": "unsupported_encoding"})


def in_charsets() -> None:
    for mark in ",;\t":
        text, label = text_of(PEOPLE, delimiter=mark), MARKS[mark]
        for codec in ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"):
            save(f"charset-{codec}-{label}.csv", text.encode(codec), CSV)
        save(f"charset-utf-16-be-mark-{label}.csv", ("\ufeff" + text).encode("utf-16-be"), CSV)
        for charset in ("windows-1252", "iso-8859-1", "iso-8859-15", "macintosh", "cp850", "windows-1254"):
            known = text.encode("mac-roman" if charset == "macintosh" else charset)
            save(f"charset-{charset}-{label}.csv", known, f"{CSV}; charset={charset}")
        western = text.encode("cp1252")
        save(f"charset-auto-{label}.csv", western, f"{CSV}; charset=auto")
        save(f"charset-auto-utf-8-{label}.csv", text.encode(), f"{CSV}; charset=auto")
        save(f"charset-undeclared-{label}.csv", western, CSV, {"refused": "invalid_charset"})
        wrong = {"errors": [[at, None, "invalid_encoding"] for at in range(1, 6)]}
        save(f"charset-wrong-{label}.csv", western, f"{CSV}; charset=utf-8", wrong)


def by_pandas() -> None:
    people, numbers = pd.DataFrame(PEOPLE), pd.DataFrame(NUMBERS)
    gap = pd.concat([numbers, pd.DataFrame([{"phone": None, "name": "x"}])])  # a gap makes the column float
    dates = people.assign(birth_date=pd.to_datetime(people.birth_date))
    missing = {"errors": [[6, "phone", "missing_field"]]}
    for mark, label in MARKS.items():
        save(f"pandas-{label}.csv", people.to_csv(index=False, sep=mark).encode(), CSV)
        for what, query in (
            ("", {"unknown_columns": "ignore"}), ("-kept", {"unknown_columns": "keep"}), ("-dropped", {"map.": ""}),
        ):  # fmt: skip
            save(f"pandas-{label}-index{what}.csv", people.to_csv(sep=mark).encode(), CSV, **query)
        save(
            f"pandas-{label}-index-refused.csv",
            people.to_csv(sep=mark).encode(),
            CSV,
            {"refused": "unknown_columns"},
        )
        save(f"pandas-{label}-numbers.csv", numbers.to_csv(index=False, sep=mark).encode(), CSV, region="IN")
        save(
            f"pandas-{label}-float.csv", gap.to_csv(index=False, sep=mark).encode(), CSV, missing, region="IN"
        )
        for format_ in (None, "%d.%m.%Y", "%Y-%m-%d %H:%M:%S", "%Y/%m/%d", "%d-%m-%Y"):
            text = dates.to_csv(index=False, sep=mark, date_format=format_)
            tag = {None: "iso", "%d.%m.%Y": "dots", "%Y/%m/%d": "slashes", "%d-%m-%Y": "hyphens"}.get(
                format_, "time"
            )
            query = {"date_format": "dmy"} if tag == "hyphens" else {}
            save(f"pandas-{label}-date-{tag}.csv", text.encode(), CSV, **query)
        lost = numbers.assign(phone=numbers.phone.map("{:.4E}".format))
        save(
            f"pandas-{label}-exponent.csv",
            lost.to_csv(index=False, sep=mark).encode(),
            CSV,
            LOST,
            region="IN",
        )
        exact = numbers.assign(phone=numbers.phone.map("{:.11E}".format))
        save(f"pandas-{label}-exact.csv", exact.to_csv(index=False, sep=mark).encode(), CSV, region="IN")
    for codec in ("utf-8-sig", "utf-16"):
        save(f"pandas-{codec}.csv", people.to_csv(index=False).encode(codec), CSV)
    american = dates.to_csv(index=False, date_format="%m/%d/%Y")
    save("pandas-american.csv", american.encode(), CSV, date_format="mdy")
    unclear = {"errors": [[at, "birth_date", "invalid_birth_date"] for at in (0, 1, 2)]}
    save(
        "pandas-american-unclear.csv",
        american.encode(),
        CSV,
        unclear,
    )
    for name, frame, query in (("text", people, {}), ("numbers", numbers, {"region": "IN"})):
        lines = frame.to_json(orient="records", lines=True, force_ascii=name == "text")
        save(f"pandas-{name}.ndjson", lines.encode(), NDJSON, **query)
        save(f"pandas-{name}.json", frame.to_json(orient="records").encode(), JSON, **query)
        save(f"pandas-{name}-indent.json", frame.to_json(orient="records", indent=2).encode(), JSON, **query)
        pretty = frame.to_json(orient="records", indent=2).encode()
        save(f"pandas-{name}-pretty.ndjson", pretty, NDJSON, {"refused": "invalid_json"}, **query)
    floats = gap[:6].to_json(orient="records", lines=True)
    save("pandas-floats.ndjson", floats.encode(), NDJSON, region="IN")
    save(
        "pandas-lines.json",
        people.to_json(orient="records", lines=True).encode(),
        JSON,
        {"refused": "invalid_json"},
    )
    for engine in ("openpyxl", "xlsxwriter"):
        for name, frame, query in (
            ("text", people, {}), ("numbers", numbers, {"region": "IN"}), ("dates", dates, {}),
            ("floats", gap[:6], {"region": "IN"}),
        ):  # fmt: skip
            file = io.BytesIO()
            frame.to_excel(file, index=False, engine=engine)
            save(f"pandas-{engine}-{name}.xlsx", file.getvalue(), XLSX, **query)
        file = io.BytesIO()
        people.to_excel(file, engine=engine, sheet_name="Leute", startrow=3)
        save(f"pandas-{engine}-index.xlsx", file.getvalue(), XLSX, unknown_columns="ignore", sheet="leute")


def by_polars() -> None:
    people, numbers = pl.DataFrame(PEOPLE), pl.DataFrame(NUMBERS)
    dates = people.with_columns(pl.col("birth_date").str.to_date())
    times = dates.with_columns(pl.col("birth_date").cast(pl.Datetime))
    floats = numbers.with_columns(pl.col("phone").cast(pl.Float64))
    for mark, label in MARKS.items():
        for style in ("necessary", "always", "non_numeric"):
            text = people.write_csv(separator=mark, quote_style=style)
            save(f"polars-{label}-{style}.csv", text.encode(), CSV)
        save(f"polars-{label}-numbers.csv", numbers.write_csv(separator=mark).encode(), CSV, region="IN")
        save(f"polars-{label}-floats.csv", floats.write_csv(separator=mark).encode(), CSV, region="IN")
        save(f"polars-{label}-times.csv", times.write_csv(separator=mark).encode(), CSV)
        save(f"polars-{label}-dates.csv", dates.write_csv(separator=mark, include_bom=True).encode(), CSV)
    for name, frame, query in (
        ("text", people, {}),
        ("numbers", numbers, {"region": "IN"}),
        ("dates", dates, {}),
    ):
        lines, whole, book = io.BytesIO(), io.BytesIO(), io.BytesIO()
        frame.write_ndjson(lines)
        frame.write_json(whole)
        frame.write_excel(book)
        save(f"polars-{name}.ndjson", lines.getvalue(), NDJSON, **query)
        save(f"polars-{name}.json", whole.getvalue(), JSON, **query)
        save(f"polars-{name}.xlsx", book.getvalue(), XLSX, **query)


def by_workbook_libraries() -> None:
    for constant in (False, True):
        for format_ in ("dd.mm.yyyy", "yyyy-mm-dd", "d mmm yy", "[$-407]d. mmmm yyyy", "m/d/yyyy"):
            file = io.BytesIO()
            book = xlsxwriter.Workbook(file, {"constant_memory": constant, "in_memory": True})
            sheet, date = book.add_worksheet(), book.add_format({"num_format": format_})
            number = book.add_format({"num_format": "0"})
            sheet.write_row(0, 0, ("phone", "name", "birth_date"))
            for at, one in enumerate(NUMBERS, start=1):
                sheet.write_number(at, 0, one["phone"], number)
                sheet.write_string(at, 1, one["name"])
                sheet.write_datetime(at, 2, dt.datetime.fromisoformat(one["birth_date"]), date)
            book.close()
            label = "".join(filter(str.isalnum, format_))
            save(f"xlsxwriter-{label}{'-constant' * constant}.xlsx", file.getvalue(), XLSX, region="IN")
    for write_only in (False, True):
        book = openpyxl.Workbook(write_only=write_only)
        sheet = book.create_sheet("People", 0)
        sheet.append(["Phone", "Name", "Birth Date"])
        for one in PEOPLE:
            sheet.append([one["phone"], one["name"], dt.date.fromisoformat(one["birth_date"])])
        file = io.BytesIO()
        book.save(file)
        label = f"openpyxl{'-write-only' * write_only}"
        save(f"{label}.xlsx", file.getvalue(), XLSX)
        save(f"{label}-as-csv.csv", file.getvalue(), CSV)
        save(
            f"{label}-no-sheet.xlsx", file.getvalue(), XLSX, {"refused": "invalid_parameter"}, sheet="Nobody"
        )
        save(f"{label}-cut.xlsx", file.getvalue()[:-40], XLSX, {"refused": "malformed_body"})


def by_csvkit() -> None:
    source = text_of(PEOPLE, lineterminator="\n")
    for label, options in {
        "tabs": ["-T"], "semicolons": ["-D", ";"], "bars": ["-D", "|"], "quoted": ["-U", "1"], "no-numbers": ["-U", "2"],
        "crlf": ["-M", "\r\n"], "tabs-quoted": ["-T", "-U", "1"], "bars-quoted": ["-D", "|", "-U", "1"],
    }.items():  # fmt: skip
        done = subprocess.run(["csvformat", *options], input=source.encode(), capture_output=True, check=True)
        save(f"csvkit-{label}.csv", done.stdout, CSV, region="IN")
    for label, command in {
        "cut": ["csvcut", "-c", "name,phone,birth_date"], "sort": ["csvsort", "-I", "-c", "phone"],
        "lines": ["csvcut", "-l"],
    }.items():  # fmt: skip
        done = subprocess.run(command, input=source.encode(), capture_output=True, check=True)
        query = {"unknown_columns": "ignore"} if label == "lines" else {}
        save(f"csvkit-{label}.csv", done.stdout, CSV, **query)
    for label, options, type_ in (("array", ["-I"], JSON), ("stream", ["-I", "--stream"], NDJSON)):
        done = subprocess.run(["csvjson", *options], input=source.encode(), capture_output=True, check=True)
        save(f"csvkit-{label}.json", done.stdout, type_)


def by_libreoffice() -> None:
    for name, data, type_, query in libreoffice.files(text_of(PEOPLE).encode()):
        is_read = name.endswith((".csv", ".xlsx"))
        save(name, data, type_, OK if is_read else {"refused": "unsupported_format"}, **query)


def other_files() -> None:
    for name, head, code in (
        ("a.pdf", b"%PDF-1.7\n" + bytes(40), "unsupported_format"),
        ("old.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(40), "unsupported_format"),
        ("page.html", b"<!DOCTYPE html><table><tr><td>phone</td></tr></table>", "unsupported_format"),
        ("table.parquet", b"PAR1" + bytes(40), "unsupported_format"),
    ):
        for type_, label in ((CSV, "csv"), (NDJSON, "ndjson"), (XLSX, "xlsx")):
            save(f"as-{label}-{name}", head, type_, {"refused": code})


if __name__ == "__main__":
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    for write in (
        by_the_csv_module,
        in_charsets,
        by_pandas,
        by_polars,
        by_workbook_libraries,
        by_csvkit,
        by_libreoffice,
        other_files,
    ):
        write()
    assert len({case["file"] for case in CASES}) == len(CASES)
    lines = ",\n".join(json.dumps(case, sort_keys=True) for case in CASES)
    (FOLDER.parent / "cases.json").write_text(f"[\n{lines}\n]\n")
    print(len(CASES), "files")
