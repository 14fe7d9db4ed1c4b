import Testing

@testable import TaskMonitor

struct SessionOrderTests {
    @Test func `a command line becomes a command of the runtime`() throws {
        let order = try #require(
            SessionOrder([
                "/run/c", "c", "--tty", "--cwd", "/work", "--env", "A=1", "--env", "B=--", "--", "ls", "--", "-l",
            ])
        )
        #expect(
            order.arguments(pidFile: "p", consoleSocket: "s") == [
                "exec", "--detach", "--pid-file", "p", "--tty", "--console-socket", "s", "--cwd", "/work", "--env",
                "A=1", "--env", "B=--", "c", "ls", "--", "-l",
            ])
    }

    @Test(arguments: [
        [], ["/run/c", "c", "--"], ["/run/c", "c", "ls", "-l"], ["/run/c", "c", "--cwd"],
        ["/run/c", "c", "--env", "A=1"],
        ["", "c", "--", "ls"], ["/run/c", "", "--", "ls"], ["/run/c", "c", "--else", "--", "ls"],
    ])
    func `a wrong command line is none`(words: [String]) { #expect(SessionOrder(words) == nil) }
}
