// SPDX-License-Identifier: MIT
// status_table.js - tables that are sorted by a click on a heading, and can be
// searched. Rows are kept and refilled, so that nothing flickers.

// Numbers before texts, what is not known last.
const inOrder = (a, b) => {
	if (a === undefined || b === undefined)
		return (a === undefined) - (b === undefined);
	return typeof a === "number" ? a - b : a.localeCompare(b);
};

class Table {
	rows = [];
	wanted = "";
	by = -1; // a column; -1: in the relay's order
	down = false;

	// columns: [[heading, class, value to text, row to value]]
	constructor(id, columns, empty) {
		this.columns = columns;
		this.empty = empty;
		this.body = el("tbody");
		this.heads = columns.map(([heading, className], i) =>
			this.heading(heading, className, i));
		const tr = el("tr");
		const thead = el("thead");

		tr.append(...this.heads);
		thead.append(tr);
		$(id).append(thead, this.body);
	}

	heading(text, className, i) {
		const th = el("th", ["n", "gap"].includes(className) ? className : "");
		const button = el("button", "", text);

		button.type = "button";
		button.title = "sort";
		button.addEventListener("click", () => this.sort(i));
		th.append(button);
		return th;
	}

	// The largest number or the first text on top; then the other way round;
	// then as the relay has them.
	sort(i) {
		const first = this.columns[i][1] === "n";

		if (this.by !== i)
			[this.by, this.down] = [i, first];
		else if (this.down === first)
			this.down = !first;
		else
			this.by = -1;
		this.heads.forEach((th, j) => {
			if (j === this.by)
				th.setAttribute("aria-sort", this.down ? "descending" : "ascending");
			else
				th.removeAttribute("aria-sort");
		});
		this.show();
	}

	search(text) {
		this.wanted = text.trim().toLowerCase();
		this.show();
	}

	put(rows) {
		this.rows = rows;
		this.show();
	}

	// What fits the search, in the order that was asked for.
	chosen() {
		const rows = this.rows.filter((row) => this.columns.some(([, , , value]) =>
			String(value(row)).toLowerCase().includes(this.wanted)));

		if (this.by < 0)
			return rows;
		const value = this.columns[this.by][3];
		const sign = this.down ? -1 : 1;

		return rows.sort((a, b) => {
			const [x, y] = [value(a), value(b)];

			return inOrder(x, y) * (x === undefined || y === undefined ? 1 : sign);
		});
	}

	show() {
		const rows = this.chosen();
		const n = Math.max(rows.length, 1);

		while (this.body.rows.length > n)
			this.body.deleteRow(-1);
		while (this.body.rows.length < n)
			this.body.append(el("tr"));
		if (rows.length === 0)
			this.note(this.rows.length === 0 ? this.empty :
				`None of the ${this.rows.length} shown here fits.`);
		rows.forEach((row, i) => this.fill(this.body.rows[i], row));
		this.hideEmpty();
	}

	note(text) {
		const cell = el("td", "note", text);

		cell.colSpan = this.columns.length;
		this.body.rows[0].replaceChildren(cell);
	}

	fill(tr, row) {
		if (tr.cells.length !== this.columns.length)
			tr.replaceChildren(...this.columns.map(([, c]) => el("td", c)));
		this.columns.forEach(([, className, show, value], i) => {
			const v = value(row);

			setText(tr.cells[i], known(show, v));
			if (className === "cut" || className === "key8")
				tr.cells[i].title = v; // all of it
		});
	}

	// A column in which nobody has anything takes no room.
	hideEmpty() {
		this.columns.forEach(([, , , value], i) => {
			const hide = this.rows.length > 0 && this.rows.every((r) => value(r) === "");

			this.heads[i].hidden = hide;
			for (const tr of this.body.rows)
				if (tr.cells.length > 1)
					tr.cells[i].hidden = hide;
		});
	}
}
