const body = document.querySelector("tbody");
const headings = [...document.querySelectorAll("th")];

function key(row, column) {
  const cell = row.cells[column];
  const value = cell.dataset.key;
  return value === "" ? null : cell.classList.contains("number") ? Number(value) : value;
}

function compare(a, b) {
  return typeof a === "string" ? a.localeCompare(b) : a - b;
}

headings.forEach((heading, column) => {
  heading.querySelector("button").addEventListener("click", () => {
    const descending = heading.getAttribute("aria-sort") === "ascending";
    headings.forEach((other) => other.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const rows = [...body.rows].sort((first, second) => {
      const [a, b] = [key(first, column), key(second, column)];
      if (a === null || b === null) return (a === null) - (b === null);
      return descending ? compare(b, a) : compare(a, b);
    });
    body.append(...rows);
  });

  const better = heading.dataset.better;
  if (!better) return;
  const rows = [...body.rows].filter((row) => key(row, column) !== null && row.querySelector(".ok"));
  const values = rows.map((row) => key(row, column));
  const best = better === "low" ? Math.min(...values) : Math.max(...values);
  rows.filter((row) => key(row, column) === best).forEach((row) => row.cells[column].classList.add("best"));
});

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Where a page from a file may not use the clipboard: select the text and let the browser copy it.
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (!done) throw new Error("the browser does not let this page copy");
  }
}

document.querySelectorAll("[data-copies]").forEach((button) => {
  button.addEventListener("click", async () => {
    const status = document.querySelector("[role=status]");
    try {
      await copy(document.getElementById(button.dataset.copies).value);
      status.textContent = "Copied.";
    } catch (error) {
      status.textContent = `Not copied: ${error.message}.`;
    }
  });
});
