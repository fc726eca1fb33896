import Glibc

/// A measured figure: a line for people, and one of JSON in the file that `BENCHMARK_JSON` names, for `scripts/bench.sh`.
func report(_ benchmark: String, _ input: String, _ figures: [(name: String, value: Double)]) {
    let text = figures.map { "\($0.name) \(rounded($0.value))" }.joined(separator: ", ")
    print("  \(input): \(text)")
    guard let path = getenv("BENCHMARK_JSON"), let file = fopen(path, "a") else { return }
    defer { fclose(file) }
    let members = figures.map { "\"\($0.name)\":\($0.value.isFinite ? $0.value : 0)" }
    fputs(
        "{\"benchmark\":\"\(benchmark)\",\"input\":\"\(input)\",\(members.joined(separator: ","))}\n", file)
}

private func rounded(_ value: Double) -> String {
    value.magnitude >= 100 ? "\(Int(value.rounded()))" : "\((value * 100).rounded() / 100)"
}
