//! `spectramind new`: a package with a workload of one's own, which is `examples/own-workload` under another name.

use std::fs;
use std::path::Path;

use crate::cli::output::outln;
use crate::durable;
use crate::failure::{Context, Failure, Result};
use crate::provenance::environment::BuiltFrom;

/// Write a package with a workload of your own: a program with all these commands, and its verifier
#[derive(clap::Args)]
pub struct Arguments {
    /// Its name, which is the name of a new folder here, too: letters, digits, `-`, `_`
    name: String,
}

/// The name of the example.
const EXAMPLE: &str = "own-workload";

macro_rules! template {
    ($($path:literal),* $(,)?) => {
        [$(($path, include_str!(concat!("../../examples/own-workload/", $path)))),*]
    };
}

/// The files of the example.
const FILES: [(&str, &str); 16] = template![
    ".gitignore",
    "Cargo.lock",
    "Cargo.toml",
    "README.md",
    "configs/loss/cross_entropy.yaml",
    "configs/loss/focal.yaml",
    "configs/optimizer/adamw.yaml",
    "configs/optimizer/lookahead.yaml",
    "configs/schedule/constant.yaml",
    "configs/schedule/cosine.yaml",
    "configs/train.yaml",
    "configs/trainer/default.yaml",
    "rustfmt.toml",
    "src/lib.rs",
    "src/main.rs",
    "src/verify.rs",
];

/// Writes the package and says what to do next.
///
/// # Errors
/// When no package can have that name, or the folder is there already.
pub fn run(Arguments { name }: &Arguments) -> Result<()> {
    if let Some(why) = unusable(name) {
        return Err(Failure::usage(format!("{name:?}: expected a name for a package, got {why}"), "try my-workload"));
    }
    let root = Path::new(name);
    if root.symlink_metadata().is_ok() {
        let message = format!("{name}: expected a new folder, got one that is there already");
        return Err(Failure::usage(message, "choose another name, or another place"));
    }
    for (path, text) in FILES {
        let path = root.join(path);
        let folder = durable::folder_of(&path);
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let text = renamed(&path, text, name, checkout());
        durable::write_whole(&path, text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    }
    outln!("made {name}: a small CNN on images that it draws itself. Its README says what is where. Next:\n");
    outln!("cd {name}");
    outln!("cargo build");
    outln!("git init && git add --all && git commit --message 'a workload'");
    outln!("cargo run -- train");
    Ok(())
}

/// The folder of the sources that this program was built from, where it is still there.
fn checkout() -> Option<&'static Path> {
    let folder = Path::new(env!("SPECTRAMIND_CHECKOUT"));
    // Of a release it is empty, and would be whatever folder the user is in.
    (!folder.as_os_str().is_empty() && folder.join("verifier/Cargo.toml").is_file()).then_some(folder)
}

/// A file of the example under another name, with dependencies that are found from anywhere.
fn renamed(path: &Path, text: &str, name: &str, checkout: Option<&Path>) -> String {
    let text = if path.ends_with("Cargo.lock") { relocked(text, name) } else { text.to_owned() };
    // The crate's name first: it cannot contain the package's, which may contain it.
    let text = text.replace(&EXAMPLE.replace('-', "_"), &name.replace('-', "_")).replace(EXAMPLE, name);
    if !path.ends_with("Cargo.toml") {
        return text;
    }
    let place = |folder: &str| match checkout {
        Some(checkout) => format!("path = \"{}\"", in_toml(&checkout.join(folder))),
        None => format!("version = \"{}\"", env!("CARGO_PKG_VERSION")),
    };
    let note = match (checkout, BuiltFrom::own()) {
        (Some(_), Some(BuiltFrom { commit, .. })) => {
            format!("# Where others build this, git = \"URL\", rev = \"{commit}\" in place of each path.\n")
        }
        _ => String::new(),
    };
    text.replace("\nspectramind = ", &format!("\n{note}spectramind = "))
        .replace("path = \"../..\"", &place(""))
        .replace("path = \"../../verifier\"", &place("verifier"))
}

/// A path inside a text of TOML.
fn in_toml(path: &Path) -> String {
    // Without the slash at the end that joining nothing leaves.
    let path = path.components().collect::<std::path::PathBuf>();
    path.display().to_string().replace('\\', r"\\").replace('"', "\\\"")
}

/// The lock file with the package under another name, at its place in the order that Cargo writes.
fn relocked(text: &str, name: &str) -> String {
    const HEAD: &str = "[[package]]\n";
    let mut blocks: Vec<&str> = text.split(HEAD).collect();
    let beginning = blocks.remove(0);
    let named = |block: &str| block.split('"').nth(1).unwrap_or_default().to_owned();
    let own = blocks.iter().position(|block| named(block) == EXAMPLE).map(|place| blocks.remove(place));
    let place = blocks.iter().position(|block| *named(block) > *name).unwrap_or(blocks.len());
    blocks.splice(place..place, own);
    // The last block has no empty line after it, and may be another one now.
    let blocks: Vec<String> = blocks.iter().map(|block| format!("{HEAD}{}\n", block.trim_end())).collect();
    format!("{beginning}{}", blocks.join("\n"))
}

/// Words that no crate can be called: Rust's keywords, crates that are always there, folders of Cargo's own.
const TAKEN: &str = "Self abstract alloc as async await become box break build const continue core crate deps do dyn else enum \
    examples extern false final fn for gen if impl in incremental let loop macro match mod move mut override priv proc_macro pub \
    ref return self static std struct super test trait true try type typeof unsafe unsized use virtual where while yield";

/// Why no package of this kind can have that name, by Cargo's rules and ours.
fn unusable(name: &str) -> Option<String> {
    let krate = name.replace('-', "_");
    // Two crates of one name cannot be told apart in the sources and in the lock file.
    let is_dependency =
        |line: &str| line.strip_prefix("name = \"").is_some_and(|rest| rest.replace('-', "_") == format!("{krate}\""));
    let (_, lock) = FILES.iter().find(|(path, _)| *path == "Cargo.lock").expect("the example has a lock file");
    match name.chars().next() {
        None => Some("an empty one".into()),
        Some(first) if !first.is_ascii_alphabetic() => Some(format!("one that begins with {first:?}")),
        _ if name.len() > 64 => Some("one of more than 64 characters".into()),
        _ => match name.chars().find(|c| !c.is_ascii_alphanumeric() && !"-_".contains(*c)) {
            Some(c) => Some(format!("one with {c:?} in it")),
            None if TAKEN.split(' ').any(|word| word == krate) => Some("a word of Rust's or Cargo's own".into()),
            None if krate != EXAMPLE.replace('-', "_") && lock.lines().any(is_dependency) => {
                Some("the name of one of its dependencies".into())
            }
            None => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::PathBuf;

    use super::*;

    fn example() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(EXAMPLE)
    }

    fn files(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).expect("lists") {
            let path = entry.expect("an entry").path();
            let below = path.strip_prefix(example()).expect("below").display().to_string();
            // What .gitignore names: made there by whoever tried it.
            if path.is_dir() && !["target", "runs", "data"].contains(&&*below) {
                files(&path, found);
            } else if path.is_file() {
                found.insert(below);
            }
        }
    }

    #[test]
    fn every_file_of_the_example_is_written() {
        let mut found = BTreeSet::new();
        files(&example(), &mut found);
        // The golden case is of this model: a package begins with it, and goes on with another.
        found.retain(|path| !path.starts_with("golden/"));
        assert_eq!(found, BTreeSet::from_iter(FILES.map(|(path, _)| path.to_owned())));
    }

    #[test]
    fn only_names_that_cargo_takes_are_taken() {
        for name in ["demo", "my-workload", "my-own_workload", "A_1", EXAMPLE, "own_workload", &"a".repeat(64)] {
            assert_eq!(unusable(name), None, "{name}");
        }
        for (name, why) in [
            ("", "empty"),
            ("1a", "begins with '1'"),
            ("-a", "begins with '-'"),
            ("a/b", "'/'"),
            ("../a", "'.'"),
            ("ü", "'ü'"),
            ("a b", "' '"),
            ("fn", "Rust's"),
            ("proc-macro", "Rust's"),
            ("test", "Rust's"),
            ("deps", "Cargo's"),
            ("serde", "dependencies"),
            ("spectramind_verify", "dependencies"),
            (&"a".repeat(65), "64"),
        ] {
            assert!(unusable(name).is_some_and(|found| found.contains(why)), "{name:?}: {:?}", unusable(name));
        }
    }

    #[test]
    fn nothing_of_the_example_s_name_and_place_is_left() {
        for checkout in [None, Some(Path::new(r#"/a"b\c"#))] {
            for (path, text) in FILES {
                let text = renamed(Path::new(path), text, "zz-top", checkout);
                assert!(!text.contains("own-workload") && !text.contains("own_workload"), "{path}");
                assert!(!text.contains("\"../"), "{path}");
                if path == "Cargo.toml" {
                    let expected =
                        if checkout.is_some() { r#"path = "/a\"b\\c/verifier""# } else { "version = \"0.1.0\"" };
                    assert!(text.contains(expected), "{text}");
                }
                if path == "Cargo.lock" {
                    let names: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("name = ")).collect();
                    assert!(names.is_sorted() && names.contains(&"\"zz-top\""));
                    assert!(text.ends_with("]\n") || text.ends_with("\"\n"), "{:?}", &text[text.len() - 20..]);
                }
            }
        }
    }
}
