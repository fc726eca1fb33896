import Connectors
import JobFile
import StreamEngine
import TestSupport

@testable import stream_job

/// A random job with detectors of every type, context and impacts over random samples and events.
struct DetectorInput {
    let seed: UInt64
    let yaml: String
    let isLocal: Bool
    /// Partitions of the metrics and of the events, a record a line.
    let metrics: [String]
    let events: [String]
    /// The detectors' types.
    let types: [String]

    private static let parameters = [
        "threshold": "above: 12, clearAbove: 11", "rate_of_change": "above: 20, relative: false", "ewma": "sigmas: 3",
        "robust": "mads: 4", "seasonal": "sigmas: 3", "cusum": "limit: 6", "page_hinkley": "limit: 6",
        "spot": "risk: 1e-2", "dspot": "risk: 1e-2", "forecast": "reach: 40, within: 4h, history: 2h",
        "absent": "after: 2",
        "flatline": "after: 3", "new_series": "", "peers": "by: [rack], mads: 4, minPeers: 3", "auto": "score: 0.9",
    ]
    static let everyType = parameters.keys.sorted()

    init(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        self.seed = seed
        func chance(_ of: Int) -> Bool { Int.random(in: 0..<of, using: &random) == 0 }
        func pick<T>(_ from: [T]) -> T { from[Int.random(in: 0..<from.count, using: &random)] }
        // Two days in windows of half an hour, so that a day's rhythm is known, or an hour or two in minutes.
        let windowMs: Int64 = pick([60_000, 1_800_000])
        let windows = Int64(50)
        let delayMs = pick([0, windowMs / 2, windowMs * 2])
        let partitions = Int.random(in: 1...3, using: &random)
        isLocal = chance(2)
        // Two nodes of a rack lie in one partition each where the job is partition-local.
        let isPartitioned = isLocal
        metrics = (0..<partitions).map { partition in
            var lines: [(atMs: Int64, text: String)] = []
            for node in 0..<6 where !isPartitioned || node % partitions == partition {
                // A group of racks must lie in one partition as well.
                let labels = "node=\"n\(node)\",rack=\"r\(isPartitioned ? partition : node % 2)\""
                var isUp = !chance(6)
                var extra = 0.0
                for window in 0..<windows {
                    if chance(15) { isUp.toggle() }
                    if chance(20) { extra = pick([0, 0, 30, -20, 300]) }
                    guard isUp else { continue }
                    for _ in 0..<Int.random(in: 1...2, using: &random) {
                        let value =
                            chance(60)
                            ? "NaN" : "\(10 + extra + Double(Int.random(in: -100...100, using: &random)) / 80)"
                        let atMs = window * windowMs + Int64.random(in: 0..<windowMs, using: &random)
                        lines.append((atMs, "m{\(labels)} \(value) \(atMs)\n"))
                    }
                }
            }
            let shifted = lines.map { line in
                (line.atMs + (delayMs > 0 ? Int64.random(in: 0...(delayMs * 5 / 4), using: &random) : 0), line.text)
            }
            return shifted.sorted { $0.0 < $1.0 }.map(\.1).joined()
        }
        events = (0..<Int.random(in: 1...2, using: &random)).map { _ in
            var lines: [(atMs: Int64, text: String)] = []
            for number in 0..<40 {
                let atMs = Int64.random(in: 0..<(windows * windowMs), using: &random)
                let type = pick(["Upgrade", "Scaling", "Pressure"])
                let text =
                    #"{"timestamp":"\#(EventTime.rfc3339(atMs))","type":"\#(type)","reason":"r\#(number)","#
                    + #""severity":"info","object":"o","labels":{"node":"n\#(Int.random(in: 0..<6, using: &random))"}}"#
                lines.append((atMs + Int64.random(in: 0...windowMs, using: &random), text + "\n"))
            }
            // The last one lets every verdict go.
            let last = EventTime.rfc3339(windows * windowMs * 10)
            return lines.sorted { $0.atMs < $1.atMs }.map(\.text).joined()
                + #"{"timestamp":"\#(last)","type":"End","reason":"","severity":"info","object":"o"}"# + "\n"
        }
        var types: [String] = []
        var text = """
            name: model
            sources:
              metrics:
                kafka: {topics: [metrics]}
                format: prometheus
                partitionedBy: \(isLocal ? "[partition]" : "[]")
                watermark: {delay: \(delayMs)ms, idleTimeout: off, maxFutureSkew: off}
              changes:
                kafka: {topics: [changes]}
                format: event-json
                broadcast: true
                watermark: {delay: \(windowMs)ms, idleTimeout: off, maxFutureSkew: off}
            trigger: {interval: 0s}
            limits: {keyTTL: \(pick(["24h", "\(windowMs * 12)ms"]))}
            queries:

            """
        for query in 0..<2 {
            let slide = pick([windowMs, windowMs, windowMs / 2])
            text += """
                - name: q\(query)
                  from: metrics
                  window: {size: \(windowMs)ms, slide: \(slide)ms}
                  groupBy: [\(isLocal ? "partition, rack, node" : "rack, node")]
                  aggregates: {n: count(), v: avg(value), hot: avg(value) where value > 9}
                  having: \(pick(["n > 0", "n > 1 or v > 5"]))
                  sinks: []
                  anomalies:

                """.split(separator: "\n", omittingEmptySubsequences: false).map { "  \($0)\n" }.joined()
            for number in 0..<3 {
                let type = Self.everyType[(Int(seed % 1000) * 6 + query * 3 + number) % Self.everyType.count]
                types.append(type)
                // A detector that looks across keys of different partitions would end the partition-local emission.
                var parameters = Self.parameters[type, default: ""]
                if isLocal { parameters = parameters.replacing("[rack]", with: "[partition, rack]") }
                if !["threshold", "absent", "flatline", "forecast", "new_series"].contains(type) {
                    parameters += parameters.isEmpty ? "warmup: 5" : ", warmup: 5"
                }
                text += """
                          - name: d\(number)
                            column: \(pick(["v", "v", "hot"]))
                            detector: {type: \(type)\(parameters.isEmpty ? "" : ", \(parameters)")}
                            emit: \(pick(["transitions", "transitions", "flags", "all"]))
                            missing: \(pick(["resolve", "hold"]))

                    """
                for rule in ["for", "keepFiringFor", "cooldown"] where chance(3) {
                    text += "        \(rule): \(windowMs * Int64.random(in: 1...3, using: &random))ms\n"
                }
                if chance(3) { text += "        groupInto: [\(isLocal ? "partition, rack" : "rack")]\n" }
                if chance(2) {
                    text += "        context:\n"
                    for action in ["annotate", "suppress", "lower", "raise"] where chance(2) {
                        text += "          - {from: changes, where: type == \"\(pick(["Upgrade", "Pressure"]))\", "
                        text +=
                            "match: [\(chance(3) ? "" : "node")], before: \(windowMs * Int64.random(in: 0...2, using: &random))ms, "
                        text +=
                            "after: \(windowMs * Int64.random(in: 0...3, using: &random))ms, action: \(action), maxWait: 9999d}\n"
                    }
                    text += "          - {from: changes, where: type == \"Scaling\", match: [node], maxWait: 9999d}\n"
                }
            }
            text += """
                    impacts:
                      - {name: i, column: v, from: changes, where: type != "Pressure", match: [\(chance(3) ? "" : "node")], \
                before: \(windowMs * Int64.random(in: 1...6, using: &random))ms, \
                after: \(windowMs * Int64.random(in: 1...6, using: &random))ms, maxWait: 9999d}

                """
        }
        self.types = types
        yaml = text
    }

    /// The job; what is wrong with it is said.
    func definition() throws -> JobDefinition {
        let loader = JobFileLoader(.standard, environment: { _ in nil })
        let checked = loader.load(SourceText(file: "seed-\(seed).yaml", text: yaml))
        guard let definition = checked.definition else {
            throw JobFailure("seed \(seed): \(checked.diagnostics)\n\(yaml)")
        }
        return definition
    }
}
