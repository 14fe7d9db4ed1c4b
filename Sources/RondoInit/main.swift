// Process 1 of a virtual machine: brings it up, and does what the host says. Embedded Swift, with no more of a runtime
// than an allocator; GuestChannel decides, this is its edge.
import CGuest

cguest_prepare()
bringUpAndServe()

/// Does not come back: a machine without process 1 panics, and one that cannot talk is of no use.
func bringUpAndServe() {
    let machine = Machine()
    do throws(KernelError) { try machine.bringUp() } catch {
        Kernel.log(bytes("cannot mount what every process needs: ") + error.text)
    }
    machine.loadModules()
    let childEnds = cguest_child_descriptor()
    if let port = machine.openPort(), childEnds >= 0 {
        var guest = Guest(port: port, childEnds: childEnds)
        guest.run()
    } else {
        Kernel.log(bytes("there is no port called ctl"))
    }
    cguest_restart()
}
