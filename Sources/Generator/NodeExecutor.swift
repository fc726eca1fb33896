/// What a Spark driver tells of the executor on a node (`/metrics/executors/prometheus`).
struct NodeExecutor: NodePart {
    let series: [GeneratedSeries]
    private let tasksPerSecond: Double
    private var completed = 0.0
    private var failed = 0.0
    private var gcSeconds = 0.0
    private var runSeconds = 0.0

    init(node: Int, _ random: inout SeededRandom) {
        let application = node % 2
        let own = [
            ("application_id", "app-2026010100000\(application)-0001"),
            ("application_name", application == 0 ? "etl" : "reports"), ("executor_id", "\(node + 1)"),
        ]
        series = [
            "metrics_executor_completedTasks_total", "metrics_executor_failedTasks_total",
            "metrics_executor_totalGCTime_seconds_total", "metrics_executor_totalDuration_seconds_total",
        ].map { GeneratedSeries($0, .counter, own) }
        tasksPerSecond = 3 + 2 * random.uniform()
    }

    mutating func advance(
        seconds: Double, _ condition: NodeCondition, _ random: inout SeededRandom, _ out: inout [Double]
    ) {
        let tasks = max(
            0,
            seconds * tasksPerSecond * condition.taskFactor / condition.slowdown
                * (1 + 0.15 * random.noise()))
        completed += tasks
        failed += tasks * 0.005
        let running = min(4, tasksPerSecond * condition.taskFactor) * seconds
        runSeconds += running
        gcSeconds += running * (0.02 + 0.3 * condition.leak) * (1 + 0.2 * random.noise())
        out.append(completed.rounded(.down))
        out.append(failed.rounded(.down))
        out.append(gcSeconds)
        out.append(runSeconds)
    }

    mutating func restart() {
        completed = 0
        failed = 0
        gcSeconds = 0
        runSeconds = 0
    }
}
