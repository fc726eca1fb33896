/// What draws `report.html`. Text goes into the page through `textContent` or `esc` only: labels are foreign.
enum ReportScript {
    static let text = #"""
        const el = (tag, cls, text) => { const e = document.createElement(tag); if (cls) e.className = cls;
          if (text !== undefined) e.textContent = text; return e; };
        const esc = s => String(s).replace(/[&<>"']/g, c => "&#" + c.charCodeAt(0) + ";");
        const ms = s => s === null ? null : Date.parse(s);
        const when = t => new Date(t).toISOString().replace("T", " ").replace(/\.\d+Z$/, "Z");
        const span = s => { if (s === null) return "–"; if (s < 1) return s === 0 ? "0 s" : Math.round(s * 1000) + " ms";
          if (s < 60) return +s.toFixed(1) + " s"; if (s < 3600) return Math.floor(s / 60) + " m " + Math.round(s % 60) + " s";
          if (s < 86400) return Math.floor(s / 3600) + " h " + Math.round(s % 3600 / 60) + " m";
          return Math.floor(s / 86400) + " d " + Math.round(s % 86400 / 3600) + " h"; };
        const fig = (x, d) => x === null ? "–" : x.toFixed(d);
        const num = x => x === null || x === undefined ? "–" : Math.abs(x) >= 1e6 || (x !== 0 && Math.abs(x) < 1e-4) ? x.toExponential(3) : +x.toPrecision(5) + "";
        const labels = l => { const k = Object.entries(l).map(([a, b]) => a + "=" + JSON.stringify(b)).join(", "); return "{" + k + "}"; };
        const start = ms(report.start), end = ms(report.end), incidents = report.incidents;

        document.getElementById("range").textContent = start === null ? "No window was seen." :
          when(start) + " to " + when(end) + " · " + span((end - start) / 1000) + " · " + incidents.length + " labelled incident" + (incidents.length === 1 ? "" : "s");

        function row(table, cells, head) { const tr = el("tr"); for (const c of cells) { const td = el(head ? "th" : "td", c.cls, c.text);
          if (c.title) td.title = c.title; tr.append(td); } table.append(tr); }
        const left = (text, title) => ({ text, title, cls: "l" });

        function detectors() {
          const t = document.getElementById("detectors");
          const heads = [["detected", "incidents in which an alert fired"], ["missed", "covered incidents without such an alert"],
            ["alerts"], ["false a day", "alerts that fired in no incident, per day of event time"], ["precision", "alerts that fired in an incident, of all alerts"],
            ["recall", "incidents detected, of those covered"], ["F1"], ["delay", "median, from an incident's start to the end of the window in which the alert fired"],
            ["alerts per incident"], ["windows P / R / F1", "flagged windows against windows that overlap an incident"]];
          row(t, [left("detector"), left("type"), ...heads.map(h => ({ text: h[0], title: h[1] }))], true);
          const line = (name, type, s) => row(t, [left(name), left(type),
            { text: s.detected, cls: s.detected ? "good" : "" }, { text: s.missed + s.alreadyFiring, cls: s.missed + s.alreadyFiring ? "bad" : "" },
            { text: s.alerts }, { text: fig(s.falseAlarmsPerDay, s.falseAlarmsPerDay < 10 ? 2 : 0) }, { text: fig(s.precision, 3) }, { text: fig(s.recall, 3) },
            { text: fig(s.f1, 3) }, { text: span(s.medianDelaySeconds) }, { text: fig(s.alertsPerIncident, 1) },
            { text: [s.windows.precision, s.windows.recall, s.windows.f1].map(x => fig(x, 2)).join(" / ") }]);
          for (const d of report.detectors) line(d.query + "." + d.detector, d.type, d);
          if (report.detectors.length > 1) line("all together", "", report.all);
        }

        function incidentTable() {
          if (!incidents.length) { document.getElementById("incident-section").hidden = true; return; }
          const t = document.getElementById("incidents");
          row(t, [left("start"), left("lasts"), left("kind"), left("selector"), ...report.detectors.map(d => left(d.detector))], true);
          const words = { detected: "detected", missed: "missed", alreadyFiring: "already firing", notCovered: "not covered" };
          incidents.forEach((i, n) => row(t, [left(when(ms(i.start))), left(span((ms(i.end) - ms(i.start)) / 1000)), left(i.kind), left(i.selector || "all"),
            ...report.detectors.map(d => { const o = d.incidents[n];
              return { text: o.outcome === "detected" ? "after " + span(o.delaySeconds) + (o.alerts > 1 ? " (" + o.alerts + " alerts)" : "") : words[o.outcome],
                cls: "l " + (o.outcome === "detected" ? "good" : o.outcome === "notCovered" ? "" : "bad") }; })]));
        }

        // One timeline is 1000 wide, of which the first stretch has the figures; the height is in pixels.
        const W = 1000, H = 150, top = 8, bottom = 118, margin = 48;
        const x = t => margin + (t - start) / Math.max(end - start, 1) * (W - margin);
        const mark = v => Math.abs(v) >= 1e5 || (v !== 0 && Math.abs(v) < 1e-3) ? v.toExponential(1) : +v.toPrecision(3) + "";
        function ticks() { const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 2592000].map(s => s * 1000);
          const step = steps.find(s => (end - start) / s <= 8) || 31536000000, list = [];
          for (let t = Math.ceil(start / step) * step; t <= end; t += step) list.push(t);
          return list.map(t => { const s = when(t); return [t, step >= 86400000 ? s.slice(0, 10) : step < 60000 ? s.slice(11, 19) : (end - start > 86400000 ? s.slice(5, 16) : s.slice(11, 16))]; }); }

        function draw(card, track, detector) {
          const finite = []; for (const a of [track.v, track.lo, track.hi]) if (a) for (const v of a) if (v !== null) finite.push(v);
          let lo = Infinity, hi = -Infinity; for (const v of track.v) if (v !== null) { lo = Math.min(lo, v); hi = Math.max(hi, v); }
          // A band far away is cut: the values are what is looked at.
          const reach = Math.max(hi - lo, Math.abs(hi) * .05, 1e-12);
          for (const v of finite) { if (v > hi && v < hi + 2 * reach) hi = Math.max(hi, v); if (v < lo && v > lo - 2 * reach) lo = Math.min(lo, v); }
          if (!isFinite(lo)) { lo = 0; hi = 1; } if (hi === lo) { hi += Math.abs(hi) * .1 || 1; lo -= Math.abs(lo) * .1; }
          const pad = (hi - lo) * .06; lo -= pad; hi += pad;
          const y = v => bottom - (Math.min(Math.max(v, lo), hi) - lo) / (hi - lo) * (bottom - top);
          const p = n => n.toFixed(1); let s = "";
          for (const [t, text] of ticks()) s += `<line class="grid" x1="${p(x(t))}" x2="${p(x(t))}" y1="${top}" y2="${bottom}" vector-effect="non-scaling-stroke"/>`;
          for (const n of track.incidents) { const a = x(Math.max(ms(incidents[n].start), start)), b = x(Math.min(ms(incidents[n].end), end));
            if (b > a) s += `<rect class="incident" x="${p(a)}" width="${p(Math.max(b - a, 1.5))}" y="${top}" height="${bottom - top}" vector-effect="non-scaling-stroke"/>`; }
          if (track.lo) { let run = []; const flush = () => { if (run.length) { const up = run.map(i => p(x(track.t[i])) + "," + p(y(track.hi[i] === null ? hi : track.hi[i])));
              const down = run.slice().reverse().map(i => p(x(track.t[i])) + "," + p(y(track.lo[i] === null ? lo : track.lo[i]))); s += `<polygon class="band" points="${up.concat(down).join(" ")}"/>`; } run = []; };
            track.t.forEach((_, i) => { if (track.lo[i] === null && track.hi[i] === null) flush(); else run.push(i); }); flush(); }
          const path = values => { let d = "", pen = false; values.forEach((v, i) => { if (v === null) { pen = false; return; } d += (pen ? "L" : "M") + p(x(track.t[i])) + " " + p(y(v)); pen = true; }); return d; };
          if (track.e) s += `<path class="expected" d="${path(track.e)}" vector-effect="non-scaling-stroke"/>`;
          s += `<path class="line" d="${path(track.v)}" vector-effect="non-scaling-stroke"/>`;
          for (const m of track.m) if (m[0] >= start && m[0] <= end) s += `<line class="event" x1="${p(x(m[0]))}" x2="${p(x(m[0]))}" y1="${top}" y2="${bottom}" vector-effect="non-scaling-stroke"/>`;
          for (const a of alertsOf(detector, track)) { const from = x(ms(a.fired)), to = x(a.resolved ? ms(a.resolved) : end); s += `<rect class="alert" x="${p(from)}" width="${p(Math.max(to - from, 2))}" y="${bottom + 2}" height="4"/>`; }
          const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"); svg.setAttribute("viewBox", `0 0 ${W} ${H}`); svg.setAttribute("preserveAspectRatio", "none"); svg.innerHTML = s;
          const over = document.createElementNS("http://www.w3.org/2000/svg", "svg");
          const box = el("div"); box.style.position = "relative"; over.style.cssText = "position:absolute;inset:0"; box.append(svg, over); card.append(box);
          const overlay = () => { const w = box.clientWidth || 1000, k = w / W; over.setAttribute("viewBox", `0 0 ${w} ${H}`); let o = "";
            let last = -Infinity; for (const [t, text] of ticks()) { const at = x(t) * k; if (at - last > 70 && at < w - 30) { o += `<text x="${p(at)}" y="${H - 12}" text-anchor="middle">${esc(text)}</text>`; last = at; } }
            const edge = p(margin * k - 6); o += `<text x="${edge}" y="${top + 9}" text-anchor="end">${esc(mark(hi - pad))}</text><text x="${edge}" y="${bottom - 3}" text-anchor="end">${esc(mark(lo + pad))}</text>`;
            for (const i of track.f) { const v = track.v[i]; o += `<circle class="${v === null ? "lost" : "flag"}" cx="${p(x(track.t[i]) * k)}" cy="${p(v === null ? bottom - 4 : y(v))}" r="3"/>`; }
            for (const n of track.incidents) { const at = x(Math.max(ms(incidents[n].start), start)) * k; if (ms(incidents[n].end) > start && ms(incidents[n].start) < end) o += `<text x="${p(at + 4)}" y="${top + 22}">${esc(incidents[n].kind)}</text>`; }
            over.innerHTML = o; };
          overlay(); new ResizeObserver(overlay).observe(box); hover(box, track, detector);
        }

        const alertsOf = (d, track) => d.firings.filter(a => Object.entries(a.labels).every(([k, v]) => track.labels[k] === v));
        const tip = document.getElementById("tip");
        function hover(box, track, detector) {
          box.addEventListener("mousemove", e => { const r = box.getBoundingClientRect(), t = start + ((e.clientX - r.left) / r.width * W - margin) / (W - margin) * (end - start);
            let i = 0, best = Infinity; track.t.forEach((u, n) => { if (Math.abs(u - t) < best) { best = Math.abs(u - t); i = n; } });
            let h = "<b>" + esc(when(track.t[i])) + "</b><br>" + esc(detector.column || "value") + " " + esc(num(track.v[i]));
            if (track.lo) h += "<br>expected " + esc(num(track.lo[i])) + " to " + esc(num(track.hi[i])); h += "<br>score " + esc(num(track.s[i])) + (track.f.includes(i) ? " · <b>flagged</b>" : "");
            for (const a of alertsOf(detector, track)) if (ms(a.fired) <= track.t[i] && track.t[i] <= (a.resolved ? ms(a.resolved) : end)) h += "<br><b>" + esc(a.severity) + "</b> " + esc(a.reason);
            for (const n of track.incidents) if (ms(incidents[n].start) <= t && t < ms(incidents[n].end)) h += "<br>incident: " + esc(incidents[n].kind);
            for (const m of track.m) if (Math.abs(m[0] - t) < (end - start) / 150) h += "<br>event " + esc(m[1]) + " " + esc(m[2]);
            tip.innerHTML = h; tip.hidden = false; const w = tip.offsetWidth; tip.style.left = Math.min(e.clientX + 14, innerWidth - w - 8) + "px"; tip.style.top = Math.min(e.clientY + 14, innerHeight - tip.offsetHeight - 8) + "px"; });
          box.addEventListener("mouseleave", () => { tip.hidden = true; });
        }

        const seen = new IntersectionObserver(entries => { for (const e of entries) if (e.isIntersecting) { seen.unobserve(e.target); e.target.draw(); } }, { rootMargin: "400px" });
        function timelines(only, filter) {
          const root = document.getElementById("timelines"); root.textContent = ""; tip.hidden = true; let shown = 0;
          for (const lane of lanes) { const d = report.detectors[lane.detector]; if (only !== "" && only !== String(lane.detector)) continue;
            for (const track of lane.tracks) { const name = labels(track.labels); if (filter && !name.includes(filter)) continue; shown++;
              const card = el("div", "track"), h = el("h3", "", d.detector + " " + name + " "), n = alertsOf(d, track).length;
              h.append(el("small", "", n + (n === 1 ? " alert, " : " alerts, ") + track.flagged + " of " + track.windows + " windows flagged")); card.append(h); root.append(card);
              card.style.minHeight = "190px"; card.draw = () => { card.style.minHeight = ""; draw(card, track, d); }; seen.observe(card); }
            if (lane.left > 0) root.append(el("p", "empty", lane.left + " more keys of " + d.detector + " without alerts or incidents are not drawn.")); }
          if (!shown) root.append(el("p", "empty", "Nothing to draw."));
        }

        detectors(); incidentTable();
        const controls = document.getElementById("controls"), pick = el("select"), find = el("input"); find.type = "search"; find.placeholder = "labels contain …";
        if (report.detectors.length > 1) { pick.append(new Option("all detectors", "")); report.detectors.forEach((d, n) => pick.append(new Option(d.query + "." + d.detector, n))); controls.append(pick); }
        controls.append(find); const again = () => timelines(pick.value, find.value); pick.onchange = again; find.oninput = again; again();
        """#
}
