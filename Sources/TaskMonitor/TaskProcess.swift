internal import CLinux
import Glibc
import LinuxSystem

/// A started task: its init process and the monitor's ends of the channels to it.
struct TaskProcess {
    /// First process of the task; our child, so its number is ours until it is reaped.
    let initPid: Int32
    /// Reports of the init process and the command; non-blocking.
    let report: Int32
    /// Standard output and standard error of the task; non-blocking.
    let outputs: [Int32]
    /// One byte here lets the task start.
    let gate: FileDescriptorBox

    /// Clones the init process, which then waits at the gate.
    ///
    /// - Parameters:
    ///   - spec: what the command will be.
    ///   - isolation: namespaces to make.
    /// - Returns: the process and the monitor's ends of its channels.
    /// - Throws: the call that failed; there is no process then.
    static func start(_ spec: MonitorSpec, isolation: MonitorSpec.Isolation) throws(SystemError) -> TaskProcess {
        let input = try FileDescriptor.open("/dev/null", flags: O_RDONLY)
        let output = try FileDescriptor.pipe()
        let errors = try FileDescriptor.pipe()
        let gate = try FileDescriptor.pipe()
        var monitorEnd: Int32 = -1
        var taskEnd: Int32 = -1
        guard clinux_report_channel(&monitorEnd, &taskEnd) == 0 else {
            throw SystemError(call: "socketpair", errno: errno)
        }
        let report = FileDescriptor(owning: monitorEnd)
        let taskReport = FileDescriptor(owning: taskEnd)
        guard clinux_set_nonblocking(output.reading.raw) == 0, clinux_set_nonblocking(errors.reading.raw) == 0 else {
            throw SystemError(call: "fcntl", errno: errno)
        }
        let pid = clone(
            spec, isolation, input: input.raw, output: output.writing.raw, errors: errors.writing.raw,
            report: taskReport.raw, gate: gate.reading.raw)
        guard pid > 0 else { throw SystemError(call: "clone", errno: -pid) }
        return TaskProcess(
            initPid: pid, report: report.release(),
            outputs: [output.takeReading(), errors.takeReading()],
            gate: FileDescriptorBox(gate.takeWriting()))
    }

    private static func clone(
        _ spec: MonitorSpec, _ isolation: MonitorSpec.Isolation, input: Int32, output: Int32, errors: Int32,
        report: Int32, gate: Int32
    ) -> Int32 {
        let arguments = CStringVector(spec.arguments)
        let environment = CStringVector(spec.environment.map { "\($0.name)=\($0.value)" })
        let groups = spec.credentials?.groups ?? []
        let limits = spec.resourceLimits.map {
            clinux_limit(resource: $0.resource, soft: $0.soft, hard: $0.hard)
        }
        return spec.executable.withCString { executable in
            spec.workingDirectory.withCString { directory in
                groups.withUnsafeBufferPointer { groups in
                    limits.withUnsafeBufferPointer { limits in
                        var task = clinux_task()
                        task.executable = executable
                        task.arguments = UnsafePointer(arguments.pointers)
                        task.environment = UnsafePointer(environment.pointers)
                        task.directory = directory
                        task.groups = groups.baseAddress
                        task.group_count = groups.count
                        task.limits = limits.baseAddress
                        task.limit_count = limits.count
                        task.set_credentials = spec.credentials == nil ? 0 : 1
                        task.uid = spec.credentials?.uid ?? 0
                        task.gid = spec.credentials?.gid ?? 0
                        task.namespaces = isolation.cloneFlags
                        task.input = input
                        task.output = output
                        task.errors = errors
                        task.report = report
                        task.gate = gate
                        return clinux_start_task(&task)
                    }
                }
            }
        }
    }

    /// What a failed step was about, for a person.
    static func describe(step: UInt32, errno: Int32, spec: MonitorSpec) -> String {
        let what =
            switch clinux_step(rawValue: step) {
            case CLINUX_STEP_MOUNTS: "make mounts private"
            case CLINUX_STEP_PROC: "mount /proc"
            case CLINUX_STEP_FORK: "fork the command (is the pids limit or memory limit too low?)"
            case CLINUX_STEP_SESSION: "make a session"
            case CLINUX_STEP_DESCRIPTORS: "arrange descriptors"
            case CLINUX_STEP_LIMITS: "set a resource limit"
            case CLINUX_STEP_GROUPS: "set groups"
            case CLINUX_STEP_USER: "become user \(spec.credentials?.uid ?? 0)"
            case CLINUX_STEP_DIRECTORY: "enter the working directory \(spec.workingDirectory)"
            case CLINUX_STEP_EXEC: "execute \(spec.executable)"
            default: "prepare the task"
            }
        return "could not start: \(what): \(SystemError.text(of: errno))"
    }
}

/// Holds a descriptor in a copyable value.
final class FileDescriptorBox {
    private var descriptor: Int32

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    deinit { closeNow() }

    var raw: Int32 { descriptor }

    func closeNow() {
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
    }
}

extension MonitorSpec.Isolation {
    /// `CLONE_NEW…` flags (`clone(2)`).
    var cloneFlags: Int32 {
        (contains(.pids) ? 0x2000_0000 : 0) | (contains(.mounts) ? 0x0002_0000 : 0)
            | (contains(.ipc) ? 0x0800_0000 : 0) | (contains(.uts) ? 0x0400_0000 : 0)
    }

    /// Only those that are namespaces.
    var namespaces: MonitorSpec.Isolation { intersection([.pids, .mounts, .ipc, .uts]) }
}
