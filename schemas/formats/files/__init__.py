"""Files that are no text: recognise them by their first bytes, and read the rows of an Excel workbook.

    first bytes ── kinds ──► text, a workbook, or a refusal that says what to do
    workbook ── archive ──► its XML ── sheet, cell_text ──► CSV

The workbook is read by a parser of our own. The libraries build the whole sheet in memory, so that a file of
5 KB with two cells far apart takes gigabytes; and they drop leading zeros that a format shows, and errors.
"""
