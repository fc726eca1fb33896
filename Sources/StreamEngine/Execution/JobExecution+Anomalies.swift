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
            for context in contexts(of: source.definition.name) {
                for event in events { context.take(event) }
                context.watermarkMs = watermarkMs
            }
        }
    }

    private func contexts(of source: String) -> [ContextEvents] {
        sources.flatMap { $0.emitters.compactMap(\.emitter.anomalies).flatMap { $0.contexts.joined() } }
            .filter { $0.plan.source == source }
    }

    /// Judges what waited for events, and writes what the detectors found since the last call.
    func writeAnomalies() throws {
        for source in sources {
            for entry in source.emitters {
                guard let anomalies = entry.emitter.anomalies else { continue }
                anomalies.release(nowMs: isLive ? clock.wallMs() : nil) { detector, windowEndMs in
                    record(
                        Decision(
                            kind: .contextTimeout(detector: detector.name, windowEndMs: windowEndMs),
                            source: source.definition.name, partition: nil, nextOffset: nil, epoch: epoch))
                }
                for (place, rows) in anomalies.takeRows().enumerated() where !rows.isEmpty {
                    lastWork.anomalies += rows.count
                    let sinks = outputs.queries[entry.index].anomalies
                    guard place < sinks.count, !sinks[place].isEmpty else { continue }
                    let encoded = rows.map { outputs.encodeAnomaly(job.definition.name, $0) }
                    let documents = DocumentBatch(documents: encoded.map(\.document), keys: encoded.map(\.key))
                    let info = info(query: entry.emitter.plan.name, watermarkMs: source.watermarkMs)
                    for sink in sinks[place] { try sink.write(documents, info) }
                }
            }
        }
    }
}
