import Connectors
import Glibc
import JobFile
import Operators
import Platform
import StreamEngine

/// What the tests here share: the registries of the program, and fixtures.
enum Jobs {
    static let registries: Registries = {
        var registries = Registries(
            formats: InputFormats.all, sinks: FileSinks.all + [KafkaSinkFactory { _ in }], aggregates: Aggregates.all,
            bucketAggregates: BucketAggregates.all, seriesFunctions: SeriesFunctions.all, detectors: Detectors.all)
        registries.kafkaSettingCheck = { setting, _ in
            // librdkafka's own words differ from version to version; the program's tests hear them.
            setting.name == "security.protcol" ? SettingComplaint("no setting `\(setting.name)`") : nil
        }
        return registries
    }()

    /// A loader with a fixed environment.
    static func loader(_ environment: [String: String] = [:]) -> JobFileLoader {
        JobFileLoader(registries, environment: { environment[$0] })
    }

    static func check(_ text: String, overrides: [String] = [], environment: [String: String] = [:]) -> CheckedJob {
        loader(environment).load(SourceText(file: "job.yaml", text: text), overrides: overrides)
    }

    /// Every finding as the program shows it.
    static func rendered(_ job: CheckedJob) -> String {
        let text = DiagnosticText(texts: job.texts, isColoured: false)
        return job.diagnostics.map { text.render($0) }.joined(separator: "\n")
    }

    static var fixtures: String { FilePath.join(FilePath.directory(of: #filePath), "Fixtures") }

    static func names(in folder: String, ending: String) -> [String] {
        let all = (try? PosixFileSystem().list("\(fixtures)/\(folder)")) ?? []
        return all.filter { $0.hasSuffix(ending) }.map { String($0.dropLast(ending.count)) }
    }

    static func read(_ path: String) -> String? {
        (try? PosixFileSystem().readAll(path)).map { String(decoding: $0, as: UTF8.self) }
    }

    /// A small job that is right; tests change what they are about.
    static let small = """
        name: small
        sources:
          metrics: {kafka: {topics: [metrics]}, format: prometheus}
        queries:
          - name: q
            window: {size: 1m}
            groupBy: [instance]
            aggregates: {n: count()}
            sinks: [{jsonl: {path: out}}]
        """
}
