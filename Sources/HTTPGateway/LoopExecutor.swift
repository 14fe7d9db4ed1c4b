internal import NIOCore

/// Runs tasks on the thread of an event loop.
///
/// A request that is read, decided and answered on the thread of its connection changes threads only where it has to
/// wait for somebody else. Each change of threads that is saved is a wake-up by the kernel; with short handlers those
/// cost more than the handlers do.
final class LoopExecutor: TaskExecutor {
    private let loop: any EventLoop

    init(_ loop: any EventLoop) { self.loop = loop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        loop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
