import Testing

@testable import StreamEngine

@Suite struct SliceTurnsTests {
    @Test func eachTaskHasOneTurnTheOneFurthestBehindFirst() {
        let turns = SliceTurns(newestMs: [30, 10, 20], others: 0, goesOn: false)
        var order: [Int] = []
        while let (task, isContinued) = turns.take() {
            #expect(!isContinued)
            order.append(task)
            turns.give(task, newestMs: 0, mayGoOn: true)
        }
        #expect(order == [1, 2, 0])
    }

    @Test func noTaskIsTakenTwiceAtOnce() {
        let turns = SliceTurns(newestMs: [0, 0], others: 1, goesOn: true)
        let first = turns.take()?.task
        let second = turns.take()?.task
        #expect(first != nil && second != nil && first != second)
        #expect(turns.take() == nil)
    }

    @Test func threadsGoOnWhileOthersAreAtWorkAndKeepTasksTogether() {
        let turns = SliceTurns(newestMs: [0, 0], others: 1, goesOn: true)
        var newestMs: [Int64] = [0, 0]
        var count = 0
        while count < 20, let (task, isContinued) = turns.take() {
            #expect(isContinued == (count >= 2))
            // One task's time passes three times as fast.
            newestMs[task] += task == 0 ? 30 : 10
            turns.give(task, newestMs: newestMs[task], mayGoOn: true)
            count += 1
        }
        #expect(count == 20)
        #expect(abs(newestMs[0] - newestMs[1]) <= 30)
        turns.endOther()
        #expect(turns.take() == nil)
    }

    @Test func tasksThatMayNotGoOnAndLongSlicesEnd() {
        let turns = SliceTurns(newestMs: [0, 0], others: 1, goesOn: true)
        var counts = [0, 0]
        while let (task, _) = turns.take() {
            counts[task] += 1
            turns.give(task, newestMs: 0, mayGoOn: task == 1)
        }
        #expect(counts[0] == 1)
        #expect(counts[1] == 64)
    }
}
