//! The system call filter: what a function may not ask of the kernel, though it has no privilege to use it.
//!
//! A denylist over everything reviewed, with "no such system call" for what is newer: programs fall back from
//! that, as they do on older kernels. Written as a BPF program by hand, for seccompiler has neither ranges nor
//! two different refusals in one filter.

use libc::{c_long, sock_filter};

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e; // AUDIT_ARCH_X86_64 of linux/audit.h
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7; // AUDIT_ARCH_AARCH64 of linux/audit.h

/// Set in the number of a system call of x86-64's 32-bit variant.
#[cfg(target_arch = "x86_64")]
const X32_BIT: u32 = 0x4000_0000;

/// The newest system call that was reviewed: `cachestat`.
const REVIEWED_MAX: u32 = 451;

/// Refused with EPERM. What needs a capability would fail anyway: refusing it here keeps its code unreachable.
const DENIED: &[c_long] = &[
    // Mounts and namespaces.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    // Other processes' memory and descriptors.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    // Large kernel surfaces with a history.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_fanotify_init,
    libc::SYS_fanotify_mark,
    libc::SYS_vmsplice,
    libc::SYS_memfd_secret,
    libc::SYS_personality,
    // The machine.
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_nfsservctl,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_lookup_dcookie,
    libc::SYS_mbind,
    libc::SYS_set_mempolicy,
    libc::SYS_get_mempolicy,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
    libc::SYS_set_mempolicy_home_node,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_kexec_file_load,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_uselib,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ustat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_sysfs,
    #[cfg(target_arch = "x86_64")]
    libc::SYS__sysctl,
];

/// Answered with ENOSYS, as on a kernel without them. The C library then uses `clone`, whose flags can be checked; and
/// `io_setup` takes from what the whole machine has (`fs.aio-max-nr`), so one function could leave none to its databases.
const ABSENT: &[c_long] = &[
    libc::SYS_clone3,
    libc::SYS_io_setup,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
];

/// Flags of `clone` that make namespaces.
const CLONE_NAMESPACES: u32 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as u32;

/// Families of sockets that functions have a use for.
const SOCKET_FAMILIES: &[u32] =
    &[libc::AF_UNIX as u32, libc::AF_INET as u32, libc::AF_INET6 as u32, libc::AF_NETLINK as u32];

/// Requests of `ioctl` that type into a terminal: `TIOCSTI` and `TIOCLINUX` of asm-generic/ioctls.h. The kernel
/// looks at the low half only.
const IOCTLS_DENIED: &[u32] = &[0x5412, 0x541c];

/// Offsets in `struct seccomp_data` of linux/seccomp.h; the arguments' low halves on a little-endian machine.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const fn argument(index: u32) -> u32 {
    16 + 8 * index
}

const fn refuse(errno: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | errno as u32
}

/// The program, made once and installed in every sandbox.
pub(super) fn program() -> Vec<sock_filter> {
    let mut program = Vec::new();
    program.extend([load(ARCH), skip_if_equal(ARCHITECTURE, 1), answer(libc::SECCOMP_RET_KILL_PROCESS)]);
    program.push(load(NUMBER));
    #[cfg(target_arch = "x86_64")]
    program.extend([skip_unless_at_least(X32_BIT, 1), answer(libc::SECCOMP_RET_KILL_PROCESS)]);
    program.extend([skip_unless_at_least(REVIEWED_MAX + 1, 1), answer(refuse(libc::ENOSYS))]);
    for call in ABSENT {
        program.extend([skip_unless_equal(number(*call), 1), answer(refuse(libc::ENOSYS))]);
    }
    for call in DENIED {
        program.extend([skip_unless_equal(number(*call), 1), answer(refuse(libc::EPERM))]);
    }
    let clone = [load(argument(0)), skip_unless_any_bit(CLONE_NAMESPACES, 1), answer(refuse(libc::EPERM))];
    of_call(&mut program, libc::SYS_clone, &clone);
    let mut socket = vec![load(argument(0))];
    for family in SOCKET_FAMILIES {
        socket.extend([skip_unless_equal(*family, 1), answer(libc::SECCOMP_RET_ALLOW)]);
    }
    socket.push(answer(refuse(libc::EAFNOSUPPORT)));
    of_call(&mut program, libc::SYS_socket, &socket);
    // It makes sockets of any family, too, if only to find that they cannot be a pair.
    let unix = libc::AF_UNIX as u32;
    let pair = [load(argument(0)), skip_if_equal(unix, 1), answer(refuse(libc::EAFNOSUPPORT))];
    of_call(&mut program, libc::SYS_socketpair, &pair);
    let mut ioctl = vec![load(argument(1))];
    for request in IOCTLS_DENIED {
        ioctl.extend([skip_unless_equal(*request, 1), answer(refuse(libc::EPERM))]);
    }
    of_call(&mut program, libc::SYS_ioctl, &ioctl);
    program.push(answer(libc::SECCOMP_RET_ALLOW));
    program
}

/// Adds instructions for one system call. They end in allowing it, for the number is no longer loaded.
fn of_call(program: &mut Vec<sock_filter>, call: c_long, instructions: &[sock_filter]) {
    let length = u8::try_from(instructions.len() + 1).expect("a handful of instructions");
    program.push(skip_unless_equal(number(call), length));
    program.extend_from_slice(instructions);
    program.push(answer(libc::SECCOMP_RET_ALLOW));
}

fn number(call: c_long) -> u32 {
    u32::try_from(call).expect("system call numbers are small")
}

#[expect(clippy::cast_possible_truncation, reason = "operation codes are below 256")]
const fn instruction(code: u32, jt: u8, jf: u8, k: u32) -> sock_filter {
    sock_filter { code: code as u16, jt, jf, k }
}

const fn load(offset: u32) -> sock_filter {
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset)
}

const fn answer(action: u32) -> sock_filter {
    instruction(libc::BPF_RET | libc::BPF_K, 0, 0, action)
}

const fn skip_if_equal(value: u32, count: u8) -> sock_filter {
    instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, count, 0, value)
}

const fn skip_unless_equal(value: u32, count: u8) -> sock_filter {
    instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, count, value)
}

const fn skip_unless_at_least(value: u32, count: u8) -> sock_filter {
    instruction(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 0, count, value)
}

const fn skip_unless_any_bit(bits: u32, count: u8) -> sock_filter {
    instruction(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, 0, count, bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the program as the kernel would.
    fn run(architecture: u32, call: u32, arguments: [u64; 3]) -> u32 {
        let mut data = [0u32; 16];
        (data[0], data[1]) = (call, architecture);
        for (index, argument) in arguments.into_iter().enumerate() {
            let halves = [argument & 0xffff_ffff, argument >> 32];
            data[4 + 2 * index] = u32::try_from(halves[0]).unwrap();
            data[5 + 2 * index] = u32::try_from(halves[1]).unwrap();
        }
        let (program, mut at, mut value) = (program(), 0, 0);
        loop {
            let sock_filter { code, jt, jf, k } = program[at];
            let code = u32::from(code);
            at += 1;
            let jump = |holds: bool| usize::from(if holds { jt } else { jf });
            match code & 0xf7 {
                _ if code == libc::BPF_LD | libc::BPF_W | libc::BPF_ABS => value = data[k as usize / 4],
                _ if code == libc::BPF_RET | libc::BPF_K => return k,
                _ if code & 0xf0 == libc::BPF_JEQ => at += jump(value == k),
                _ if code & 0xf0 == libc::BPF_JGE => at += jump(value >= k),
                _ if code & 0xf0 == libc::BPF_JSET => at += jump(value & k != 0),
                _ => panic!("instruction {code:#x}"),
            }
        }
    }

    fn check(call: c_long, arguments: [u64; 3], expected: u32) {
        assert_eq!(run(ARCHITECTURE, number(call), arguments), expected, "call {call} with {arguments:x?}");
    }

    const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;

    #[test]
    fn ordinary_calls_are_allowed() {
        for call in
            [libc::SYS_read, libc::SYS_openat, libc::SYS_execve, libc::SYS_futex, libc::SYS_memfd_create]
        {
            check(call, [0; 3], ALLOW);
        }
        check(libc::SYS_clone, [libc::SIGCHLD as u64, 0, 0], ALLOW);
        check(libc::SYS_ioctl, [0, libc::FIONBIO, 0], ALLOW);
    }

    #[test]
    fn what_is_denied_is_denied_and_what_is_newer_does_not_exist() {
        DENIED.iter().for_each(|call| check(*call, [0; 3], refuse(libc::EPERM)));
        ABSENT.iter().for_each(|call| check(*call, [0; 3], refuse(libc::ENOSYS)));
        for newer in [REVIEWED_MAX + 1, 600, X32_BIT - 1] {
            assert_eq!(run(ARCHITECTURE, newer, [0; 3]), refuse(libc::ENOSYS));
        }
    }

    #[test]
    fn clone_makes_no_namespace_whatever_else_it_does() {
        for namespace in [libc::CLONE_NEWUSER, libc::CLONE_NEWNET, libc::CLONE_NEWNS] {
            check(libc::SYS_clone, [namespace as u64 | libc::CLONE_VM as u64, 0, 0], refuse(libc::EPERM));
        }
    }

    #[test]
    fn sockets_are_of_the_families_that_functions_use() {
        for (family, expected) in [
            (libc::AF_UNIX, ALLOW),
            (libc::AF_INET6, ALLOW),
            (libc::AF_NETLINK, ALLOW),
            (libc::AF_PACKET, refuse(libc::EAFNOSUPPORT)),
            (libc::AF_VSOCK, refuse(libc::EAFNOSUPPORT)),
            (libc::AF_ALG, refuse(libc::EAFNOSUPPORT)),
        ] {
            check(libc::SYS_socket, [family as u64, 1, 0], expected);
        }
        check(libc::SYS_socketpair, [libc::AF_UNIX as u64, 1, 0], ALLOW);
        check(libc::SYS_socketpair, [libc::AF_TIPC as u64, 1, 0], refuse(libc::EAFNOSUPPORT));
    }

    #[test]
    fn terminals_cannot_be_typed_into_even_with_garbage_in_the_upper_half() {
        for upper in [0, 1 << 32] {
            check(libc::SYS_ioctl, [0, libc::TIOCSTI | upper, 0], refuse(libc::EPERM));
        }
    }

    #[test]
    fn other_architectures_are_killed() {
        assert_eq!(run(0x4000_0003, 1, [0; 3]), libc::SECCOMP_RET_KILL_PROCESS);
        #[cfg(target_arch = "x86_64")]
        assert_eq!(run(ARCHITECTURE, X32_BIT | 1, [0; 3]), libc::SECCOMP_RET_KILL_PROCESS);
    }
}
