import StreamEngine

/// `console: {rows, truncate}`.
public struct ConsoleSinkFactory: SinkFactory {
    public init() {}

    public var schema: OptionSchema {
        OptionSchema(
            "console", "a table of each emission on standard output",
            [
                .defaulted("rows", .integer(1...1_000_000), .integer(20), "rows shown of an emission"),
                .defaulted(
                    "truncate", .integer(0...100_000), .integer(40), "columns of a text cell before it is cut; 0: never"
                ),
            ])
    }

    public func describe(_ options: CheckedOptions) -> String { "console" }

    public func make(_ options: CheckedOptions, _ context: SinkContext) throws(SinkError) -> any Sink {
        ConsoleSink(rows: options.requiredInteger("rows"), truncate: options.requiredInteger("truncate"))
    }
}
