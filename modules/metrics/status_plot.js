// SPDX-License-Identifier: MIT
// status_plot.js - the last minutes of some numbers, as lines.

const W = 300, H = 100;

// 1, 2 or 5 times a power of ten, not below n.
const nice = (n) => {
	if (n <= 0)
		return 1;
	const p = 10 ** Math.floor(Math.log10(n));

	return [1, 2, 5, 10].map((k) => k * p).find((k) => k >= n * 0.999);
};

class Plot {
	// lines: [[name, label, colour]]; show: makes a value a text
	constructor(title, lines, show) {
		this.lines = lines;
		this.show = show;
		this.keys = lines.map(([, , c]) => el("span", `key ${c}`));
		this.when = el("span", "when");
		this.paths = lines.map(([, , c]) => [
			svg("path", { class: `area ${c}` }), svg("path", { class: c })]);
		this.at = svg("line", { class: "at", y1: 0, y2: H, visibility: "hidden" });
		this.svg = svg("svg", { viewBox: `0 0 ${W} ${H}`,
			preserveAspectRatio: "none", role: "img", "aria-label": title });
		this.svg.append(
			...[0, H / 2, H].map((y) => svg("line", { x1: 0, x2: W, y1: y, y2: y })),
			...this.paths.flat(), this.at);
		this.most = el("span", "most");
		this.begin = el("span", "", "");
		this.build(title);
		this.listen();
	}

	build(title) {
		const figure = el("figure");
		const caption = el("figcaption");
		const plot = el("div", "plot");
		const axis = el("div", "axis");

		caption.append(el("span", "", title), ...this.keys, this.when);
		plot.append(this.svg, this.most);
		axis.append(this.begin, el("span", "", "now"));
		figure.append(caption, plot, axis);
		$("plots").append(figure);
	}

	listen() {
		this.svg.addEventListener("pointermove", (e) => {
			const box = this.svg.getBoundingClientRect();

			this.point = Math.min(Math.max((e.clientX - box.left) / box.width, 0), 1);
			this.label();
		});
		this.svg.addEventListener("pointerleave", () => {
			this.point = undefined;
			this.label();
		});
	}

	draw(s) {
		this.data = this.lines.map(([name]) => s.history[name]);
		this.step = s.step_s;
		this.size = s.history_size;
		const most = nice(Math.max(0, ...this.data.flat()));

		this.data.forEach((v, i) => {
			const x = (j) => W * (this.size - v.length + j) / (this.size - 1);
			const points = v.map((n, j) =>
				`${x(j).toFixed(2)} ${(H - H * n / most).toFixed(2)}`);
			const line = points.length > 0 ? `M${points.join("L")}` : "";

			this.paths[i][1].setAttribute("d", line);
			this.paths[i][0].setAttribute("d",
				line && `${line}L${W} ${H}L${x(0).toFixed(2)} ${H}Z`);
		});
		setText(this.most, this.show(most));
		setText(this.begin, `${time(this.size * this.step)} ago`);
		this.label();
	}

	// What the pointer is at, else what is now.
	label() {
		if (!this.data)
			return;
		const back = this.point === undefined ? 0 :
			Math.round((1 - this.point) * (this.size - 1));

		this.lines.forEach(([, label], i) => {
			const v = this.data[i].at(-1 - back);

			setText(this.keys[i], `${label} ${known(this.show, v)}`);
		});
		setText(this.when, back > 0 ? `${time(back * this.step)} ago` : "");
		const x = W * (1 - back / (this.size - 1));

		this.at.setAttribute("x1", x);
		this.at.setAttribute("x2", x);
		this.at.setAttribute("visibility",
			this.point === undefined ? "hidden" : "visible");
	}
}
