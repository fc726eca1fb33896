/// An impact of a query ready to run.
public struct ImpactPlan: Sendable {
    public let definition: ImpactDefinition
    /// Slot in `QueryPlan.schema` of the column whose means are taken.
    let column: Int
    /// The events; their `beforeMs` and `afterMs` are how far before and after reach.
    public let events: ContextPlan

    /// The name in the job.
    public var name: String { definition.name }

    /// What the state it keeps depends on: after a change it begins anew.
    func fingerprint(_ window: WindowSpec) -> String {
        "impact|\(definition.column)|\(window.sizeMs)/\(window.slideMs)/\(window.offsetMs)|"
            + "\(events.beforeMs)/\(events.afterMs)"
    }

    /// The windows of one key that are kept, at most.
    func windowsKept(_ window: WindowSpec) -> Int64 {
        (events.beforeMs + events.afterMs + window.slideMs - 1) / window.slideMs
    }

    /// What a key costs at most, bytes: its windows, key, labels and look-up.
    func bytesPerKey(_ window: WindowSpec) -> Int64 {
        windowsKept(window) * 16 + Int64(2 * MemoryLayout<GroupKey>.stride + MemoryLayout<DetectorKey>.stride + 24)
    }

    /// The impacts of a query whose own plan is made.
    static func compile(_ query: QueryDefinition, _ plan: QueryPlan) throws(PlanError) -> [ImpactPlan] {
        var plans: [ImpactPlan] = []
        for definition in query.impacts {
            let field = "impacts.\(definition.name)"
            let column = plan.schema.columns.firstIndex { $0.name == definition.column }
            guard let column, AnomalyCompiler.isNumeric(plan.schema.columns[column]) else {
                throw PlanError(
                    query: query.name, field: field, message: "`\(definition.column)` is no column of numbers")
            }
            plans.append(
                ImpactPlan(
                    definition: definition, column: column,
                    events: try ContextPlan.compile(
                        definition.events, action: .annotate, query: query.name, field: field)))
        }
        return plans
    }
}
