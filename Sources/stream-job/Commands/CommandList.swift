/// Every command, in the order of `--help`.
enum CommandList {
    static let all: [Command] = [
        .run, .replay, .backtest, .diff, .validate, .explain, .doctor, .checkpoint, .generate, .broker, .demo, .docs,
    ]

    /// The command of this name.
    static func named(_ name: String) -> Command? { all.first { $0.name == name } }
}
