import Testing

@testable import StreamEngine

@Suite struct SliceTurnsTests {
    private func standing(
        _ newestMs: Int64 = 0, frozen: Int = 0, older: Int = 0, mayGoOn: Bool = true, hasWindows: Bool = true
    ) -> SliceTurns.Standing {
        SliceTurns.Standing(
            newestMs: newestMs, frozenBytes: (frozen, older), mayGoOn: mayGoOn, hasWindows: hasWindows)
    }

    @Test func eachTaskHasOneTurnTheOneFurthestBehindFirst() {
        let turns = SliceTurns(newestMs: [30, 10, 20], hasOther: false, goesOn: false)
        var order: [Int] = []
        while let (task, isContinued) = turns.take() {
            #expect(!isContinued)
            order.append(task)
            turns.give(task, standing())
        }
        #expect(order == [1, 2, 0])
    }

    @Test func noTaskIsTakenTwiceAtOnce() {
        let turns = SliceTurns(newestMs: [0, 0], hasOther: true, goesOn: true)
        let first = turns.take()?.task
        let second = turns.take()?.task
        #expect(first != nil && second != nil && first != second)
        #expect(turns.take() == nil)
    }

    @Test func threadsKeepTasksTogetherUntilAllHaveFrozenWindows() {
        let turns = SliceTurns(newestMs: [0, 0], hasOther: false, goesOn: true)
        var newestMs: [Int64] = [0, 0]
        var count = 0
        while let (task, isContinued) = turns.take() {
            #expect(isContinued == (count >= 2))
            // One task's time passes three times as fast.
            newestMs[task] += task == 0 ? 30 : 10
            #expect(abs(newestMs[0] - newestMs[1]) <= 30)
            turns.give(task, standing(newestMs[task], frozen: newestMs[task] >= 300 ? 1 << 20 : 1000))
            count += 1
        }
        #expect(newestMs.allSatisfy { $0 >= 300 && $0 <= 330 })
    }

    @Test func otherWorkIsWaitedForWithWork() {
        let turns = SliceTurns(newestMs: [0, 0], hasOther: true, goesOn: true)
        for _ in 0..<20 {
            guard let (task, _) = turns.take() else {
                Issue.record("a thread waits")
                return
            }
            turns.give(task, standing(frozen: 1 << 20))
        }
        turns.endOther()
        #expect(turns.take() == nil)
    }

    @Test func tasksThatMayNotGoOnOrHoldMuchAndLongSlicesEnd() {
        let turns = SliceTurns(newestMs: [0, 0, 0], hasOther: true, goesOn: true)
        var counts = [0, 0, 0]
        while let (task, _) = turns.take() {
            counts[task] += 1
            turns.give(
                task, standing(frozen: 1 << 20, older: task == 1 && counts[1] > 2 ? 1 << 20 : 0, mayGoOn: task != 0))
        }
        #expect(counts == [1, 3, 255])
    }
}
