import Testing

@testable import Backtest
@testable import StreamEngine

@Suite struct VariantPlanTests {
    static let options = CheckedOptions(
        schema: OptionSchema("threshold", "", []), path: "", values: [:], written: [], isComplete: true)

    static func detector(_ name: String, emit: AnomalyDefinition.Emit = .transitions, forMs: Int64 = 0)
        -> AnomalyDefinition
    {
        var anomaly = AnomalyDefinition(
            name: name, column: "v", detectorType: "threshold", detector: options)
        anomaly.emit = emit
        anomaly.forMs = forMs
        return anomaly
    }

    static func job(_ detectors: [AnomalyDefinition], sizeMs: Int64 = 1000) -> JobDefinition {
        var query = QueryDefinition(name: "q", from: "s", window: WindowDefinition(sizeMs: sizeMs))
        query.anomalies = detectors
        return JobDefinition(
            name: "j", sources: [SourceDefinition(name: "s", topics: .topics(["t"]), format: "prometheus")],
            queries: [query])
    }

    @Test func hearingAddsOnlyWhatIsNotTold() {
        let plan = VariantPlan(hearing: Self.job([Self.detector("a"), Self.detector("b", emit: .all)]))
        let anomalies = plan.job.queries[0].anomalies
        #expect(anomalies.map(\.name) == ["a", "b", "a~2", "b~3"])
        // a tells its alerts, b its verdicts; the copies tell the rest.
        #expect(anomalies.map(\.emit) == [.transitions, .all, .all, .transitions])
        #expect(plan.copies.count == 2)
        #expect(plan.routes.values.reduce(0) { $0 + $1.count } == 4)
    }

    @Test func groupedDetectorsTellVerdictsKeyByKey() {
        var grouped = Self.detector("a", emit: .all)
        grouped.groupInto = ["node"]
        let plan = VariantPlan(hearing: Self.job([grouped]))
        let copies = plan.job.queries[0].anomalies.dropFirst()
        #expect(copies.map(\.emit) == [.all, .transitions])
        #expect(copies.map(\.groupInto) == [[], ["node"]])
    }

    @Test func variantsShareWhatIsEqual() {
        let plan = VariantPlan(comparing: [
            Self.job([Self.detector("a", forMs: 1), Self.detector("b")]),
            Self.job([Self.detector("a", forMs: 2), Self.detector("b")]),
            Self.job([Self.detector("a", forMs: 1), Self.detector("b")], sizeMs: 2000),
        ])
        // Two windows; in the first query a twice and b once, each telling verdicts and alerts.
        #expect(plan.job.queries.map(\.name) == ["q", "q~2"])
        #expect(plan.job.queries.map(\.anomalies.count) == [6, 4])
        #expect(plan.detectors.map(\.count) == [2, 2, 2])
        var told: [Int: Int] = [:]
        for route in plan.routes.values.joined() { told[route.variant, default: 0] += 1 }
        #expect(told == [0: 4, 1: 4, 2: 4])
    }
}
