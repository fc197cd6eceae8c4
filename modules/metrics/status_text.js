// SPDX-License-Identifier: MIT
// status_text.js - numbers as texts, and elements of the page. Whatever comes
// from the relay reaches the page as text, never as HTML.
"use strict";

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
// What is not known yet is no 0.
const known = (show, v) => v === undefined ? "–" : show(v);
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
