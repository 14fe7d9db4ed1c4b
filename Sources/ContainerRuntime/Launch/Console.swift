internal import CLinux
internal import Glibc

/// The terminal of a container: made inside, its master side handed to who asked for it.
enum Console {
    /// Makes a terminal on the container's own devpts, makes it the process's controlling terminal and standard
    /// streams, and sends the master.
    static func open(
        in root: RootDirectory, process: ProcessConfig, sendTo socket: Int32, bindConsole: Bool, isRelayed: Bool
    ) throws(RuntimeFailure) {
        let noControl = O_NOCTTY
        let master = try OpenFile(
            Kernel.openInRoot(root.file.raw, "dev/pts/ptmx", O_RDWR | noControl),
            "cannot open a terminal; is devpts mounted at /dev/pts in the container?")
        // Something else mounted there must not pass for a terminal.
        guard Kernel.filesystem(master.raw) == 0x1cd1 else {
            throw RuntimeFailure("/dev/pts/ptmx of the container is not on devpts")
        }
        var unlocked: Int32 = 0
        try check(Int(clinux_ioctl(master.raw, 0x4004_5431, &unlocked)), "cannot unlock the terminal")  // TIOCSPTLCK
        var number: UInt32 = 0
        try check(Int(clinux_ioctl(master.raw, 0x8004_5430, &number)), "cannot tell the terminal's number")  // TIOCGPTN
        let getPeer = 0x5441
        let slave = try OpenFile(
            Kernel.call(SYS_ioctl, Int(master.raw), getPeer, Int(O_RDWR | noControl | Kernel.closeOnExec)),
            "cannot open the other side of the terminal")
        if isRelayed { try keepLineFeeds(of: slave.raw) }
        if let size = process.consoleSize {
            var window: (UInt16, UInt16, UInt16, UInt16) = (
                UInt16(clamping: size.height), UInt16(clamping: size.width), 0, 0
            )
            try check(Int(clinux_ioctl(master.raw, 0x5414, &window)), "cannot set the terminal's size")  // TIOCSWINSZ
        }
        try check(
            Kernel.changeOwner(slave.raw, "", uid: Int(process.user.uid), gid: -1), "cannot give the terminal away")
        let name = Array("/dev/pts/\(number)".utf8)
        let sent = name.withUnsafeBytes { clinux_send_descriptor(socket, $0.baseAddress, $0.count, master.raw) }
        try check(Int(sent), "cannot hand the terminal to the console socket")
        Kernel.close(socket)
        if bindConsole {
            let target = try root.regularFile("/dev/console")
            let tree = try OpenFile(
                Kernel.cloneTree(slave.raw, "", recursive: false), "cannot bind the terminal at /dev/console")
            try check(Kernel.attach(tree.raw, to: target.raw), "cannot bind the terminal at /dev/console")
        }
        for standard in 0...2 {
            try check(Kernel.call(SYS_dup3, Int(slave.raw), standard, 0), "cannot use the terminal")
        }
        try check(Int(clinux_ioctl(0, 0x540e, nil)), "cannot make the terminal the controlling one")  // TIOCSCTTY
    }
}

extension Console {
    /// The terminal that the relay writes to turns line feeds into new lines; twice would be once too often. Done here,
    /// so that not even the program's first word is written before.
    private static func keepLineFeeds(of terminal: Int32) throws(RuntimeFailure) {
        var settings = termios()
        guard tcgetattr(terminal, &settings) == 0 else {
            throw RuntimeFailure("cannot read the terminal", errno: errno)
        }
        settings.c_oflag &= ~tcflag_t(ONLCR)
        guard tcsetattr(terminal, TCSANOW, &settings) == 0 else {
            throw RuntimeFailure("cannot set up the terminal", errno: errno)
        }
    }
}

enum Sockets {
    /// Hands a pidfd of a process to a socket's owner.
    static func sendProcess(_ pid: Int32, as name: String, to path: String) throws(RuntimeFailure) {
        let process = try OpenFile(Kernel.call(SYS_pidfd_open, Int(pid), 0), "cannot open process \(pid)")
        let socket = try connect(path)
        let bytes = Array(name.utf8)
        let sent = bytes.withUnsafeBytes {
            clinux_send_descriptor(socket.raw, $0.baseAddress, $0.count, process.raw)
        }
        try check(Int(sent), "cannot hand the pidfd to \(path)")
    }

    /// Connects to a stream socket of the file system, or of the abstract namespace (unix(7)).
    ///
    /// `milliseconds`: how long to wait for whoever listens there, and for each write later; 0 for ever.
    static func connect(
        _ path: String, isAbstract: Bool = false, milliseconds: Int64 = 0
    ) throws(RuntimeFailure) -> OpenFile {
        let socket = try make(Int(SOCK_STREAM.rawValue))
        if milliseconds > 0 {
            var limit = timeval(tv_sec: Int(milliseconds / 1000), tv_usec: Int(milliseconds % 1000 * 1000))
            setsockopt(socket.raw, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        let name = isAbstract ? "@" + path : path.hasPrefix("@") ? "./" + path : path
        try check(connect(socket, to: name), "cannot connect to the socket \(path)")
        return socket
    }

    static func datagram() throws(RuntimeFailure) -> OpenFile { try make(Int(SOCK_DGRAM.rawValue)) }

    /// A path, or with `@` in front a name that is in no file system. Returns 0 or `-errno`.
    static func connect(_ socket: OpenFile, to path: String) -> Int {
        withAddress(path) { Kernel.call(SYS_connect, Int(socket.raw), $0, $1) }
    }

    /// Returns 0 or `-errno`.
    static func bind(_ socket: OpenFile, to path: String) -> Int {
        withAddress(path) { Kernel.call(SYS_bind, Int(socket.raw), $0, $1) }
    }

    private static func make(_ kind: Int) throws(RuntimeFailure) -> OpenFile {
        try OpenFile(
            Kernel.call(SYS_socket, Int(AF_UNIX), kind | Int(Kernel.closeOnExec), 0), "cannot open a socket")
    }

    private static func withAddress(_ path: String, _ body: (Int, Int) -> Int) -> Int {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var bytes = Array(path.utf8)
        guard !bytes.contains(0) else { return -Int(EINVAL) }
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return -Int(ENAMETOOLONG) }
        let isAbstract = bytes.first == UInt8(ascii: "@")
        if isAbstract { bytes[0] = 0 }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let size = isAbstract ? 2 + bytes.count : MemoryLayout<sockaddr_un>.size
        return withUnsafePointer(to: &address) { body(Int(bitPattern: $0), size) }
    }
}
