import Platform
import StreamEngine

/// `jsonl: {path, compression, targetFileSize, maxFileAge}`.
public struct JSONLSinkFactory: SinkFactory {
    private let files: any FileSystem
    private let clock: any Clock

    /// Sinks that write through `files`.
    public init(files: any FileSystem = PosixFileSystem(), clock: any Clock = SystemClock()) {
        self.files = files
        self.clock = clock
    }

    public var schema: OptionSchema {
        OptionSchema(
            "jsonl", "JSON lines in files with a manifest",
            [
                OutputOptions.path,
                .defaulted(
                    "compression", .word(Compression.allCases.map(\.rawValue)), .text("none"),
                    "how the files are compressed"),
                OutputOptions.targetFileSize,
                OutputOptions.maxFileAge,
            ])
    }

    public func describe(_ options: CheckedOptions) -> String {
        let compression = options.requiredText("compression")
        return "jsonl \(options.requiredText("path"))" + (compression == "none" ? "" : " (\(compression))")
    }

    public func make(_ options: CheckedOptions, _ context: SinkContext) throws(SinkError) -> any Sink {
        var settings = JSONLSettings()
        settings.compression = Compression(rawValue: options.requiredText("compression")) ?? .none
        settings.targetFileBytes = options.requiredBytes("targetFileSize")
        settings.maxFileAgeMs = options.requiredDurationMs("maxFileAge")
        settings.gatherMs = context.gatherMs
        let encoder: (any RowEncoder)? =
            if case .rows = context.input { JSONRows().makeEncoder(query: context.query ?? context.job) } else { nil }
        return try JSONLSink(
            directory: context.resolve(options.requiredText("path")), settings: settings, encoder: encoder,
            files: files, clock: clock)
    }
}
