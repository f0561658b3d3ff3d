"use strict";
// Tables can be sorted by each of their columns. Without this script they are in the order in which they were written.
function compare(a, b) {
  if (a.dataset.value !== undefined && b.dataset.value !== undefined) {
    return Number(a.dataset.value) - Number(b.dataset.value);
  }
  return a.textContent.localeCompare(b.textContent, undefined, { numeric: true });
}

function sort(header, descending) {
  const column = header.cellIndex;
  const body = header.closest("table").tBodies[0];
  const rows = Array.from(body.rows);
  const known = rows.filter((row) => row.cells[column].textContent !== "");
  const empty = rows.filter((row) => row.cells[column].textContent === "");
  known.sort((one, other) => compare(one.cells[column], other.cells[column]) * (descending ? -1 : 1));
  body.append(...known, ...empty); // what has no figure stays last in both directions
  for (const other of header.parentElement.cells) {
    other.removeAttribute("aria-sort");
  }
  header.setAttribute("aria-sort", descending ? "descending" : "ascending");
}

function addButton(header) {
  const button = document.createElement("button");
  button.type = "button";
  button.title = "Sort by this column";
  button.append(...header.childNodes);
  button.addEventListener("click", () => sort(header, header.getAttribute("aria-sort") === "ascending"));
  header.append(button);
}

const headers = document.querySelectorAll("thead th");
headers.forEach(addButton);

// On paper nothing can be unfolded or clicked, and browsers repeat a header on the next page only if it is plain text.
let folded = [];
window.addEventListener("beforeprint", () => {
  headers.forEach((header) => header.replaceChildren(...header.firstElementChild.childNodes));
  folded = Array.from(document.querySelectorAll("details:not([open])"));
  folded.forEach((one) => { one.open = true; });
});
window.addEventListener("afterprint", () => {
  headers.forEach(addButton);
  folded.forEach((one) => { one.open = false; });
});
