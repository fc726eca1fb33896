import JobFile
import StreamEngine

extension Command {
    /// `stream-job doctor JOB.yaml`
    static let doctor = Command(
        name: "doctor", summary: "find out why a job shows no rows: broker, topics, records … sinks",
        operands: "JOB.yaml",
        details: """
            Walks the chain a record takes: the broker answers, topics exist, records arrive, they parse, series match
            each select, the watermark moves, windows close, sinks can be written. Stops at the first broken link and
            says how to mend it; warns of counters aggregated as they are. Joins no group, commits nothing, leaves nothing.
            Exit code 0 when all is well, 1 at a broken link, 2 when the job itself is wrong.
            """,
        flags: [Doctor.records, .set, .json],
        examples: [
            "stream-job doctor jobs/node-cpu-saturation.yaml",
            "stream-job doctor jobs/node-cpu-saturation.yaml --json",
            "stream-job doctor jobs/node-cpu-saturation.yaml --set kafka.brokers=localhost:9092 --records 10000",
        ],
        run: Doctor.run)
}

/// What `doctor` does.
private enum Doctor {
    static let records = Flag.valued("--records", "N", "how many of a source's newest records to look at (1000)")

    @Sendable
    static func run(_ arguments: ParsedArguments, _ console: Console) throws(UsageError) -> Int32 {
        let wanted = try arguments.integer(records, in: 1...10_000_000) ?? 1000
        let checked = JobFileLoader(.standard).load(try arguments.onlyJob(), overrides: arguments.values(.set))
        // Warnings are for `validate`: what they guess from names is looked up in the data here.
        guard let definition = checked.definition else {
            console.show(checked)
            return ExitCode.wrongInput
        }
        guard definition.kafka.brokers != nil else {
            throw UsageError(
                "job \(definition.name) names no Kafka cluster",
                hint: "kafka: {brokers: host:9092}, or --set kafka.brokers=…; files need no doctor: replay says it all")
        }
        let job: CompiledJob
        do throws(PlanError) {
            job = try CompiledJob(definition, registries: .standard)
        } catch {
            console.error("\(error)")
            return ExitCode.wrongInput
        }
        let isJSON = arguments.has(.json)
        var findings: [DoctorFinding] = []
        let doctor = JobDoctor(job, registries: .standard, recordsWanted: wanted) { finding in
            findings.append(finding)
            if !isJSON { console.out(text(finding, console)) }
        }
        do throws(BrokenLink) {
            try doctor.walk()
        } catch {
            doctor.report(error.finding)
        }
        let broken = findings.last.flatMap { $0.state == .fail ? $0.link : nil }
        if isJSON {
            console.out(json(definition, findings, broken).text + "\n")
        } else if let broken {
            let skipped = skipped(after: broken).map(\.rawValue)
            if !skipped.isEmpty { console.out(" skip  \(skipped.joined(separator: ", "))\n") }
        }
        return broken == nil ? ExitCode.done : ExitCode.failed
    }

    private static func skipped(after link: DoctorFinding.Link) -> ArraySlice<DoctorFinding.Link> {
        DoctorFinding.Link.allCases.drop { $0 != link }.dropFirst()
    }

    private static func text(_ finding: DoctorFinding, _ console: Console) -> String {
        let mark =
            switch finding.state {
            case .ok: console.outPaint(" ok  ", .green)
            case .warn: console.outPaint(" warn", .yellow)
            case .fail: console.outPaint(" FAIL", .red)
            }
        return "\(mark)  \(finding.text)\n" + (finding.mend.isEmpty ? "" : "       \(finding.mend)\n")
    }

    private static func json(
        _ definition: JobDefinition, _ findings: [DoctorFinding], _ broken: DoctorFinding.Link?
    ) -> JSONValue {
        .object([
            ("job", .string(definition.name)), ("ok", .boolean(broken == nil)),
            ("broken", broken.map { .string($0.rawValue) } ?? .null),
            (
                "findings",
                .array(
                    findings.map {
                        .object([
                            ("link", .string($0.link.rawValue)), ("state", .string($0.state.rawValue)),
                            ("text", .string($0.text)), ("mend", .string($0.mend)),
                        ])
                    })
            ),
            ("skipped", .array((broken.map { Array(skipped(after: $0)) } ?? []).map { .string($0.rawValue) })),
        ])
    }
}
