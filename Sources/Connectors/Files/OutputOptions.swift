import StreamEngine

/// The options that all outputs in files share.
enum OutputOptions {
    static let path = OptionKey.required(
        "path", .text(.path), "the directory; relative ones lie under the working or output directory")
    static let targetFileSize = OptionKey.defaulted(
        "targetFileSize", .positiveSize, .size(128 << 20), "a file of this size is full")
    static let maxFileAge = OptionKey.defaulted(
        "maxFileAge", .positiveDuration, .duration(600_000), "a file this old is full")
}
