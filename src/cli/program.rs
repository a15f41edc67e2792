//! The name that this program was called by: a program of one's own has these commands under its own name.

use std::path::Path;
use std::sync::OnceLock;

/// The name of the program that these commands come with.
const OURS: &str = "spectramind";

/// This program's name: the file name that it was called by.
pub fn name() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        let called = std::env::args_os().next().unwrap_or_default();
        let file = Path::new(&called).file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let name = file.strip_suffix(std::env::consts::EXE_SUFFIX).unwrap_or(file);
        if name.is_empty() { OURS.to_owned() } else { name.to_owned() }
    })
}

/// What `--version` says after the name: this library's version is not that of a program of one's own.
pub fn version() -> &'static str {
    if name() == OURS {
        env!("CARGO_PKG_VERSION")
    } else {
        concat!("(with spectramind ", env!("CARGO_PKG_VERSION"), ")")
    }
}

/// The names that this program's verifier may have, the likelier one first: one of its own knows its workloads.
pub fn verifiers() -> [String; 2] {
    [name(), OURS].map(|program| format!("{program}-verify{}", std::env::consts::EXE_SUFFIX))
}
