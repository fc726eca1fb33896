import Backtest
import StreamEngine

/// The timelines of `report.html` as data: for each detector its keys, most telling first, with few enough points to draw.
enum ReportTracks {
    /// Keys drawn for each detector, and points of each. A page of all keys of a fleet would help nobody.
    static let tracksMax = 120
    static let pointsMax = 1200

    static func json(_ recorder: BacktestRecorder) -> JSONValue {
        .array(
            recorder.lanes[0].enumerated().map { index, lane in
                let chosen = tracks(of: lane)
                return .object([
                    ("detector", .integer(index)), ("left", .integer(lane.tracks.count - chosen.count)),
                    ("tracks", .array(chosen.map { track($0, lane) })),
                ])
            })
    }

    /// Keys with alerts and incidents first, then those with flags, then the others, each in the order met.
    private static func tracks(of lane: DetectorLane) -> [KeyTrack] {
        let alerting = Set(lane.alerts.map(\.key))
        func rank(_ track: KeyTrack) -> Int {
            let hasAlert = alerting.contains(track.key)
            if hasAlert, !track.incidents.isEmpty { return 0 }
            if hasAlert || !track.incidents.isEmpty { return 1 }
            return track.flagged > 0 ? 2 : 3
        }
        return Array(
            lane.tracks.enumerated().sorted { a, b in
                let (x, y) = (rank(a.element), rank(b.element))
                return x == y ? a.offset < b.offset : x < y
            }.map(\.element).prefix(tracksMax))
    }

    private static func track(_ track: KeyTrack, _ lane: DetectorLane) -> JSONValue {
        let points = track.points
        let rows = chosen(points)
        func column(_ values: [Double]) -> JSONValue {
            .array(rows.map { values[$0].isFinite ? .number(rounded(values[$0])) : .null })
        }
        let hasBand = rows.contains { points.lower[$0].isFinite || points.upper[$0].isFinite }
        return .object([
            ("labels", ReportDocument.labels(track.key)), ("incidents", .array(track.incidents.map { .integer($0) })),
            ("flagged", .integer(track.flagged)), ("windows", .integer(points.count)),
            ("t", .array(rows.map { .integer(Int(points.endsMs[$0])) })), ("v", column(points.values)),
            ("e", rows.contains { points.expected[$0].isFinite } ? column(points.expected) : .null),
            ("lo", hasBand ? column(points.lower) : .null), ("hi", hasBand ? column(points.upper) : .null),
            (
                "m",
                .array(
                    track.marks.sorted { ($0.timestampMs, $0.type, $0.text) < ($1.timestampMs, $1.type, $1.text) }.map {
                        .array([.integer(Int($0.timestampMs)), .string($0.type), .string($0.text)])
                    })
            ), ("s", .array(rows.map { .number(rounded(Double(points.scores[$0]))) })),
            ("f", .array(rows.enumerated().compactMap { points.flags[$1] ? .integer($0) : nil })),
        ])
    }

    /// Every flagged window, and of each stretch of the others the lowest and the highest value.
    private static func chosen(_ points: TrackPoints) -> [Int] {
        guard points.count > pointsMax else { return Array(0..<points.count) }
        let stretch = (points.count + pointsMax / 3 - 1) / (pointsMax / 3)
        var rows: [Int] = []
        for first in stride(from: 0, to: points.count, by: stretch) {
            let range = first..<min(first + stretch, points.count)
            let known = range.filter { points.values[$0].isFinite }
            var kept: Set<Int> = [first]
            if let low = known.min(by: { points.values[$0] < points.values[$1] }) { kept.insert(low) }
            if let high = known.max(by: { points.values[$0] < points.values[$1] }) { kept.insert(high) }
            let flagged = range.filter { points.flags[$0] }
            // Long flagged stretches are thinned out as well.
            kept.formUnion(flagged.prefix(2))
            kept.formUnion(flagged.suffix(2))
            rows += kept.sorted()
        }
        return rows
    }

    /// Six digits are enough to draw.
    private static func rounded(_ value: Double) -> Double {
        guard value != 0, value.magnitude > 1e-300, value.magnitude < 1e300 else { return value }
        var scale = 1.0
        var magnitude = value.magnitude
        while magnitude < 100_000 {
            magnitude *= 10
            scale *= 10
        }
        return magnitude >= 1e15 ? value : (value * scale).rounded() / scale
    }
}
