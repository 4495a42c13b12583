// The fields that a person gives to the columns of a CSV file: what is wrong with them, and how the api is told.

const LONGEST = 7500; // characters of the query: the api reads a request line of 8,190 bytes

export class ColumnFields {
  // `root` has the preview of a file. The options that all columns share are in it once, as a template.
  constructor(root) {
    this.kind = root.querySelector("#file-kind").dataset;
    this.selects = [...root.querySelectorAll("#mapping select")];
    const shared = root.querySelector("#fields");
    this.selects.forEach((select) => {
      select.append(shared.content.cloneNode(true));
      select.value = select.dataset.field;
    });
  }

  // Mark the columns that are given the same field, and return what is wrong, as sentences.
  problems() {
    if (!this.kind.mapped) return []; // JSON items have fields
    const problems = [];
    const used = new Map();
    this.selects.filter((select) => select.value).forEach((select) => {
      used.set(select.value, [...(used.get(select.value) ?? []), select]);
    });
    this.selects.forEach((select) => {
      select.removeAttribute("aria-invalid");
      why(select);
    });
    used.forEach((selects) => {
      if (selects.length > 1) {
        selects.forEach((select) => select.setAttribute("aria-invalid", "true"));
        problems.push(`${selects.map(named).join(" and ")} have the same field. Leave out all but one.`);
      }
    });
    this.selects.filter((select) => select.value && !select.dataset.column).forEach((select) => {
      select.setAttribute("aria-invalid", "true");
      problems.push("A column without a name cannot be used. Name it in the file, or leave it out.");
    });
    problems.push(...this.#missing(used));
    if (this.#twins().length) {
      problems.push(`Several columns are named ${this.#twins().map(quoted).join(" and ")}. Give them different names in the file, or leave them out.`);
    }
    if (this.query().toString().length > LONGEST) {
      problems.push("The names of the columns are too long. Shorten them in the file.");
    }
    return problems;
  }

  // Return the parameters that tell the api which column is which field. It knows some by their names.
  query() {
    const query = new URLSearchParams();
    let ignores = false;
    this.selects.forEach((select) => {
      const { column, byName } = select.dataset;
      const others = this.selects.some((other) => other !== select && folded(other) === folded(select));
      if (byName === undefined && !select.value && !(others && column)) ignores = true;
      else if (select.value !== byName || others) query.set(`map.${column}`, select.value);
    });
    if (ignores) query.set("unknown_columns", "ignore");
    return query;
  }

  summary() {
    const left = this.selects.filter((select) => !select.value).map(named);
    const count = this.selects.length - left.length;
    const text = `${count} of ${this.selects.length} columns ${count === 1 ? "is" : "are"} used.`;
    if (!left.length) return text;
    const more = left.length > 8 ? ` and ${left.length - 8} more` : "";
    return `${text} Left out: ${left.slice(0, 8).join(", ")}${more}.`;
  }

  // A contact needs its phone. A row of a reference names its contact in one way only.
  #missing(used) {
    const needed = this.kind.needed.split(" ");
    const found = needed.filter((field) => used.has(field));
    if (this.kind.contact) {
      return found.length === needed.length ? [] : ["No column is the phone. Choose one: a contact needs a phone."];
    }
    if (!found.length) return ["No column names the contact. Choose one for its id, its phone or its external id."];
    return found.length === 1 ? [] : ["A row names its contact in one way only. Leave out all but one of id, phone and external id."];
  }

  // The names that several columns have, if these columns are to be different fields.
  #twins() {
    const values = new Map();
    this.selects.forEach((select) => {
      values.set(select.dataset.column, new Set([...(values.get(select.dataset.column) ?? []), select.value]));
    });
    return [...values].filter(([name, fields]) => name && fields.size > 1).map(([name]) => name);
  }
}

// Say that a field was chosen by hand, or why it was proposed.
function why(select) {
  const badge = document.getElementById(select.getAttribute("aria-describedby")).firstElementChild;
  badge.dataset.text ??= badge.textContent;
  badge.dataset.proposed ??= badge.dataset.state;
  const chosen = select.value !== select.dataset.field;
  badge.textContent = chosen ? "your choice" : badge.dataset.text;
  badge.dataset.state = chosen ? "" : badge.dataset.proposed;
}

function folded(select) {
  return select.dataset.column.trim().toLowerCase().replace(/[\s-]+/g, "_");
}

function named(select) {
  return quoted(select.dataset.column || "(no name)");
}

function quoted(name) {
  return `“${name.length > 60 ? `${name.slice(0, 60)}…` : name}”`;
}
