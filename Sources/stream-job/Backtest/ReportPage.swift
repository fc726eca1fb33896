import StreamEngine

/// `report.html`: one file without anything from the network, light or dark as the reader's system is.
enum ReportPage {
    /// The page of a report and its timelines.
    static func html(job: String, report: JSONValue, tracks: JSONValue) -> String {
        """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>Backtest of \(job)</title>
        <style>\(style)</style>
        </head>
        <body>
        <header><h1>\(job)</h1><p id="range"></p></header>
        <main>
        <section><h2>Detectors</h2><div class="scroll"><table id="detectors"></table></div></section>
        <section id="incident-section"><h2>Incidents</h2><div class="scroll"><table id="incidents"></table></div></section>
        <section>
        <h2>Timelines</h2>
        <div id="controls"></div>
        <p class="legend"><span class="k value"></span>value <span class="k band"></span>expected range
        <span class="k flag"></span>flagged window <span class="k alert"></span>alert
        <span class="k incident"></span>labelled incident <span class="k event"></span>cluster event</p>
        <div id="timelines"></div>
        </section>
        </main>
        <div id="tip" hidden></div>
        <script>
        (() => {
        const report = \(embedded(report));
        const lanes = \(embedded(tracks));
        \(ReportScript.text)
        })();
        </script>
        </body>
        </html>

        """
    }

    /// JSON inside a script: nothing in it may end the script, or begin a comment.
    private static func embedded(_ value: JSONValue) -> String {
        value.text.split(separator: "<", omittingEmptySubsequences: false).joined(separator: "\\u003c")
    }

    private static let style = """
        :root { color-scheme: light dark; --bg: #fbfbfa; --card: #ffffff; --ink: #1c1d1f; --dim: #6b6f76; --line: #e3e4e6;
          --value: #2563a8; --band: #2563a81f; --flag: #c8321f; --alert: #c8321f; --incident: #e8a31733; --edge: #b97c00;
          --event: #7a4fc4; --good: #19743a; --bad: #b42318; }
        @media (prefers-color-scheme: dark) { :root { --bg: #141517; --card: #1c1e21; --ink: #e7e8ea; --dim: #9a9fa7;
          --line: #2f3236; --value: #6aa9f0; --band: #6aa9f02b; --flag: #ff6b57; --alert: #ff6b57; --incident: #e8a31738;
          --edge: #e8b04a; --event: #b394f0; --good: #5fc987; --bad: #ff8b7c; } }
        * { box-sizing: border-box; }
        body { margin: 0; background: var(--bg); color: var(--ink); font: 15px/1.45 system-ui, sans-serif; }
        header, main { max-width: 1180px; margin: 0 auto; padding: 0 20px; }
        h1 { font-size: 26px; margin: 28px 0 0; } h2 { font-size: 17px; margin: 30px 0 10px; }
        header p { color: var(--dim); margin: 4px 0 0; }
        .scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 8px; }
        table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
        th, td { padding: 7px 12px; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
        tr:last-child td { border-bottom: 0; } th { color: var(--dim); font-weight: 500; font-size: 13px; }
        th.l, td.l { text-align: left; } td small { color: var(--dim); } .good { color: var(--good); } .bad { color: var(--bad); }
        #controls { display: flex; gap: 14px; align-items: center; flex-wrap: wrap; }
        select, input[type=search] { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--line);
          border-radius: 6px; padding: 5px 9px; }
        .legend { color: var(--dim); font-size: 13px; } .k { display: inline-block; width: 14px; height: 10px; margin: 0 5px 0 14px;
          border-radius: 2px; } .k:first-child { margin-left: 0; }
        .k.value { height: 2px; background: var(--value); vertical-align: 4px; } .k.band { background: var(--band); }
        .k.flag { width: 8px; height: 8px; border-radius: 50%; background: var(--flag); } .k.alert { height: 4px; background: var(--alert); vertical-align: 2px; }
        .k.incident { background: var(--incident); border: 1px solid var(--edge); } .k.event { width: 0; border-left: 2px dashed var(--event); }
        .track { background: var(--card); border: 1px solid var(--line); border-radius: 8px; margin: 0 0 12px; padding: 10px 14px 6px; }
        .track h3 { font: 500 13px/1.4 ui-monospace, monospace; margin: 0; overflow-wrap: anywhere; }
        .track h3 small { color: var(--dim); font-family: system-ui, sans-serif; }
        .track svg { display: block; width: 100%; height: 150px; }
        svg text { fill: var(--dim); font: 11px system-ui, sans-serif; paint-order: stroke; stroke: var(--card); stroke-width: 3px; stroke-linejoin: round; }
        svg .grid { stroke: var(--line); } svg .line { fill: none; stroke: var(--value); stroke-width: 1.5; stroke-linejoin: round; }
        svg .expected { fill: none; stroke: var(--value); stroke-dasharray: 2 4; opacity: .7; } svg .band { fill: var(--band); }
        svg .flag { fill: var(--flag); } svg .incident { fill: var(--incident); stroke: var(--edge); stroke-opacity: .5; }
        svg .alert { fill: var(--alert); } svg .event { stroke: var(--event); stroke-dasharray: 4 3; stroke-width: 1.5; }
        svg .cursor { stroke: var(--dim); } svg .lost { fill: var(--edge); }
        #tip { position: fixed; pointer-events: none; background: var(--card); border: 1px solid var(--line); border-radius: 6px;
          box-shadow: 0 4px 14px #0003; padding: 7px 10px; font-size: 13px; max-width: 380px; z-index: 2; }
        #tip b { font-weight: 600; } .empty { color: var(--dim); }
        @media print { #controls { display: none; } .track { break-inside: avoid; } }
        """
}
