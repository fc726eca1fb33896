import StreamEngine

/// Takes the rows of a run's detectors, as they come, to the lanes they tell of.
public final class BacktestRecorder {
    public let plan: VariantPlan
    public let incidents: [LabelledIncident]
    /// The lanes of each variant, one for each of its detectors.
    public let lanes: [[DetectorLane]]
    /// Rows taken of copies, which no sink has seen.
    public private(set) var copiedRows = 0

    /// A recorder; `keepsTracks`: every window's figures are kept, for a report with timelines.
    public init(_ plan: VariantPlan, incidents: [LabelledIncident], keepsTracks: Bool) {
        self.plan = plan
        self.incidents = incidents
        lanes = plan.detectors.map { detectors in
            detectors.map {
                DetectorLane(
                    query: $0.query, detector: $0.definition.name, type: $0.definition.detectorType,
                    column: $0.definition.column, incidents: incidents, keepsTracks: keepsTracks)
            }
        }
    }

    /// Whether a detector of the run is a copy that only tells this recorder.
    public func isCopy(query: String, detector: String) -> Bool {
        plan.copies.contains(VariantPlan.Name(query: query, detector: detector))
    }

    /// Takes a row.
    public func take(_ row: AnomalyRow) {
        let name = VariantPlan.Name(query: row.query, detector: row.detector)
        if plan.copies.contains(name) { copiedRows += 1 }
        for route in plan.routes[name] ?? [] {
            let lane = lanes[route.variant][route.detector]
            switch route.content {
            case .verdicts: takeVerdict(row, lane)
            case .alerts: takeAlert(row, lane)
            }
        }
    }

    private func takeVerdict(_ row: AnomalyRow, _ lane: DetectorLane) {
        lane.take(
            Verdict(
                key: row.key, windowStartMs: row.windowStartMs, windowEndMs: row.windowEndMs, value: row.value,
                expected: row.expected, lower: row.lower, upper: row.upper, score: row.score,
                isFlagged: row.state == .flagged))
        for event in row.context {
            let words = [event.reason, event.object, event.message].map(\.description).filter { !$0.isEmpty }
            lane.note(
                ContextMark(
                    timestampMs: event.timestampMs, type: event.type.description,
                    text: words.joined(separator: " · ")), key: row.key)
        }
    }

    private func takeAlert(_ row: AnomalyRow, _ lane: DetectorLane) {
        switch row.state {
        case .firing:
            lane.fire(
                Alert(
                    key: row.key, windowStartMs: row.windowStartMs, firedMs: row.windowEndMs, severity: row.severity,
                    reason: row.reason, incidentID: row.incidentID))
        case .resolved: lane.resolve(key: row.key, incidentID: row.incidentID, atMs: row.windowEndMs)
        case .flagged, .normal: break
        }
    }

    /// How a variant did: each detector, and all of them together.
    public func scores(of variant: Int = 0) -> (each: [Score], all: Score) {
        let own = lanes[variant]
        return (own.map { Score([$0], incidents: incidents) }, Score(own, incidents: incidents))
    }

    /// The variants, the best one first: by F1, then false alarms a day, then delay, then their order.
    public var ranking: [Int] {
        let scores = lanes.indices.map { Score(lanes[$0], incidents: incidents) }
        return lanes.indices.sorted { a, b in scores[a].isBetter(than: scores[b]) ?? (a < b) }
    }
}
