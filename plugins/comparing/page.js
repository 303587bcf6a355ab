const body = document.querySelector("tbody");
const headings = [...document.querySelectorAll("th")];
const LOWER_IS_BETTER = [2, 3, 4, 5, 6, 8];
const HIGHER_IS_BETTER = [10];

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
});

for (const column of [...LOWER_IS_BETTER, ...HIGHER_IS_BETTER]) {
  const rows = [...body.rows].filter((row) => key(row, column) !== null && row.cells[11].classList.contains("ok"));
  const values = rows.map((row) => key(row, column));
  const best = LOWER_IS_BETTER.includes(column) ? Math.min(...values) : Math.max(...values);
  rows.filter((row) => key(row, column) === best).forEach((row) => row.cells[column].classList.add("best"));
}
