/// Users and groups out of `/etc/passwd` and `/etc/group` (`passwd(5)`, `group(5)`).
///
/// Our own parser, because a static glibc cannot load the name service switch; users of a directory service are given
/// by number.
public struct AccountDatabase: Equatable, Sendable {
    /// A line of `/etc/passwd`.
    public struct User: Equatable, Sendable {
        /// Login name.
        public let name: String
        /// User id.
        public let uid: UInt32
        /// Primary group id.
        public let gid: UInt32
        /// Home directory.
        public let home: String
        /// Login shell.
        public let shell: String
    }

    /// A line of `/etc/group`.
    public struct Group: Equatable, Sendable {
        /// Group name.
        public let name: String
        /// Group id.
        public let gid: UInt32
        /// Names of members beside those that have it as their primary group.
        public let members: [String]
    }

    /// Why a user cannot be used.
    public enum LookupError: Error, Equatable, Sendable, CustomStringConvertible {
        /// Neither a known name nor a number.
        case unknownUser(String)

        /// What is wrong and what to do.
        public var description: String {
            switch self {
            case .unknownUser(let name): "user '\(name)' is not in /etc/passwd; add it or give a numeric user id"
            }
        }
    }

    /// All users, in the order of the file.
    public let users: [User]
    /// All groups, in the order of the file.
    public let groups: [Group]

    /// Parses the texts of the two files; lines that are not well-formed are left out, as the C library does.
    public init(passwd: String, group: String) {
        users = passwd.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: ":", omittingEmptySubsequences: false)
            guard fields.count == 7, !fields[0].isEmpty, let uid = UInt32(fields[2]), let gid = UInt32(fields[3])
            else { return nil }
            return User(
                name: String(fields[0]), uid: uid, gid: gid, home: String(fields[5]), shell: String(fields[6]))
        }
        groups = group.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: ":", omittingEmptySubsequences: false)
            guard fields.count == 4, !fields[0].isEmpty, let gid = UInt32(fields[2]) else { return nil }
            return Group(name: String(fields[0]), gid: gid, members: fields[3].split(separator: ",").map(String.init))
        }
    }

    /// Reads the files of this machine, or of a tree below `root`; a missing `group` file is an empty one.
    public init(root: String = "") throws(SystemError) {
        let group: String
        do throws(SystemError) {
            group = try readText("\(root)/etc/group", limit: 16 << 20)
        } catch {
            guard error.errno == 2 else { throw error }
            group = ""
        }
        self.init(passwd: try readText("\(root)/etc/passwd", limit: 16 << 20), group: group)
    }

    /// The user of this name, or with this number when the text is one.
    public func user(_ text: String) -> User? {
        users.first { $0.name == text } ?? UInt32(text).flatMap { uid in users.first { $0.uid == uid } }
    }

    /// What a process of this user gets: its ids and all groups that list it.
    ///
    /// - Parameter text: name or number; a number without an entry gets itself as the group.
    /// - Returns: numbers for a monitor's spec.
    /// - Throws: when there is no such user and the text is no number.
    public func credentials(of text: String) throws(LookupError) -> MonitorSpec.Credentials {
        guard let user = user(text) else {
            // The highest number is "no change" for setresuid.
            guard let uid = UInt32(text), uid != .max else { throw .unknownUser(text) }
            return MonitorSpec.Credentials(uid: uid, gid: uid)
        }
        let others = groups.filter { $0.members.contains(user.name) && $0.gid != user.gid }.map(\.gid)
        return MonitorSpec.Credentials(uid: user.uid, gid: user.gid, groups: [user.gid] + others)
    }
}
