import JobFile
import StreamEngine

extension Command {
    /// `stream-job validate JOB.yaml …`
    static let validate = Command(
        name: "validate", summary: "check job files: every error at once", operands: "JOB.yaml …",
        details: """
            Checks keys, types, names, windows, expressions and sinks, without connecting to anything.
            Exit code 2 when a file has errors; warnings alone are fine.
            """,
        flags: [.set, .json],
        examples: [
            "stream-job validate jobs/deployment-memory.yaml",
            "stream-job validate --json jobs/*.yaml",
            "stream-job validate jobs/deployment-memory.yaml --set trigger.interval=10s",
        ],
        run: Validation.run)
}

/// What `validate` does.
private enum Validation {
    @Sendable
    static func run(_ arguments: ParsedArguments, _ console: Console) throws(UsageError) -> Int32 {
        guard !arguments.positionals.isEmpty else {
            throw UsageError("no job file is given", hint: "stream-job validate JOB.yaml …")
        }
        let loader = JobFileLoader(.standard)
        let jobs = arguments.positionals.map { loader.load($0, overrides: arguments.values(.set)) }
        if arguments.has(.json) {
            for job in jobs { console.out(JSONValue.object(json(job)).text + "\n") }
        } else {
            for job in jobs {
                console.show(job)
                if job.errorCount == 0 {
                    let warnings = job.warningCount == 0 ? "" : ", \(Plural.of(job.warningCount, "warning"))"
                    console.out("\(job.file): \(console.outPaint("ok", .green))\(warnings)\n")
                }
            }
        }
        return jobs.allSatisfy { $0.definition != nil } ? ExitCode.done : ExitCode.wrongInput
    }

    private static func json(_ job: CheckedJob) -> [(String, JSONValue)] {
        [
            ("file", .string(job.file)), ("ok", .boolean(job.definition != nil)),
            ("errors", .integer(job.errorCount)), ("warnings", .integer(job.warningCount)),
            (
                "findings",
                .array(
                    job.diagnostics.map { finding in
                        .object(
                            [
                                ("severity", .string(finding.severity.rawValue)), ("message", .string(finding.message)),
                            ] + finding.details(in: job))
                    })
            ),
        ]
    }
}

extension Diagnostic {
    /// Where it is and what to do, for programs.
    fileprivate func details(in job: CheckedJob) -> [(String, JSONValue)] {
        [
            ("path", .string(path)), ("file", .string(span?.file ?? job.file)),
            ("line", span.map { .integer($0.line) } ?? .null), ("column", span.map { .integer($0.column) } ?? .null),
            ("length", span.map { .integer($0.length) } ?? .null), ("label", .string(label)),
            ("notes", .array(notes.map { .string($0) })),
        ]
    }
}

extension Console {
    /// A job's findings on stderr, with their count where there are errors.
    func show(_ job: CheckedJob) {
        let text = DiagnosticText(texts: job.texts, isColoured: colorsNotes)
        for finding in job.diagnostics {
            note(
                text.render(finding) + "\n",
                LogRecord(
                    finding.message, level: finding.severity == .error ? .error : .warning, finding.details(in: job)))
        }
        guard job.errorCount > 0 else { return }
        let warnings = job.warningCount == 0 ? "" : ", \(Plural.of(job.warningCount, "warning"))"
        note("\(job.file): \(Plural.of(job.errorCount, "error"))\(warnings)\n")
    }
}
