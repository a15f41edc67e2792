//! What is said of machines that are not what a config asks for: devices, the network, and the processes of a launcher.

use insta::assert_snapshot;

use super::{said, said_but};
use crate::sandbox::{Sandbox, present};

#[cfg(not(feature = "cuda"))]
#[test]
fn devices() {
    let sandbox = Sandbox::with_data();
    assert_snapshot!(said(&sandbox, "spectramind train trainer=ci_fast trainer.accelerator=cuda --quiet"), @"
    exit 2
    made a signing key for you: [sandbox]/home/.config/spectramind/signing-key.pem
    Error: accelerator cuda: this program was built without it
    Hint: build with `cargo build --release --features cuda`, or use accelerator=cpu or auto
    ");
}

#[cfg(target_os = "linux")]
#[test]
fn kernels_that_let_nobody_filter_system_calls() {
    use super::said_in;
    use crate::envelope::without_filters;
    let sandbox = Sandbox::with_data();
    sandbox.done(&["keys", "generate"]);
    let line = "spectramind train trainer=ci_fast envelope.network=deny --quiet";
    let refused = |shell: &mut std::process::Command| {
        without_filters(shell);
    };
    assert_snapshot!(said_in(&sandbox, line, refused), @"
    exit 1
    Error: network: expected a kernel that lets this process filter its system calls, got Error calling `seccomp`: Operation not permitted (os error 1)
    Hint: with envelope.network=observe (of a command: command.network=observe) nothing keeps the network away, and the record says so
    ");
}

#[test]
fn sockets_that_are_open_when_the_network_is_denied() {
    let bash = std::path::Path::new("/bin/bash").exists();
    if !present("bash", bash, "bash, which opens sockets") {
        return;
    }
    let sandbox = Sandbox::with_data();
    sandbox.done(&["keys", "generate"]);
    assert_snapshot!(said(&sandbox, "bash -c 'exec 7<>/dev/udp/127.0.0.1/9; spectramind train trainer=ci_fast envelope.network=deny --quiet'"), @"
    exit 1
    Error: network: expected no open network socket when it is denied, got a socket of IPv4 as file descriptor 7
    Hint: start the program without it: `7>&-` behind the command closes it in a shell
    ");
}

/// `mpiexec -n 2` of the MPICH that `SPECTRAMIND_MPICH` names.
fn two_ranks() -> Option<String> {
    let folder = std::env::var("SPECTRAMIND_MPICH").unwrap_or_default();
    let is_there = std::path::Path::new(&folder).join("bin/mpiexec").is_file();
    let what = "MPICH in the virtual environment that SPECTRAMIND_MPICH names (pip install mpich)";
    present("mpich", is_there, what).then(|| format!("PATH={folder}/bin:$PATH mpiexec -n 2"))
}

#[test]
fn ranks() {
    let Some(launcher) = two_ranks() else { return };
    let sandbox = Sandbox::with_data();
    sandbox.done(&["keys", "generate"]);
    let train = "spectramind train trainer=ci_fast trainer.devices=2 --quiet";
    // The launcher has its own word about a rank that ends, and hosts and processes have names.
    let said = |words: &str| {
        said_but(&sandbox, &format!("{launcher} {words}"), "/^Abort/d; s/worker 1 ([^)]*)/worker 1 (HOST)/")
    };
    assert_snapshot!(said(&format!("{train} envelope.network=deny")), @"
    exit 2
    Error: envelope.network=deny: expected the workers of one process, got 2 processes of an MPI launcher, which talk over the network
    Hint: let workers of this machine make the run, without a launcher (trainer=multi_gpu), or set envelope.network=observe
    ");
    let another = |instead: &str| format!("sh -c '[ $PMI_RANK = 0 ] || set -- {instead}; exec {train} \"$@\"'");
    assert_snapshot!(said(&another("trainer.seed=7")), @"
    exit 1
    Error: worker 1 (HOST): expected the composed config of worker 0, [digest], got [digest]
    Hint: start the same program with the same arguments on every host
    ");
    assert_snapshot!(said(&another("optimizer.lr=x")), @r#"
    exit 2
    Error: worker 1 (HOST) failed
      caused by: optimizer.lr: expected a number, got the text "x" (set by the override "optimizer.lr=x")
    Hint: set another value: `optimizer.lr=<value>`
    "#);
}
