import Access
import ClusterModel
import Testing

/// A rule that is known to be one.
private func rule(_ text: String) -> AccessRule {
    do { return try AccessRule(text) } catch {
        preconditionFailure("\(text) is no rule")
    }
}

/// Whoever decides is wrong in two ways; the tables name every pair of somebody and something.
@Suite("Who may do what")
struct PolicyTests {
    private static let web = RoleName("web")
    private static let webShop = RoleName("web/shop")
    private static let website = RoleName("website")
    private static let everyone = RoleName.everyone

    /// One action of every kind, some of them with several objects.
    static let actions: [Action] =
        [everyone, web, webShop, website].flatMap { role -> [Action] in
            [
                .registerFramework(role), .tearDownFramework(role), .killTask(role), .execute(role), .reserve(role),
                .setWeight(role), .setQuota(role), .installPackage(role),
            ] + Action.View.allCases.map { .view($0, of: role) }
        } + Action.View.allCases.map { .view($0, of: nil) }
        + Action.NodeChange.allCases.flatMap { [.changeNode($0, "n1"), .changeNode($0, "n2")] }
        + Action.SecretUse.allCases.flatMap {
            [.secret($0, path: "web/key"), .secret($0, path: "website/key"), .secret($0, path: "web")]
        } + ["", "0", "00", "+0", "-0", "root", "root:root", "0:1", "nobody", "alice", "www-data"].map { .runAs($0) }
        + [
            .execute(nil), .takePart(.agent), .takePart(.master), .manageJoinTokens(.agent),
            .manageJoinTokens(.master), .manageKeys, .manageUsers, .manageAccount("alice"), .manageAccount("bob"),
            .changeCatalog, .readAudit,
        ]

    private func allowed(_ caller: Caller, _ grants: Grants = .none) -> Set<String> {
        Set(
            Self.actions.filter { AccessPolicy.decide(caller, grants, $0).isAllowed }
                .map { $0.verb + ":" + $0.object })
    }

    private var everything: Set<String> { Set(Self.actions.map { $0.verb + ":" + $0.object }) }

    @Test func `every right is in the tables, and every verb in the list of verbs`() {
        #expect(Set(Self.actions.map(\.verb)) == Set(AccessRule.verbs))
        #expect(AccessRule.verbs == AccessRule.verbs.sorted())
        #expect(Set(AccessRule.verbs).count == AccessRule.verbs.count)
    }

    @Test func `root and administrators may do everything, nobody may do nothing`() {
        #expect(allowed(.root) == everything)
        #expect(allowed(.user("alice"), Grants(roles: [.administrator])) == everything)
        #expect(allowed(.user("alice"), Grants(rules: [rule("*:**")])) == everything)
        #expect(allowed(.anonymous) == [])
        #expect(allowed(.anonymous, Grants(roles: [.administrator])) == [], "grants are a user's")
    }

    @Test func `a user without rights has its own account`() {
        #expect(allowed(.user("alice")) == ["account.manage:alice"])
        #expect(allowed(.user("carol")) == [])
    }

    @Test func `a node takes part, looks on and leaves, and has no right of any user`() {
        let state = everything.filter { $0.hasPrefix("view.state:") }
        let agent = allowed(.node(id: "n1", duties: .agent), Grants(roles: [.administrator]))
        #expect(agent == state.union(["node.take-part:agent", "node.leave:n1"]))
        let master = allowed(.node(id: "n2", duties: .master))
        #expect(master == state.union(["node.take-part:master", "node.leave:n2"]))
        let both = allowed(.node(id: "n1", duties: [.agent, .master]))
        #expect(both == state.union(["node.take-part:agent", "node.take-part:master", "node.leave:n1"]))
        let none = allowed(.node(id: "n3", duties: []))
        #expect(none == state)
        #expect(!AccessPolicy.decide(.node(id: "n1", duties: .agent), .none, .takePart([])).isAllowed)
    }

    @Test func `a viewer sees state and logs`() {
        let expected = everything.filter { $0.hasPrefix("view.state:") || $0.hasPrefix("view.logs:") }
        #expect(allowed(.user("carol"), Grants(roles: [.viewer])) == expected)
    }

    @Test func `an operator may do all that does not lead to everything`() {
        let withheld: Set<String> = [
            "task.run-as:", "task.run-as:0", "task.run-as:00", "task.run-as:+0", "task.run-as:-0", "task.run-as:root",
            "task.run-as:root:root",
            "task.run-as:0:1",
            "node.take-part:agent", "node.take-part:master", "tokens.manage:master",
            "keys.manage:**", "users.manage:**", "account.manage:alice", "account.manage:bob", "secret.read:web/key",
            "secret.read:website/key", "secret.read:web", "secret.write:web/key", "secret.write:website/key",
            "secret.write:web",
        ]
        #expect(allowed(.user("carol"), Grants(roles: [.operator])) == everything.subtracting(withheld))
    }

    @Test func `a user of a role has that role and those below it`() {
        var expected: Set<String> = everything.filter { $0.hasPrefix("view.state:") }
        for role in ["web", "web/shop"] {
            for verb in [
                "framework.register", "framework.tear-down", "task.kill", "task.exec", "resources.reserve",
                "catalog.install", "view.logs", "view.files", "view.environments",
            ] { expected.insert(verb + ":" + role) }
        }
        for use in Action.SecretUse.allCases { expected.insert("secret.\(use.rawValue):web/key") }
        expected.insert("task.run-as:nobody")
        let grants = Grants(roles: [.user(of: Self.web)])
        #expect(allowed(.user("carol"), grants) == expected)
        #expect(allowed(.user("alice"), grants) == expected.union(["task.run-as:alice", "account.manage:alice"]))
        // A name does not make an account of it.
        for name in ["root", "0", "00"] {
            #expect(!AccessPolicy.decide(.user(name), grants, .runAs(name)).isAllowed, "\(name)")
        }
    }

    @Test func `a user of the role of everybody has that role only`() {
        let grants = Grants(roles: [.user(of: .everyone)])
        #expect(AccessPolicy.decide(.user("a"), grants, .registerFramework(.everyone)).isAllowed)
        #expect(!AccessPolicy.decide(.user("a"), grants, .registerFramework(Self.web)).isAllowed)
        #expect(!AccessPolicy.decide(.user("a"), grants, .view(.logs, of: nil)).isAllowed)
    }

    @Test func `roles and rules add up`() {
        let grants = Grants(roles: [.viewer, .user(of: Self.web)], rules: [rule("task.run-as:www-data")])
        #expect(AccessPolicy.decide(.user("a"), grants, .view(.logs, of: nil)).isAllowed)
        #expect(AccessPolicy.decide(.user("a"), grants, .killTask(Self.webShop)).isAllowed)
        #expect(AccessPolicy.decide(.user("a"), grants, .runAs("www-data")).isAllowed)
        #expect(!AccessPolicy.decide(.user("a"), grants, .runAs("www-data2")).isAllowed)
        #expect(!AccessPolicy.decide(.user("a"), grants, .killTask(Self.website)).isAllowed)
    }

    @Test(arguments: [
        ("task.kill:web", "task.kill:web"),
        ("task.kill:*", "task.kill:*"),
        ("task.kill:web/**", "task.kill:web/shop"),
        ("task.*:web", "task.kill:web task.exec:web"),
        ("view.*:**", "view.state:** view.logs:** view.files:web view.environments:*"),
        ("*:web/shop", "framework.register:web/shop task.kill:web/shop view.files:web/shop role.quota:web/shop"),
        ("audit.read:**", "audit.read:**"),
        ("secret.read:web/**", "secret.read:web/key"),
        ("node.leave:n2", "node.leave:n2"),
        ("tokens.manage:agent", "tokens.manage:agent"),
    ])
    func `a rule gives what it says`(text: String, gives: String) {
        let mine = allowed(.user("carol"), Grants(rules: [rule(text)]))
        let expected = gives.split(separator: " ").map(String.init)
        for right in expected { #expect(mine.contains(right), "\(text) does not give \(right)") }
        // And nothing of another verb or another object.
        for right in mine {
            #expect(rule(text).description == text)
            let colon = right.firstIndex(of: ":")!
            let verb = text.prefix { $0 != ":" }
            #expect(
                verb == "*" || right[..<colon] == verb || verb.hasSuffix("*") && right.hasPrefix(verb.dropLast()),
                "\(text) gives \(right)")
        }
    }

    @Test func `a path's wildcard stops at the slash, and a name gives no right over the cluster`() {
        let below = Grants(rules: [rule("task.kill:web/**")])
        #expect(!AccessPolicy.decide(.user("a"), below, .killTask(Self.web)).isAllowed)
        #expect(!AccessPolicy.decide(.user("a"), below, .killTask(Self.website)).isAllowed)
        #expect(!AccessPolicy.decide(.user("a"), below, .killTask(RoleName("web/"))).isAllowed)
        let star = Grants(rules: [rule("view.logs:*")])
        #expect(AccessPolicy.decide(.user("a"), star, .view(.logs, of: .everyone)).isAllowed)
        #expect(!AccessPolicy.decide(.user("a"), star, .view(.logs, of: Self.web)).isAllowed)
        #expect(!AccessPolicy.decide(.user("a"), star, .view(.logs, of: nil)).isAllowed)
    }

    @Test(arguments: [
        "", "task.kill", "task.kill:", ":web", "kill:web", "task.:web", "task.kil*:web", "t*:web", "**:web",
        "task.kill:we*", "task.kill:*/web", "task.kill:/**", "task.kill:web/*", "task.kill:a b", "task.kill:a\n",
        "task.kill:***", "*.*:web", ".*:web", "task.kill:web/**/**", "view:web", "Task.Kill:web",
        "task.kill:" + String(repeating: "x", count: 320),
    ])
    func `what is no rule is refused with a reason`(text: String) {
        do {
            let rule = try AccessRule(text)
            Issue.record("\(text) is read as \(rule)")
        } catch {
            #expect(error.description.utf8.count > 20)
        }
    }

    @Test func `a refusal names what would be needed`() {
        func reason(_ caller: Caller, _ action: Action) -> String {
            if case .denied(let reason) = AccessPolicy.decide(caller, .none, action) { return reason }
            return "allowed"
        }
        let kill = reason(.user("alice"), .killTask(Self.web))
        #expect(kill.contains("alice") && kill.contains("the rule task.kill:web"))
        #expect(kill.contains("user:web or operator or administrator"))
        #expect(reason(.user("alice"), .view(.state, of: nil)).contains("viewer or operator or administrator"))
        #expect(reason(.user("alice"), .secret(.read, path: "web/db")).contains("user:web or administrator"))
        #expect(reason(.user("alice"), .manageUsers).contains("the role administrator, or"))
        #expect(reason(.anonymous, .manageUsers).contains("log in"))
        #expect(reason(.node(id: "n1", duties: .agent), .manageUsers).contains("n1"))
        for action in Self.actions {
            #expect(reason(.user("carol"), action).contains("administrator"), "\(action)")
        }
        let long = RoleName(String(repeating: "r", count: 100_000))
        #expect(reason(.user("alice"), .killTask(long)).utf8.count < 1_000)
    }

    @Test func `roles and users are read strictly`() throws {
        for text in ["administrator", "operator", "viewer", "user:web", "user:eng/web", "user:*"] {
            #expect(try UserRole(text).description == text)
        }
        for text in ["", "admin", "Administrator", "user", "user:", "user:a//b", "user:..", "user:a b", "viewer "] {
            #expect(throws: AccessFault.self) { try UserRole(text) }
        }
        for name in ["a", "alice", "alice@example.com", "svc_1+2.x", String(repeating: "u", count: 96)] {
            #expect(User(name: name, kind: .person).defect == nil)
        }
        for name in ["", "a/b", "a b", "é", "..", "-a", "a\u{0}", "a\"b", String(repeating: "u", count: 97)] {
            #expect(User(name: name, kind: .person).defect != nil, "\(name)")
        }
        #expect(User(name: "a", kind: .person, summary: "x\n").defect != nil)
        let rules = Set((0..<65).map { rule("task.kill:r\($0)") })
        #expect(User(name: "a", kind: .person, grants: Grants(rules: rules)).defect != nil)
        #expect(NodeDuties("master,agent") == [.master, .agent])
        #expect(NodeDuties("agent") == .agent)
        for text in ["", "king", "agent,", "agent,king", "agent master"] { #expect(NodeDuties(text) == nil) }
    }
}
