extension JobExplanation {
    /// A detector with its parameters, what a key costs, and the rules around it, every default included.
    func detector(_ anomaly: AnomalyDefinition, _ plan: AnomalyPlan, _ query: QueryPlan) -> ExplanationNode {
        let parameters = anomaly.detector.pairs.filter { $0.key != "warmup" }
            .map { "\($0.key) \(OptionText.yaml($0.value))" }
        var text = "\(anomaly.detectorType) of \(anomaly.column ?? "rows")"
        if !parameters.isEmpty { text += ", \(parameters.joined(separator: ", "))" }
        return ExplanationNode("detector \(anomaly.name)", text, lines(anomaly, plan, query))
    }

    private func lines(
        _ anomaly: AnomalyDefinition, _ plan: AnomalyPlan, _ query: QueryPlan
    ) -> [ExplanationNode] {
        func time(_ ms: Int64) -> String { DurationText.spaced(ms) }
        let learning =
            plan.warmup == 0
            ? "flags from a key's first window"
            : "flags after \(plan.warmup) windows of a key (\(time(Int64(plan.warmup) * query.window.slideMs)))"
        let own = plan.factory.bytesPerKey(anomaly.detector, plan.setting)
        let whole = own + AnomalyPlan.bytesPerKey
        var nodes = [
            ExplanationNode(
                "state",
                "\(own) B a key + \(AnomalyPlan.bytesPerKey) B for its name and alert → \(bytesText(Int64(whole) * 1000)) "
                    + "for 1,000 keys; forgotten after \(time(query.keyTTLMs)) unseen"),
            ExplanationNode(
                "alert",
                "\(learning); fires when flagged for \(time(anomaly.forMs)), fires on for "
                    + "\(time(anomaly.keepFiringForMs)), quiet for \(time(anomaly.cooldownMs)) after; a missing row "
                    + "\(anomaly.missing == .resolve ? "resolves" : "means nothing"); severity \(anomaly.severity)"),
        ]
        if !anomaly.groupInto.isEmpty {
            nodes.append(ExplanationNode("incident", "one for each \(anomaly.groupInto.joined(separator: ", "))"))
        }
        for context in plan.contexts {
            var text = events(context)
            text +=
                " \(context.action.rawValue), from \(time(context.beforeMs)) before to \(time(context.afterMs)) after them; "
            text += "a verdict waits for them, live \(time(context.maxWaitMs)) at most"
            nodes.append(ExplanationNode("context", text))
        }
        let sinks = anomaly.sinks.isEmpty ? "counted only" : anomaly.sinks.map { describe($0) }.joined(separator: " · ")
        nodes.append(ExplanationNode("emits", "\(anomaly.emit.rawValue) → \(sinks)"))
        return nodes
    }

    private func events(_ context: ContextPlan) -> String {
        let match = context.match.map(\.label.description)
        return "events of \(context.source)"
            + (match.isEmpty ? "" : " with the same \(match.joined(separator: ", "))")
    }

    /// What events do to a column: how far the means reach, what a key costs.
    func impact(_ plan: ImpactPlan, _ query: QueryPlan) -> ExplanationNode {
        func time(_ ms: Int64) -> String { DurationText.spaced(ms) }
        let kept = plan.windowsKept(query.window)
        let bytes = plan.bytesPerKey(query.window)
        let sinks = plan.definition.sinks
        return ExplanationNode(
            "impact \(plan.name)",
            "mean of \(plan.definition.column) over \(time(plan.events.beforeMs)) before and "
                + "\(time(plan.events.afterMs)) after \(events(plan.events))",
            [
                ExplanationNode(
                    "state", "up to \(bytes) B a key (\(kept) windows) → \(bytesText(bytes * 1000)) for 1,000 keys"),
                ExplanationNode(
                    "emits",
                    "a row for each event and key, when the windows of `after` are final; waits for events, live "
                        + "\(time(plan.events.maxWaitMs)) at most → "
                        + (sinks.isEmpty ? "counted only" : sinks.map { describe($0) }.joined(separator: " · "))),
            ])
    }
}

extension AnomalyPlan {
    /// What a key costs beside its detector's state, bytes: key, labels, look-up, alert.
    static let bytesPerKey =
        2 * MemoryLayout<GroupKey>.stride + MemoryLayout<DetectorKey>.stride + MemoryLayout<AlertState>.stride + 24
}
