import StreamEngine

/// How detectors did against labelled incidents: one of them, or several together.
///
/// - An alert *fires in* an incident when it concerns the alert's key and overlaps the window in which the alert fired. Any
///   other alert is a false alarm.
/// - An incident is *detected* when an alert fires in it. One during which an alert still fires that began before is
///   *already firing*: not detected, and that alert a false alarm. One that no window of a key it concerns overlaps was *not
///   covered*, and does not count.
/// - The *delay* is from the incident's start to the end of the window in which the first such alert fired, at least 0.
public struct Score: Sendable {
    /// What became of an incident.
    public enum Outcome: String, Sendable {
        case detected
        case alreadyFiring
        case missed
        case notCovered
    }

    /// An incident's part.
    public struct IncidentScore: Sendable {
        public var outcome: Outcome
        /// ms; nil unless detected.
        public var delayMs: Int64?
        /// Alerts that fired in it.
        public var alerts: Int
    }

    /// One for each labelled incident, in the order of the labels.
    public var incidents: [IncidentScore]
    public var alerts: Int
    public var falseAlarms: Int
    public var windows: WindowCounts
    /// Event time that was looked at, ms.
    public var observedMs: Int64

    /// The score of lanes over the same labels, together: an incident is detected when one of them does.
    public init(_ lanes: [DetectorLane], incidents labels: [LabelledIncident]) {
        let all = lanes.flatMap(\.alerts)
        let covered = lanes.reduce(into: Set<Int>()) { $0.formUnion($1.covered) }
        incidents = labels.enumerated().map { index, label in
            let inside = all.filter { $0.incidents.contains(index) }
            if let first = inside.map(\.firedMs).min() {
                return IncidentScore(
                    outcome: .detected, delayMs: max(0, EventTime.difference(first, label.startMs)),
                    alerts: inside.count)
            }
            guard covered.contains(index) else { return IncidentScore(outcome: .notCovered, delayMs: nil, alerts: 0) }
            let isFiring = all.contains {
                $0.firedMs <= label.startMs && ($0.resolvedMs ?? .max) > label.startMs && label.concerns($0.key)
            }
            return IncidentScore(outcome: isFiring ? .alreadyFiring : .missed, delayMs: nil, alerts: 0)
        }
        alerts = all.count
        falseAlarms = all.count { $0.incidents.isEmpty }
        windows = lanes.reduce(WindowCounts()) { $0 + $1.windows }
        let starts = lanes.compactMap(\.observed?.startMs).min()
        let ends = lanes.compactMap(\.observed?.endMs).max()
        observedMs = starts.flatMap { start in ends.map { EventTime.difference($0, start) } } ?? 0
    }

    public func count(_ outcome: Outcome) -> Int { incidents.count { $0.outcome == outcome } }

    /// Incidents that count.
    public var coveredCount: Int { incidents.count - count(.notCovered) }
    /// Of the alerts, those that fired in an incident; nil where none fired.
    public var precision: Double? { Ratio.of(alerts - falseAlarms, alerts) }
    /// Of the incidents that count, those detected; nil where none counts.
    public var recall: Double? { Ratio.of(count(.detected), coveredCount) }

    /// The harmonic mean of both; 0 where one of them is 0 or nothing was found of what there is; nil where there is nothing
    /// to find and nothing was found.
    public var f1: Double? {
        if alerts == 0, coveredCount == 0 { return nil }
        let (p, r) = (precision ?? 0, recall ?? 0)
        return p + r > 0 ? 2 * p * r / (p + r) : 0
    }

    public var falseAlarmsPerDay: Double? {
        observedMs > 0 ? Double(falseAlarms) / (Double(observedMs) / 86_400_000) : nil
    }

    /// Of the detected incidents, ms.
    public var meanDelayMs: Double? {
        let delays = incidents.compactMap(\.delayMs)
        return delays.isEmpty ? nil : delays.map(Double.init).reduce(0, +) / Double(delays.count)
    }

    /// Of the detected incidents, ms; of two in the middle their mean.
    public var medianDelayMs: Double? {
        let delays = incidents.compactMap(\.delayMs).sorted()
        guard !delays.isEmpty else { return nil }
        let middle = delays.count / 2
        if delays.count % 2 == 1 { return Double(delays[middle]) }
        return (Double(delays[middle - 1]) + Double(delays[middle])) / 2
    }

    /// Alerts in an incident that was detected, on average: 1 is a page each, more is flapping.
    public var alertsPerIncident: Double? {
        let detected = incidents.filter { $0.outcome == .detected }
        return Ratio.of(detected.reduce(0) { $0 + $1.alerts }, detected.count)
    }

    /// Whether this is the better one: by F1, then false alarms a day, then delay.
    public func isBetter(than other: Score) -> Bool? {
        let (a, b) = (f1 ?? 1, other.f1 ?? 1)
        if a != b { return a > b }
        let (x, y) = (falseAlarmsPerDay ?? 0, other.falseAlarmsPerDay ?? 0)
        if x != y { return x < y }
        let (p, q) = (meanDelayMs ?? .infinity, other.meanDelayMs ?? .infinity)
        return p == q ? nil : p < q
    }
}
