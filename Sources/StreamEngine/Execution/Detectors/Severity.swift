/// The ladder that events move a severity on (`action: lower | raise`).
enum Severity {
    static let ladder = ["info", "warning", "critical"]

    /// `severity` moved so many steps up or down, held at the ends; a word that is not on the ladder stays.
    static func moved(_ severity: String, by steps: Int8) -> String {
        guard let place = ladder.firstIndex(of: severity) else { return severity }
        return ladder[min(max(place + Int(steps), 0), ladder.count - 1)]
    }
}
