import JobFile
import StreamEngine

extension Command {
    /// `stream-job explain JOB.yaml`
    static let explain = Command(
        name: "explain", summary: "print a job's plan with every default", operands: "JOB.yaml",
        details: """
            Shows what is read, how windows are cut into panes, whether each query is partition-local and what breaks it,
            bytes of state and rows per second. Connects to nothing.
            """,
        flags: [.set, .json],
        examples: [
            "stream-job explain jobs/deployment-memory.yaml",
            "stream-job explain jobs/deployment-memory.yaml --set queries.memory.window.slide=10s",
            "stream-job explain jobs/deployment-memory.yaml --json",
        ],
        run: Explanation.run)
}

/// What `explain` does.
private enum Explanation {
    @Sendable
    static func run(_ arguments: ParsedArguments, _ console: Console) throws(UsageError) -> Int32 {
        guard let definition = try arguments.loadJob(console) else { return ExitCode.wrongInput }
        let job: CompiledJob
        do throws(PlanError) {
            job = try CompiledJob(definition, registries: .standard)
        } catch {
            console.error("\(error)")
            return ExitCode.wrongInput
        }
        if arguments.has(.json) {
            console.out(json(job).text + "\n")
        } else {
            let explanation = JobExplanation(
                job, registries: .standard, bytesText: FigureText.bytes, rateText: FigureText.rate,
                countText: FigureText.count)
            console.out(TreeText.render(explanation.tree()) { console.outPaint($0, .bold) })
        }
        return ExitCode.done
    }

    private static func json(_ job: CompiledJob) -> JSONValue {
        let definition = job.definition
        return .object([
            ("job", .string(definition.name)), ("group", .string(definition.group)),
            ("brokers", definition.kafka.brokers.map { .string($0) } ?? .null),
            ("delivery", .string(definition.delivery.rawValue)),
            ("checkpoint", .string(definition.checkpoint.location)),
            ("maxAheadMs", .integer(Int(definition.effectiveMaxAheadMs))),
            ("sources", .array(definition.sources.map(json))),
            ("queries", .array(zip(definition.queries, job.queries).map { json($0, $1) })),
        ])
    }

    private static func json(_ source: SourceDefinition) -> JSONValue {
        var topics: [JSONValue] = []
        var pattern = JSONValue.null
        switch source.topics {
        case .topics(let names): topics = names.map { .string($0) }
        case .pattern(let text): pattern = .string(text)
        }
        let watermark = source.watermark
        return .object([
            ("name", .string(source.name)), ("topics", .array(topics)), ("pattern", pattern),
            ("format", .string(source.format)),
            ("partitionedBy", .array(source.partitionedBy.map { .string($0) })),
            ("broadcast", .boolean(source.isBroadcast)), ("delayMs", .integer(Int(watermark.delayMs))),
            ("idleTimeoutMs", watermark.idleTimeoutMs.map { .integer(Int($0)) } ?? .null),
            ("maxFutureSkewMs", watermark.maxFutureSkewMs.map { .integer(Int($0)) } ?? .null),
        ])
    }

    private static func json(_ query: QueryDefinition, _ plan: QueryPlan) -> JSONValue {
        let cost = QueryCost(plan)
        let window = plan.window
        return .object([
            ("name", .string(query.name)), ("from", .string(query.from)),
            ("select", query.select.map { .string($0.description) } ?? .null),
            (
                "window",
                .object([
                    ("sizeMs", .integer(Int(window.sizeMs))), ("slideMs", .integer(Int(window.slideMs))),
                    ("offsetMs", .integer(Int(window.offsetMs))), ("paneMs", .integer(Int(window.paneMs))),
                    ("panes", .integer(Int(window.panesPerWindow))), ("openPanes", .integer(Int(cost.openPanes))),
                    ("mergedPanes", .integer(Int(cost.mergedPanes))),
                    ("finalAfterMs", .integer(Int(plan.delayMs + plan.latenessMs))),
                ])
            ),
            ("outputMode", .string(plan.outputMode.rawValue)),
            ("partitionLocal", .boolean(plan.isPartitionLocal)),
            ("notPartitionLocal", plan.notPartitionLocal.map { .string($0) } ?? .null),
            (
                "columns",
                .array(
                    plan.schema.columns.map {
                        .object([("name", .string($0.name)), ("type", .string("\($0.type)"))])
                    })
            ),
            ("bytesPerGroupAndPane", .integer(cost.bytesPerGroupAndPane)),
            ("bytesPerGroup", .integer(cost.bytesPerGroup)),
            ("bytesPerLoggedSample", .integer(cost.bytesPerLoggedSample)),
            ("bytesFor1000Groups", .number(cost.bytes(groups: 1000).rounded())),
            ("rowsPerSecondFor1000Groups", .number(cost.rowsPerGroupAndSecond * 1000)),
            ("keyTTLMs", .integer(Int(plan.keyTTLMs))),
            (
                "sinks",
                .array(query.sinks.map { .string(Registries.standard.sink($0.kind)?.describe($0.options) ?? $0.kind) })
            ),
        ])
    }
}
