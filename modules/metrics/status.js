// SPDX-License-Identifier: MIT
// status.js - asks the relay every 2 seconds and shows what it says. Whatever
// comes from the relay reaches the page as text, never as HTML.
"use strict";

const ASK_MS = 2000;
const SOON_MS = 200; // the first answer has no peers yet
const SVG = "http://www.w3.org/2000/svg";
const $ = (id) => document.getElementById(id);

// ---- texts ----

const scaled = (n, step, units) => {
	let i = 0;

	while (Math.abs(n) >= step && i < units.length - 1) {
		n /= step;
		i++;
	}
	const digits = i === 0 || Math.abs(n) >= 100 ? 0 : Math.abs(n) >= 10 ? 1 : 2;
	return `${n.toFixed(digits)} ${units[i]}`.trim();
};
const count = (n) => n < 1e6 ? Math.round(n).toLocaleString("en") :
	scaled(n, 1000, ["", "k", "M", "G", "T", "P"]);
const bytes = (n) => scaled(n, 1000, ["B", "kB", "MB", "GB", "TB", "PB"]);
const bits = (n) => scaled(n * 8, 1000,
	["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"]);
const rate = (n) => n > 0 && n < 10 ? `${n.toFixed(1)}/s` : `${count(n)}/s`;
const time = (s) => {
	const parts = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
	const i = parts.findIndex(([n]) => s >= n);

	if (i < 0 || i === 3)
		return `${Math.floor(s)} s`;
	const rest = Math.floor(s % parts[i][0] / parts[i + 1][0]);
	return `${Math.floor(s / parts[i][0])} ${parts[i][1]}` +
		(rest > 0 ? ` ${rest} ${parts[i + 1][1]}` : "");
};

// ---- elements ----

const el = (name, className, text) => {
	const e = document.createElement(name);

	if (className)
		e.className = className;
	if (text !== undefined)
		e.textContent = text;
	return e;
};

const svg = (name, attributes) => {
	const e = document.createElementNS(SVG, name);

	for (const [k, v] of Object.entries(attributes))
		e.setAttribute(k, v);
	return e;
};

const setText = (e, text) => {
	if (e.textContent !== text)
		e.textContent = text;
};

// ---- tiles ----

const tiles = [
	["Peers", (s) => count(s.now.peers)],
	["Received", (s) => bits(last(s, "recv_bytes"))],
	["Sent", (s) => bits(last(s, "send_bytes"))],
	["Packets in", (s) => rate(last(s, "recv_packets"))],
	["Dropped", (s) => rate(last(s, "drops"))],
	["Logins", (s) => rate(last(s, "logins"))],
].map(([name, value]) => {
	const tile = el("div", "tile");
	const number = el("b", "", "–");

	tile.append(el("span", "", name), number);
	$("tiles").append(tile);
	return (s) => setText(number, value(s));
});

const last = (s, name) => s.history[name].at(-1) ?? 0;

// ---- plots ----

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

			setText(this.keys[i], `${label} ${v === undefined ? "–" : this.show(v)}`);
		});
		setText(this.when, back > 0 ? `${time(back * this.step)} ago` : "");
		const x = W * (1 - back / (this.size - 1));

		this.at.setAttribute("x1", x);
		this.at.setAttribute("x2", x);
		this.at.setAttribute("visibility",
			this.point === undefined ? "hidden" : "visible");
	}
}

const plots = [
	new Plot("Traffic", [["recv_bytes", "in", "c0"], ["send_bytes", "out", "c1"]], bits),
	new Plot("Packets", [["recv_packets", "in", "c0"], ["send_packets", "out", "c1"]],
		rate),
	new Plot("Dropped packets", [["drops", "dropped", "c4"]], rate),
	new Plot("Peers", [["peers", "peers", "c2"]], count),
];

// ---- tables ----

// columns: [[heading, class, value of a row]]; rows are kept and refilled.
const table = (id, columns, empty) => {
	const head = el("tr");
	const body = el("tbody");

	for (const [heading, className] of columns)
		head.append(el("th", className === "n" ? "n" : "", heading));
	const thead = el("thead");
	thead.append(head);
	$(id).append(thead, body);
	return (rows) => {
		const n = Math.max(rows.length, 1);

		while (body.rows.length > n)
			body.deleteRow(-1);
		while (body.rows.length < n)
			body.append(el("tr"));
		if (rows.length === 0) {
			const cell = el("td", "note", empty);

			cell.colSpan = columns.length;
			body.rows[0].replaceChildren(cell);
			return;
		}
		rows.forEach((row, i) => fill(body.rows[i], columns, row));
	};
};

const fill = (tr, columns, row) => {
	if (tr.cells.length !== columns.length)
		tr.replaceChildren(...columns.map(([, className]) => el("td", className)));
	columns.forEach(([, , value], i) => setText(tr.cells[i], value(row)));
};

const tables = {
	peers: table("peers", [
		["Key", "key8", (p) => p.key.slice(0, 8)],
		["Name", "cut", (p) => p.agent],
		["Address", "", (p) => p.addr],
		["Protocol", "", (p) => p.proto],
		["In", "n", (p) => bits(p.rate_in)],
		["Out", "n", (p) => bits(p.rate_out)],
		["Received", "n", (p) => bytes(p.bytes_in)],
		["Sent", "n", (p) => bytes(p.bytes_out)],
		["Dropped", "n", (p) => count(p.drops)],
		["Since", "n", (p) => time(p.seconds)],
	], "Nobody is connected."),
	drops: table("drops", [
		["Reason", "", (d) => d.reason],
		["Packets", "n", (d) => count(d.packets)],
		["of them disco", "n", (d) => count(d.disco)],
		["Now", "n", (d) => rate(d.rate)],
	], "None."),
	workers: table("workers", [
		["Worker", "", (w) => String(w.worker)],
		["Peers", "n", (w) => count(w.peers)],
		["Connections", "n", (w) => count(w.streams)],
		["In", "n", (w) => bits(w.rate_in)],
		["Packets", "n", (w) => rate(w.rate_packets)],
	], "None."),
	modules: table("modules", [
		["Module", "", (m) => m.name],
		["Version", "", (m) => m.version],
		["State", "", (m) => m.state],
		["Connections", "n", (m) => count(m.streams)],
	], "None."),
	certificates: table("certificates", [
		["Names", "cut", (c) => c.names || c.subject],
		["Expires in", "n", (c) => c.left_s > 0 ? time(c.left_s) : "expired"],
	], "None: TLS is not served."),
};

// ---- what the relay says ----

// Rates are differences between two answers, for what came in both. Peers have
// a time of their own: their numbers are those of the round before.
class Rates {
	time = 0;
	rows = new Map();

	// fields: { rate_in: "bytes_in" }. Less than a second says little: then
	// rates stay what they were.
	add(time, rows, id, fields) {
		const seconds = time - this.time;

		for (const row of rows) {
			const old = this.rows.get(id(row));

			for (const [to, from] of Object.entries(fields))
				row[to] = !old ? 0 : seconds < 1 ? old[to] :
					Math.max(0, (row[from] - old[from]) / seconds);
		}
		if (seconds < 1)
			return;
		this.time = time;
		this.rows = new Map(rows.map((row) => [id(row), row]));
	}
}

const rates = { peers: new Rates(), workers: new Rates(), drops: new Rates() };

const addRates = (s) => {
	s.peers ??= [];
	rates.peers.add(s.peers_time ?? 0, s.peers, (p) => p.id,
		{ rate_in: "bytes_in", rate_out: "bytes_out" });
	rates.workers.add(s.time, s.workers, (w) => w.worker,
		{ rate_in: "recv_bytes", rate_packets: "recv_packets" });
	rates.drops.add(s.time, s.drops, (d) => d.reason, { rate: "packets" });
};

const show = (s) => {
	addRates(s);
	setText($("state"), s.relay.state);
	$("state").classList.toggle("bad", s.relay.state !== "serving");
	setText($("about"), `${s.relay.version} (${s.relay.commit}), ` +
		`${s.relay.backend}, up ${time(s.relay.uptime_s)}`);
	setText($("peers-count"), s.now.peers > s.peers.length ?
		`${s.peers.length} of ${count(s.now.peers)}, those with most bytes` : "");
	tiles.forEach((t) => t(s));
	plots.forEach((p) => p.draw(s));
	s.drops = s.drops.filter((d) => d.packets > 0);
	for (const [name, put] of Object.entries(tables))
		put(s[name]);
};

let heard = performance.now();

const setLive = (ok) => {
	const ago = (performance.now() - heard) / 1000;

	$("live").classList.toggle("lost", !ok);
	setText($("live"), ok ? "live" : `no answer since ${time(ago)}`);
};

// Returns what the relay says, or null.
const answer = async () => {
	try {
		const r = await fetch("status.json",
			{ cache: "no-store", signal: AbortSignal.timeout(4 * ASK_MS) });

		return r.ok ? await r.json() : null;
	} catch {
		return null;
	}
};

const ask = async () => {
	const s = await answer();

	if (s) {
		show(s);
		heard = performance.now();
	}
	setLive(s !== null);
	if (!document.hidden)
		next(s !== null && s.peers_time === undefined ? SOON_MS : ASK_MS);
};

let timer;
const next = (ms) => {
	clearTimeout(timer);
	timer = setTimeout(ask, ms);
};

document.addEventListener("visibilitychange", () => {
	clearTimeout(timer);
	if (!document.hidden)
		ask();
});
ask();
