import StreamEngine

/// Everything one detector says in a run, held against the labels as it comes. Windows of one key come in order.
public final class DetectorLane {
    public let query: String
    public let detector: String
    public let type: String
    /// The row column it looks at; nil where it needs none.
    public let column: String?
    let incidents: [LabelledIncident]
    public private(set) var alerts: [Alert] = []
    /// One for each key met, in the order met.
    public private(set) var tracks: [KeyTrack] = []
    public private(set) var windows = WindowCounts()
    /// The first window's start and the last one's end; nil before the first.
    public private(set) var observed: (startMs: Int64, endMs: Int64)?
    /// Incidents that some window of a key they concern overlaps.
    private(set) var covered: Set<Int> = []
    private let keepsTracks: Bool
    private var places: [[Label]: Int] = [:]
    /// Alerts that have not resolved.
    private var open: [Int] = []

    /// Marks kept of a key; events without end are cut.
    private static let marksMax = 500

    /// A detector's lane; `keepsTracks`: every window's figures are kept for a report.
    public init(
        query: String, detector: String, type: String, column: String?, incidents: [LabelledIncident], keepsTracks: Bool
    ) {
        self.query = query
        self.detector = detector
        self.type = type
        self.column = column
        self.incidents = incidents
        self.keepsTracks = keepsTracks
    }

    private func track(of key: [Label]) -> Int {
        if let known = places[key] { return known }
        places[key] = tracks.count
        tracks.append(KeyTrack(key: key, incidents: incidents.indices.filter { incidents[$0].concerns(key) }))
        return tracks.count - 1
    }

    /// Takes a window of a key.
    public func take(_ verdict: Verdict) {
        let place = track(of: verdict.key)
        var isIncident = false
        let concerned = tracks[place].incidents
        // Windows come in order: incidents that are over for good are passed by.
        var first = tracks[place].firstOpen
        while first < concerned.count, incidents[concerned[first]].endMs <= verdict.windowStartMs { first += 1 }
        tracks[place].firstOpen = first
        for index in concerned[first...] {
            if incidents[index].startMs >= verdict.windowEndMs { break }
            guard incidents[index].overlaps(verdict.windowStartMs, verdict.windowEndMs) else { continue }
            isIncident = true
            covered.insert(index)
        }
        windows.add(isFlagged: verdict.isFlagged, isIncident: isIncident)
        observed = (
            min(observed?.startMs ?? .max, verdict.windowStartMs), max(observed?.endMs ?? .min, verdict.windowEndMs)
        )
        if verdict.isFlagged { tracks[place].flagged += 1 }
        if keepsTracks { tracks[place].points.append(verdict) }
    }

    /// Takes an alert that fires.
    public func fire(_ alert: Alert) {
        var alert = alert
        alert.incidents = incidents.indices.filter {
            incidents[$0].overlaps(alert.windowStartMs, alert.firedMs) && incidents[$0].concerns(alert.key)
        }
        open.append(alerts.count)
        alerts.append(alert)
    }

    /// Takes the end of an alert: that of its incident, or of its key.
    public func resolve(key: [Label], incidentID: String?, atMs: Int64) {
        let place = open.firstIndex { index in
            let alert = alerts[index]
            return incidentID != nil && alert.incidentID == incidentID || incidentID == nil && alert.key == key
        }
        guard let place else { return }
        alerts[open.remove(at: place)].resolvedMs = atMs
    }

    /// Takes an event that stood beside a verdict on a key.
    public func note(_ mark: ContextMark, key: [Label]) {
        guard keepsTracks else { return }
        let place = track(of: key)
        if tracks[place].marks.count < Self.marksMax { tracks[place].marks.insert(mark) }
    }
}

/// A key and what was said of it.
public struct KeyTrack: Sendable {
    public let key: [Label]
    /// The incidents that concern it, by start.
    public let incidents: [Int]
    public internal(set) var flagged = 0
    /// Events that stood beside its verdicts.
    public internal(set) var marks: Set<ContextMark> = []
    /// Every window, where they are kept.
    public internal(set) var points = TrackPoints()
    /// Incidents before this one are over.
    var firstOpen = 0
}

/// Windows as columns: about 60 bytes each.
public struct TrackPoints: Sendable {
    public private(set) var endsMs: [Int64] = []
    /// NaN where there is none.
    public private(set) var values: [Double] = []
    public private(set) var expected: [Double] = []
    public private(set) var lower: [Double] = []
    public private(set) var upper: [Double] = []
    public private(set) var scores: [Float] = []
    public private(set) var flags: [Bool] = []

    public var count: Int { endsMs.count }

    mutating func append(_ verdict: Verdict) {
        endsMs.append(verdict.windowEndMs)
        values.append(verdict.value ?? .nan)
        expected.append(verdict.expected ?? .nan)
        lower.append(verdict.lower ?? .nan)
        upper.append(verdict.upper ?? .nan)
        scores.append(Float(verdict.score))
        flags.append(verdict.isFlagged)
    }
}

/// Windows of keys, by what was said and what was.
public struct WindowCounts: Sendable, Equatable {
    public var truePositives = 0
    public var falsePositives = 0
    public var falseNegatives = 0
    public var trueNegatives = 0

    public init() {}

    mutating func add(isFlagged: Bool, isIncident: Bool) {
        switch (isFlagged, isIncident) {
        case (true, true): truePositives += 1
        case (true, false): falsePositives += 1
        case (false, true): falseNegatives += 1
        case (false, false): trueNegatives += 1
        }
    }

    static func + (a: WindowCounts, b: WindowCounts) -> WindowCounts {
        var sum = a
        sum.truePositives += b.truePositives
        sum.falsePositives += b.falsePositives
        sum.falseNegatives += b.falseNegatives
        sum.trueNegatives += b.trueNegatives
        return sum
    }

    /// nil where nothing was flagged.
    public var precision: Double? { Ratio.of(truePositives, truePositives + falsePositives) }
    /// nil where no window lies in an incident.
    public var recall: Double? { Ratio.of(truePositives, truePositives + falseNegatives) }
    /// nil where there is nothing to find and nothing was found.
    public var f1: Double? { Ratio.of(2 * truePositives, 2 * truePositives + falsePositives + falseNegatives) }
}

enum Ratio {
    /// nil for nothing of nothing.
    static func of(_ part: Int, _ whole: Int) -> Double? { whole == 0 ? nil : Double(part) / Double(whole) }
}
