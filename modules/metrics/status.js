// SPDX-License-Identifier: MIT
// status.js - asks the relay every 2 seconds and shows what it says.

const ASK_MS = 2000;
const SOON_MS = 200; // the first answer has no peers yet

// ---- tiles ----

const tiles = [
	["Peers", (s) => count(s.now.peers)],
	["Received", (s) => now(bits, s, "recv_bytes")],
	["Sent", (s) => now(bits, s, "send_bytes")],
	["Packets in", (s) => now(rate, s, "recv_packets")],
	["Dropped", (s) => now(rate, s, "drops")],
	["Logins", (s) => now(rate, s, "logins")],
].map(([name, value]) => {
	const tile = el("div", "tile");
	const number = el("b", "", "–");

	tile.append(el("span", "", name), number);
	$("tiles").append(tile);
	return (s) => setText(number, value(s));
});

const now = (show, s, name) => known(show, s.history[name].at(-1));

// ---- plots ----

const plots = [
	new Plot("Traffic", [["recv_bytes", "in", "c0"], ["send_bytes", "out", "c1"]], bits),
	new Plot("Packets", [["recv_packets", "in", "c0"], ["send_packets", "out", "c1"]],
		rate),
	new Plot("Dropped packets", [["drops", "dropped", "c4"]], rate),
	new Plot("Peers", [["peers", "peers", "c2"]], count),
];

// ---- tables ----

const asIs = (text) => text;

const tables = {
	peers: new Table("peers", [
		["Key", "key8", (k) => k.slice(0, 8), (p) => p.key],
		["Name", "cut", asIs, (p) => p.name],
		["In", "n", bits, (p) => p.rate_in],
		["Out", "n", bits, (p) => p.rate_out],
		["Received", "n", bytes, (p) => p.bytes_in],
		["Sent", "n", bytes, (p) => p.bytes_out],
		["Dropped", "n", count, (p) => p.drops],
		["Since", "n", time, (p) => p.seconds],
		["Protocol", "gap", asIs, (p) => p.proto],
		["Address", "", asIs, (p) => p.addr],
		["Tenant", "cut", asIs, (p) => p.tenant],
		["Client", "cut", asIs, (p) => p.agent],
	], "Nobody is connected."),
	drops: new Table("drops", [
		["Reason", "", asIs, (d) => d.reason],
		["Packets", "n", count, (d) => d.packets],
		["of them disco", "n", count, (d) => d.disco],
		["Now", "n", rate, (d) => d.rate],
	], "None."),
	workers: new Table("workers", [
		["Worker", "", String, (w) => w.worker],
		["Peers", "n", count, (w) => w.peers],
		["Connections", "n", count, (w) => w.streams],
		["In", "n", bits, (w) => w.rate_in],
		["Packets", "n", rate, (w) => w.rate_packets],
	], "None."),
	modules: new Table("modules", [
		["Module", "", asIs, (m) => m.name],
		["Version", "", asIs, (m) => m.version],
		["State", "", asIs, (m) => m.state],
		["Connections", "n", count, (m) => m.streams],
	], "None."),
	certificates: new Table("certificates", [
		["Names", "cut", asIs, (c) => c.names || c.subject],
		["Expires in", "n", (s) => s > 0 ? time(s) : "expired", (c) => c.left_s],
	], "None: TLS is not served."),
};
$("peers-search").addEventListener("input", (e) => tables.peers.search(e.target.value));

// ---- what the relay says ----

// Rates are differences between two answers, for what came in both. Peers have
// a time of their own: their numbers are those of the round before. What came
// once has no rate yet.
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
				row[to] = !old ? undefined : seconds < 1 ? old[to] :
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
	for (const [name, t] of Object.entries(tables))
		t.put(s[name]);
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
