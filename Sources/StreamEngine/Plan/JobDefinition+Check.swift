extension JobDefinition {
    /// Everything that is wrong or doubtful with a job whose keys and types are right, whoever built it: names,
    /// windows, columns, expressions' types, sinks. Touches no file and no network.
    public func check(_ registries: Registries, positions: OptionPositions = OptionPositions()) -> [Diagnostic] {
        var check = JobCheck(job: self, registries: registries, positions: positions)
        check.run()
        return check.diagnostics
    }
}

/// One pass over a job.
struct JobCheck {
    let job: JobDefinition
    let registries: Registries
    let positions: OptionPositions
    var diagnostics: [Diagnostic] = []

    init(job: JobDefinition, registries: Registries, positions: OptionPositions) {
        self.job = job
        self.registries = registries
        self.positions = positions
    }

    mutating func run() {
        checkJob()
        for (index, source) in job.sources.enumerated() {
            if let first = job.sources[..<index].first(where: { $0.name == source.name }) {
                error("two sources are called `\(first.name)`", at: "sources.\(source.name)")
            }
            checkSource(source)
        }
        checkUnusedSources()
        for (index, query) in job.queries.enumerated() {
            if job.queries[..<index].contains(where: { $0.name == query.name }) {
                error("two queries are called `\(query.name)`", at: "queries.\(index).name", label: "rename one")
            }
            checkQuery(query, path: "queries.\(index)")
        }
        checkOutputs()
    }

    // MARK: Findings

    mutating func error(_ message: String, at path: String, label: String = "", notes: [String] = []) {
        diagnostics.append(
            Diagnostic(message, path: path, span: positions.span(path), label: label, notes: notes))
    }

    /// Carets under the key rather than the value.
    mutating func error(_ message: String, atKey path: String, label: String = "", notes: [String] = []) {
        diagnostics.append(
            Diagnostic(message, path: path, span: positions.keySpan(path), label: label, notes: notes))
    }

    mutating func warn(_ message: String, at path: String, label: String = "") {
        diagnostics.append(Diagnostic(.warning, message, path: path, span: positions.span(path), label: label))
    }

    mutating func error(_ error: ExpressionError, at path: String) {
        let span = positions.span(path, offset: error.range.offset, length: error.range.length)
        diagnostics.append(Diagnostic(error.message, path: path, span: span, label: error.hint ?? ""))
    }

    /// Whether the key was written, though it may have been left out of the job because it is wrong.
    func isWritten(_ path: String) -> Bool { positions.place(path) != nil }

    static func didYouMean(_ typed: String, _ known: [String]) -> String {
        Suggestion.nearest(typed, among: known).map { "did you mean `\($0)`?" } ?? ""
    }

    static func list(_ noun: String, _ names: [String]) -> [String] {
        names.isEmpty ? [] : ["\(noun): \(names.joined(separator: ", "))"]
    }

    // MARK: The job as a whole

    private mutating func checkJob() {
        if !OptionType.fits(job.name, .name) {
            error("`\(job.name)` is no name for a job", at: "name", label: "lower case letters, digits and hyphens")
        }
        if job.group.isEmpty { error("`group` is empty", at: "group") }
        // Of a file the reader of its keys has said so.
        if positions.isEmpty {
            if job.sources.isEmpty { error("the job reads nothing: it has no source", at: "sources") }
            if job.queries.isEmpty { error("the job computes nothing: it has no query", at: "queries") }
        }
        checkSettings(job.kafka, path: "kafka")
        let location = job.checkpoint.location
        if location == "/tmp" || location.hasPrefix("/tmp/") {
            warn("checkpoint under /tmp is lost at the next boot", at: "checkpoint.location")
        }
        if job.onBadRecord != .deadLetter, isWritten("deadLetter") {
            warn("`deadLetter` is not used with `onBadRecord: \(job.onBadRecord.rawValue)`", at: "deadLetter")
        }
    }

    mutating func checkSettings(_ kafka: KafkaConnection, path: String) {
        for (key, settings) in [("options", kafka.options), ("producerOptions", kafka.producerOptions)] {
            for setting in settings {
                let settingPath = "\(path).\(key).\(setting.name)"
                if setting.name == "bootstrap.servers" || setting.name == "metadata.broker.list" {
                    error("`\(setting.name)` is written as `brokers`", atKey: settingPath, label: "use kafka.brokers")
                } else if KafkaConnection.reserved.contains(setting.name) {
                    error(
                        "`\(setting.name)` is decided by the engine", atKey: settingPath,
                        label: setting.name == "group.id" ? "the job's `group` names it" : "take it out")
                } else if let complaint = registries.kafkaSettingCheck(setting, key == "producerOptions") {
                    error(complaint.message, atKey: settingPath, label: complaint.label)
                }
            }
        }
    }
}
