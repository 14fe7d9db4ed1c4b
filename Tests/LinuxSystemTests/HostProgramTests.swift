import Glibc
import LinuxSystem
import Testing

struct HostProgramTests {
    @Test func `output, errors and exit status of a program arrive`() {
        let result = HostProgram.run(["sh", "-c", "echo out; echo err >&2; exit 7"], seconds: 20)
        #expect(result.status == 7 && result.output == "out\nerr\n")
    }

    @Test func `a program gets none of our variables and no input`() {
        setenv("RONDO_TEST_SECRET", "secret", 1)
        defer { unsetenv("RONDO_TEST_SECRET") }
        let result = HostProgram.run(["sh", "-c", "cat; env"], seconds: 20)
        #expect(result.status == 0 && result.output.contains("PATH=") && !result.output.contains("secret"))
    }

    @Test func `a program that is missing, killed or too slow is told apart`() {
        #expect(HostProgram.run(["rondo-no-such-program"], seconds: 5).status == 127)
        #expect(HostProgram.run(["sh", "-c", "kill -9 $$"], seconds: 20).status == 137)
        #expect(HostProgram.run(["sleep", "30"], seconds: 0).status == 137)
    }
}
