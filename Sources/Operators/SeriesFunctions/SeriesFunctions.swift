import StreamEngine

/// The per-series functions, in the order of the reference.
public enum SeriesFunctions {
    /// Every per-series function. Adding one is one file beside this one and one line here.
    public static let all: [any SeriesFunction.Type] = []

    /// The function of this name.
    public static func named(_ name: String) -> (any SeriesFunction.Type)? {
        all.first { $0.name == name }
    }
}
