/// What cAdvisor tells of the containers on a node: their memory.
struct NodeContainers: NodePart {
    let series: [GeneratedSeries]
    private let usualBytes: [Double]

    init(node: Int, _ random: inout SeededRandom) {
        let letters = Array("bcdfghjklmnpqrstvwxz2456789")
        func suffix(_ count: Int, _ random: inout SeededRandom) -> String {
            String((0..<count).map { _ in letters[Int(random.next() % UInt64(letters.count))] })
        }
        let deployments = [("shop", "api"), ("shop", "worker"), ("data", "spark-executor")]
        var all: [GeneratedSeries] = []
        var usual: [Double] = []
        for (place, (namespace, name)) in deployments.enumerated() {
            // A Deployment's pods share the hash of its pod template.
            let hash = ["7d9f8b6c5d", "6b8c9d4f7f", "5f7d8c9b64"][place]
            let pod = "\(name)-\(hash)-\(suffix(5, &random))"
            all.append(
                GeneratedSeries(
                    "container_memory_working_set_bytes", .gauge,
                    [
                        ("instance", "node-\(node + 1):10250"), ("namespace", namespace), ("pod", pod),
                        ("container", name),
                    ]))
            usual.append((200 + 300 * random.uniform()) * 1_048_576)
        }
        series = all
        usualBytes = usual
    }

    mutating func advance(
        seconds: Double, _ condition: NodeCondition, _ random: inout SeededRandom, _ out: inout [Double]
    ) {
        for (place, usual) in usualBytes.enumerated() {
            // The first one is what leaks.
            let leaked = place == 0 ? 10 * condition.leak * 1_073_741_824 : 0
            out.append((usual * (1 + 0.03 * random.noise()) + leaked).rounded())
        }
    }

    mutating func restart() {}
}
