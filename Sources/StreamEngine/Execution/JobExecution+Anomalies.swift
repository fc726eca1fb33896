extension JobExecution {
    /// Hands new events of broadcast sources to the detectors whose verdicts they bear on, and how far those sources have
    /// come: at the end of input, as far as can be (SEMANTICS §9).
    func passEvents() {
        for source in sources + broadcasts where source.definition.isBroadcast {
            let events = source.tasks.flatMap { task in
                task.operators.compactMap { $0 as? EventCollector }.flatMap { $0.takeEvents() }
            }
            let isOver = !source.tasks.isEmpty && source.allEnded
            let watermarkMs = isOver || source.allIdle ? Int64.max : source.watermarkMs
            let said = source.tasks.map { $0.watermarkMs ?? .min }
            var positions: EventPositions = [:]
            for task in source.tasks { positions[task.id] = task.nextOffset }
            for context in contexts(of: source.definition.name) {
                for event in events { context.take(event) }
                context.watermarkMs = watermarkMs
                context.settledMs = isOver ? .max : said.min()
                context.positions = positions
            }
        }
    }

    private func contexts(of source: String) -> [ContextEvents] {
        sources.flatMap { $0.emitters.compactMap(\.emitter.anomalies).flatMap(\.everyContext) }
            .filter { $0.plan.source == source }
    }

    /// Judges what waited for events, and writes what was found.
    func releaseFindings() throws {
        for source in sources {
            for entry in source.emitters {
                guard let anomalies = entry.emitter.anomalies else { continue }
                let query = entry.emitter.plan.name
                anomalies.release(nowMs: isLive ? clock.wallMs() : nil) { owner, name, windowEndMs, positions in
                    guard isLive else { return }
                    var partition: PartitionID?
                    if case .partition(let id) = owner { partition = id }
                    record(
                        Decision(
                            kind: .context(
                                query: query, detector: name, windowEndMs: windowEndMs, positions: positions),
                            source: source.definition.name, partition: partition, nextOffset: nil, epoch: epoch))
                }
                try writeFindings(entry.emitter, query: entry.index, source)
            }
        }
    }

    /// Writes what a query's detectors and impacts found since the last call.
    func writeFindings(_ emitter: QueryEmitter, query index: Int, _ source: SourceExecution) throws {
        guard let anomalies = emitter.anomalies else { return }
        let info = info(query: emitter.plan.name, watermarkMs: source.watermarkMs)
        let sinks = outputs.queries[index]
        for (place, rows) in anomalies.takeRows().enumerated() where !rows.isEmpty {
            lastWork.anomalies += rows.count
            guard place < sinks.anomalies.count else { continue }
            try outputs.anomalies.write(rows, to: sinks.anomalies[place], job: job.definition.name, info)
        }
        for (place, rows) in anomalies.takeImpacts().enumerated() where !rows.isEmpty {
            lastWork.impacts += rows.count
            guard place < sinks.impacts.count else { continue }
            try outputs.impacts.write(rows, to: sinks.impacts[place], job: job.definition.name, info)
        }
    }
}
