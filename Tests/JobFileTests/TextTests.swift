import StreamEngine
import Testing

@Suite struct TextTests {
    @Test(
        arguments: [
            ("250ms", 250), ("10s", 10_000), ("5m", 300_000), ("1h", 3_600_000), ("1d", 86_400_000),
            ("1w", 604_800_000),
            ("1m30s", 90_000), ("0", 0), ("0s", 0), ("-10s", -10_000), ("36500d", 3_153_600_000_000),
            ("1w1d1h1m1s1ms", 694_861_001),
        ] as [(String, Int64)])
    func durations(_ text: String, _ ms: Int64) {
        #expect(DurationText.parseMs(text) == ms)
        #expect(DurationText.parseMs(DurationText.compact(ms)) == ms)
    }

    @Test(arguments: [
        "", "-", "10", "s", "1.5s", "10 s", "1s1m", "1s1s", "5min", "1m-30s", "+5s", "٣s", "99999999999999999999s",
        "3650001d", "1us",
    ])
    func noDurations(_ text: String) { #expect(DurationText.parseMs(text) == nil) }

    @Test(
        arguments: [
            ("0", 0), ("65536", 65_536), ("64KiB", 65_536), ("128MiB", 134_217_728), ("1GiB", 1_073_741_824),
        ] as [(String, Int64)])
    func sizes(_ text: String, _ bytes: Int64) {
        #expect(SizeText.parseBytes(text) == bytes)
        #expect(SizeText.parseBytes(SizeText.compact(bytes)) == bytes)
    }

    @Test(arguments: ["", "KiB", "1.5GiB", "-1", "1 KiB", "64KB", "64kib", "9999999999999GiB", "99999999999999999999"])
    func noSizes(_ text: String) { #expect(SizeText.parseBytes(text) == nil) }

    @Test(
        arguments: [
            ("promethues", "prometheus"), ("mean", "avg"), ("slid", "slide"), ("Avg", "avg"), ("xyz", nil), ("", nil),
        ] as [(String, String?)])
    func nearest(_ typed: String, _ meant: String?) {
        #expect(Suggestion.nearest(typed, among: ["prometheus", "avg", "slide", "a"]) == meant)
    }
}
