internal import CLinux
internal import Glibc

/// Readiness for a service manager, where one has started this program with NOTIFY_SOCKET (sd_notify(3)).
///
/// The manager's socket cannot be given to a container: whoever writes to it is known by a pid that the manager cannot
/// place. So the container gets a socket of its own, and this process says `READY=1` to the manager when the container
/// says so there, with the process to watch from then on. Nothing else is passed on.
final class NotifySocket {
    private static let variable = "NOTIFY_SOCKET"
    private static let place = "/run/notify"
    private static let file = "notify.sock"
    private static let longestMessage = 4_096
    private static let acknowledgeMilliseconds: Int32 = 30_000

    /// Where the container writes; readable when there is something.
    let descriptor: OpenFile
    private let manager: String
    private(set) var isDone = false

    /// Makes the socket's directory, and has the container see it.
    static func prepare(_ config: inout ContainerConfig, in directory: String) throws(RuntimeFailure) {
        guard GlobalOptions.Surroundings.variable(variable) != nil else { return }
        let path = directory + "/notify"
        if mkdir(path, 0o755) != 0 { throw RuntimeFailure("mkdir \(path)", errno: errno) }
        chmod(path, 0o755)
        config.mounts.append(
            MountConfig(
                destination: place, type: "bind", source: path, options: ["bind", "nosuid", "noexec", "nodev", "ro"]))
        config.process?.env.removeAll { $0.hasPrefix(variable + "=") }
        config.process?.env.append("\(variable)=\(place)/\(file)")
    }

    /// Takes messages from now on; nil when nobody wants to know, or the container was made without.
    init?(in directory: String) throws(RuntimeFailure) {
        guard let manager = GlobalOptions.Surroundings.variable(Self.variable) else { return nil }
        let opened = Kernel.open(directory + "/notify", Kernel.path | Kernel.directory)
        if opened == -Int(ENOENT) { return nil }
        let place = try OpenFile(opened, "cannot open \(directory)/notify")
        self.manager = manager
        descriptor = try Sockets.datagram()
        // Through the descriptor, because the name of a socket is short.
        let path = Kernel.link(place.raw) + "/" + Self.file
        // Of a start that failed.
        unlink(path)
        try check(Sockets.bind(descriptor, to: path), "cannot make the socket \(directory)/notify/\(Self.file)")
        chmod(path, 0o777)
    }

    /// Reads what has come; tells the manager once the container is ready. What goes wrong with the manager is no
    /// reason to end a container.
    func handle(mainPid: Int32, warn: (String) -> Void) {
        var buffer = [UInt8](repeating: 0, count: Self.longestMessage)
        while !isDone {
            let count = buffer.withUnsafeMutableBytes {
                Kernel.call(
                    SYS_recvfrom, Int(descriptor.raw), Int(bitPattern: $0.baseAddress), $0.count,
                    0x40)  // MSG_DONTWAIT
            }
            if count == -Int(EINTR) { continue }
            guard count >= 0 else { return }
            let lines = buffer[..<count].split(separator: UInt8(ascii: "\n"))
            guard let line = lines.first(where: { $0.starts(with: Array("READY=".utf8)) }) else { continue }
            isDone = true
            do throws(RuntimeFailure) {
                try tell(Array(line), mainPid)
            } catch {
                warn("cannot tell the service manager that the container is ready: \(error.message)")
            }
        }
    }

    /// Waits until the container is ready or has ended.
    func wait(for record: ContainerRecord, warn: (String) -> Void) {
        guard let process = record.openInit().map({ OpenFile($0) }) else { return }
        while !isDone {
            var waits = [
                pollfd(fd: descriptor.raw, events: Int16(POLLIN), revents: 0),
                pollfd(fd: process.raw, events: Int16(POLLIN), revents: 0),
            ]
            if poll(&waits, 2, -1) < 0, errno != EINTR { return }
            if waits[0].revents != 0 { handle(mainPid: record.initPid, warn: warn) }
            if waits[1].revents != 0 { return }
        }
    }

    private func tell(_ ready: [UInt8], _ pid: Int32) throws(RuntimeFailure) {
        let socket = try Sockets.datagram()
        try check(Sockets.connect(socket, to: manager), "cannot connect to \(manager)")
        for text in [ready + [UInt8(ascii: "\n")], Array("MAINPID=\(pid)\n".utf8)] {
            let code = text.withUnsafeBytes { clinux_send_descriptor(socket.raw, $0.baseAddress, $0.count, -1) }
            try check(Int(code), "cannot write to \(manager)")
        }
        // The manager closes this pipe when it has read all that; before, it could take our end for a failure.
        var reading: Int32 = -1
        var writing: Int32 = -1
        guard clinux_pipe(&reading, &writing) == 0 else { throw RuntimeFailure("cannot make a pipe", errno: errno) }
        let barrier = OpenFile(reading)
        let text = Array("BARRIER=1".utf8)
        let code = text.withUnsafeBytes { clinux_send_descriptor(socket.raw, $0.baseAddress, $0.count, writing) }
        Kernel.close(writing)
        try check(Int(code), "cannot write to \(manager)")
        var wait = pollfd(fd: barrier.raw, events: 0, revents: 0)
        while poll(&wait, 1, Self.acknowledgeMilliseconds) < 0, errno == EINTR {}
    }
}
