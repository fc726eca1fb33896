/// The entry to the Swift API, which reads like Structured Streaming's and builds the same `JobDefinition` as a job file:
/// ```swift
/// let cpu = engine.readStream
///     .kafka(brokers: "localhost:9092", topics: ["metrics"], format: .prometheus)
///     .withWatermark(delay: .seconds(60))
///     .select(#"node_cpu_seconds_total{mode="idle"}"#)
///     .groupBy(.window(size: .minutes(5), slide: .seconds(30)), "instance")
///     .agg(avg(rate("value"), as: "idle"))
///     .derive("busy", "1 - idle")
/// let query = try cpu.writeStream.outputMode(.append).trigger(.interval(.seconds(1)))
///     .checkpoint("checkpoints/cpu").kafka(topic: "cpu-5m").start()
/// try query.awaitTermination()
/// ```
public struct Engine: Sendable {
    /// What jobs may name.
    public let registries: Registries
    /// What runs them.
    public let runner: any JobRunner

    /// An engine over these registries.
    public init(registries: Registries, runner: any JobRunner) {
        self.registries = registries
        self.runner = runner
    }

    /// The beginning of a stream.
    public var readStream: StreamReader { StreamReader(engine: self) }

    /// One job of several queries. Sources of one name must be the same; they are read once.
    public func job(_ name: String, _ writers: [StreamWriter]) throws(JobDefinitionError) -> JobDefinition {
        guard var job = writers.first?.draft(name: name) else {
            throw JobDefinitionError([Diagnostic("the job computes nothing: it has no query")])
        }
        var findings = job.findings
        for writer in writers.dropFirst() {
            let next = writer.draft(name: name)
            findings += next.findings
            for source in next.definition.sources {
                guard let known = job.definition.source(source.name) else {
                    job.definition.sources.append(source)
                    continue
                }
                if known != source {
                    findings.append(
                        Diagnostic("two different sources are called `\(source.name)`", path: "sources.\(source.name)"))
                }
            }
            job.definition.queries += next.definition.queries
        }
        return try JobDefinitionError.check(job.definition, findings, registries)
    }
}

/// Runs a definition.
public protocol JobRunner: Sendable {
    /// Starts a checked job and returns; it goes on until it ends or is stopped.
    func start(_ job: JobDefinition, registries: Registries) throws -> any RunningJob
}

/// A job under way.
public protocol RunningJob: AnyObject, Sendable {
    /// What the last trigger did; nil before the first.
    var lastProgress: QueryProgress? { get }
    /// Ends the job after the epoch under way; returns when it has ended.
    func stop() throws
    /// Waits until the job has ended; throws why, when it failed.
    func awaitTermination() throws
}

/// Everything that is wrong with a job built in Swift.
public struct JobDefinitionError: Error, CustomStringConvertible {
    /// Errors, and the warnings beside them.
    public let diagnostics: [Diagnostic]

    init(_ diagnostics: [Diagnostic]) { self.diagnostics = diagnostics }

    public var description: String {
        diagnostics.filter { $0.severity == .error }.map(\.oneLine).joined(separator: "\n")
    }

    /// The definition where nothing is wrong with it.
    static func check(
        _ definition: JobDefinition, _ findings: [Diagnostic], _ registries: Registries
    ) throws(JobDefinitionError) -> JobDefinition {
        let all = findings + definition.check(registries)
        guard !all.contains(where: { $0.severity == .error }) else { throw JobDefinitionError(all) }
        return definition
    }
}
