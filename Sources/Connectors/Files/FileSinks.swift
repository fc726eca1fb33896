import StreamEngine

/// The sinks that need no cluster.
public enum FileSinks {
    /// In the order in which documentation lists them.
    public static let all: [any SinkFactory] = [ConsoleSinkFactory(), JSONLSinkFactory(), ParquetSinkFactory()]
}
