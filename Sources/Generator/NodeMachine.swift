import Glibc

/// What node_exporter tells of a node: CPUs, memory, file systems.
struct NodeMachine: NodePart {
    private static let cpus = 2
    private static let modes = ["idle", "user", "system", "iowait"]
    private static let gibibyte = 1_073_741_824.0

    let series: [GeneratedSeries]
    /// Seconds by CPU and mode.
    private var seconds = [Double](repeating: 0, count: cpus * modes.count)
    /// This node's usual work, 0..<1.
    private let baseLoad: Double
    /// Slow noise on it.
    private var drift = 0.0
    private var availableDisk: Double

    init(instance: String, _ random: inout SeededRandom) {
        var all = [GeneratedSeries("up", .gauge, [("instance", instance), ("job", "node")])]
        for cpu in 0..<Self.cpus {
            for mode in Self.modes {
                all.append(
                    GeneratedSeries(
                        "node_cpu_seconds_total", .counter,
                        [("instance", instance), ("job", "node"), ("cpu", "\(cpu)"), ("mode", mode)]))
            }
        }
        let node = [("instance", instance), ("job", "node")]
        all.append(GeneratedSeries("node_load1", .gauge, node))
        all.append(GeneratedSeries("node_memory_MemTotal_bytes", .gauge, node))
        all.append(GeneratedSeries("node_memory_MemAvailable_bytes", .gauge, node))
        all.append(
            GeneratedSeries(
                "node_filesystem_avail_bytes", .gauge,
                node + [("device", "/dev/sda1"), ("fstype", "ext4"), ("mountpoint", "/")]))
        all.append(
            GeneratedSeries(
                "node_filesystem_avail_bytes", .gauge,
                node + [("device", "tmpfs"), ("fstype", "tmpfs"), ("mountpoint", "/run")]))
        series = all
        baseLoad = 0.15 + 0.2 * random.uniform()
        availableDisk = (40 + 40 * random.uniform()) * Self.gibibyte
        // Counters of a machine that has been up for some days.
        let age = 100_000 + 400_000 * random.uniform()
        for index in seconds.indices {
            seconds[index] = age * [1 - baseLoad, 0.7 * baseLoad, 0.25 * baseLoad, 0.05 * baseLoad][index % 4]
        }
    }

    mutating func advance(
        seconds elapsed: Double, _ condition: NodeCondition, _ random: inout SeededRandom, _ out: inout [Double]
    ) {
        // Busiest in the afternoon.
        let daily = 0.12 * sin(2 * Double.pi * (condition.timeOfDay - 0.375))
        let keep = exp(-elapsed / 120)
        drift = drift * keep + 0.03 * (1 - keep * keep).squareRoot() * random.noise()
        let usual = max(0.03, baseLoad + daily + drift)
        let load = condition.slowdown > 1 ? 0.93 + 0.01 * random.noise() : min(0.9, usual)
        out.append(1)
        for cpu in 0..<Self.cpus {
            let busy = min(0.995, max(0.01, load + 0.015 * random.noise()))
            let shares = [1 - busy, 0.7 * busy, 0.25 * busy, 0.05 * busy]
            for mode in 0..<4 {
                seconds[cpu * 4 + mode] += elapsed * shares[mode]
                out.append(seconds[cpu * 4 + mode])
            }
        }
        out.append(Double(Self.cpus) * load * (1 + 0.1 * random.noise()) + (condition.slowdown > 1 ? 4 : 0))
        out.append(16 * Self.gibibyte)
        let used = 5 + 1.5 * daily / 0.12 + 0.1 * random.noise() + 10 * condition.leak
        out.append(max(0.2, 16 - used) * Self.gibibyte)
        availableDisk -= elapsed * 30_000 * (1 + 0.2 * random.noise())
        // A clean-up makes room again.
        if availableDisk < 5 * Self.gibibyte { availableDisk = 60 * Self.gibibyte }
        out.append(availableDisk.rounded())
        out.append((1.6 * Self.gibibyte).rounded())
    }

    mutating func restart() {
        for index in seconds.indices { seconds[index] = 0 }
    }
}
