import Platform
import StreamEngine

/// `parquet: {path, compression, level, partitionBy, targetFileSize, maxFileAge}`.
public struct ParquetSinkFactory: SinkFactory {
    private let files: any FileSystem
    private let clock: any Clock

    /// Sinks that write through `files`.
    public init(files: any FileSystem = PosixFileSystem(), clock: any Clock = SystemClock()) {
        self.files = files
        self.clock = clock
    }

    public var schema: OptionSchema {
        OptionSchema(
            "parquet", "Parquet files with a manifest",
            [
                OutputOptions.path,
                .defaulted(
                    "compression", .word(["none", "snappy", "lz4", "zstd"]), .text("zstd"),
                    "how pages are compressed"),
                .defaulted("level", .integer(1...19), .integer(3), "zstd's level: higher is smaller and slower"),
                .defaulted(
                    "partitionBy", .list(.text(.column)), .list([]),
                    "key columns whose values are folders (`node=a/`), in this order"),
                OutputOptions.targetFileSize,
                OutputOptions.maxFileAge,
            ])
    }

    public var outputModes: Set<OutputMode> { [.append] }
    public var takesDocuments: Bool { false }
    public var needsFixedColumns: Bool { true }

    public func describe(_ options: CheckedOptions) -> String {
        let folders = options.texts("partitionBy")
        return "parquet \(options.requiredText("path")) (\(options.requiredText("compression")))"
            + (folders.isEmpty ? "" : ", by \(folders.joined(separator: ", "))")
    }

    public func make(_ options: CheckedOptions, _ context: SinkContext) throws(SinkError) -> any Sink {
        guard case .rows(let schema) = context.input else { throw SinkError("parquet takes rows only") }
        var settings = ParquetSinkSettings()
        settings.files.compression =
            switch options.requiredText("compression") {
            case "none": .none
            case "snappy": .snappy
            case "lz4": .lz4
            default: .zstd(level: options.requiredInteger("level"))
            }
        settings.partitionBy = options.texts("partitionBy")
        settings.targetFileBytes = options.requiredBytes("targetFileSize")
        settings.maxFileAgeMs = options.requiredDurationMs("maxFileAge")
        settings.isGathering = context.gatherMs > 0
        return try ParquetSink(
            directory: context.resolve(options.requiredText("path")), schema: schema, job: context.job,
            query: context.query ?? context.job, settings: settings, files: files, clock: clock)
    }
}
