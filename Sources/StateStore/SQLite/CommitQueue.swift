import Glibc
import Synchronization

/// A write that waits for the writer thread, and whom to answer.
enum WriteJob: Sendable {
    typealias Reply<Value: Sendable> = CheckedContinuation<Result<Value, StoreError>, Never>

    case commit([StoreTransaction], bytes: Int, Reply<[StoreOutcome]>)
    case grantLease(Int64, ttl: Duration, now: Duration, Reply<Void>)
    case revokeLease(Int64, Reply<Revision>)
    case expireLeases(now: Duration, Reply<[LeaseID]>)
    case compact(upTo: Int64, Reply<Void>)
    case probe(Reply<Void>)
    case close(Reply<Void>)

    var bytes: Int {
        if case .commit(_, let bytes, _) = self { bytes } else { 64 }
    }

    func fail(_ error: StoreError) {
        switch self {
        case .commit(_, _, let reply): reply.resume(returning: .failure(error))
        case .revokeLease(_, let reply): reply.resume(returning: .failure(error))
        case .expireLeases(_, let reply): reply.resume(returning: .failure(error))
        case .grantLease(_, _, _, let reply), .compact(_, let reply), .probe(let reply), .close(let reply):
            reply.resume(returning: .failure(error))
        }
    }
}

/// Hands jobs to the writer thread: what gathered while one commit was flushed becomes the next commit.
///
/// It is also the way for tasks that prefer to run on that thread, see ``StateStore/executor``: between commits the
/// thread does what they have to do.
final class CommitQueue: TaskExecutor, @unchecked Sendable {
    /// What the writer does next: the tasks, then the jobs as one group.
    struct Work {
        var tasks: [UnownedJob]
        var jobs: [WriteJob]
    }

    /// The most jobs that wait; each is a caller that waits, too.
    static let mostWaiting = 10_000
    /// A group ends with the job that reaches this.
    private static let groupBytes = 4 * 1024 * 1024

    /// How long the writer looks for the next job before it sleeps. Who commits one thing after the other comes back
    /// within this time, and waking a sleeping thread would take a third of a commit. An idle store never looks.
    private static let patienceNanoseconds = 40_000

    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    /// Whether there is something to do, readable without the mutex.
    private let hasWork = Atomic(false)
    private var hasWorked = false  // the writer's own
    // Guarded by the mutex.
    private var jobs: [WriteJob] = []
    private var tasks: [UnownedJob] = []
    private var hasEnded = false
    private var isAsleep = false

    init() {
        mutex = .allocate(capacity: 1)
        condition = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    func push(_ job: WriteJob) {
        pthread_mutex_lock(mutex)
        let refusal: StoreError? =
            hasEnded ? .closed : jobs.count >= Self.mostWaiting ? .overloaded(waiting: jobs.count) : nil
        if refusal == nil {
            jobs.append(job)
            hasWork.store(true, ordering: .relaxed)
        }
        let mustWake = isAsleep
        pthread_mutex_unlock(mutex)
        if mustWake { pthread_cond_signal(condition) }
        if let refusal { job.fail(refusal) }
    }

    /// A task wants to go on; after the end of the store it does so on the threads that all tasks share.
    func enqueue(_ job: consuming ExecutorJob) {
        let task = UnownedJob(job)
        pthread_mutex_lock(mutex)
        let isTaken = !hasEnded
        if isTaken {
            tasks.append(task)
            hasWork.store(true, ordering: .relaxed)
        }
        let mustWake = isAsleep
        pthread_mutex_unlock(mutex)
        if !isTaken { return globalConcurrentExecutor.enqueue(ExecutorJob(task)) }
        if mustWake { pthread_cond_signal(condition) }
    }

    /// Waits for work. Returns the tasks and the jobs that fit into one group, `nil` when the queue has ended and is
    /// empty.
    func take() -> Work? {
        if hasWorked { lookAround() }
        hasWorked = true
        pthread_mutex_lock(mutex)
        defer {
            hasWork.store(!jobs.isEmpty, ordering: .relaxed)
            pthread_mutex_unlock(mutex)
        }
        while jobs.isEmpty, tasks.isEmpty {
            if hasEnded { return nil }
            isAsleep = true
            pthread_cond_wait(condition, mutex)
            isAsleep = false
        }
        var bytes = 0
        var count = 0
        while count < jobs.count, bytes < Self.groupBytes {
            bytes += jobs[count].bytes
            count += 1
        }
        defer {
            tasks = []
            if count == jobs.count { jobs = [] } else { jobs.removeSubrange(..<count) }
        }
        return Work(tasks: tasks, jobs: count == jobs.count ? jobs : Array(jobs[..<count]))
    }

    private func lookAround() {
        var start = timespec()
        clock_gettime(CLOCK_MONOTONIC, &start)
        var time = start
        while !hasWork.load(ordering: .relaxed) {
            clock_gettime(CLOCK_MONOTONIC, &time)
            let passed = (time.tv_sec - start.tv_sec) * 1_000_000_000 + (time.tv_nsec - start.tv_nsec)
            if passed > Self.patienceNanoseconds { return }
        }
    }

    /// Refuses further jobs; the writer still does those that wait.
    func end() {
        pthread_mutex_lock(mutex)
        hasEnded = true
        pthread_cond_signal(condition)
        pthread_mutex_unlock(mutex)
    }
}
