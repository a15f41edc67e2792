//! Who may use whom: the table in the documentation of `src/lib.rs`, held against the imports; and what may be linked.
//!
//! A row of the table is `| name | what it is | may use |`. The last column is `nothing`, `all above` or `everything`,
//! and names in backticks: those before the word `but` are added, those after it taken away. Code of tests may use
//! anything.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use crate::sandbox::repository;

/// The table: of each module, in order, those that it may use.
fn table() -> Vec<(String, BTreeSet<String>)> {
    rows(&read("src/lib.rs"))
}

fn rows(documentation: &str) -> Vec<(String, BTreeSet<String>)> {
    let lines = documentation.lines().filter_map(|line| line.strip_prefix("//! |"));
    let table = lines.skip_while(|line| !line.contains("| may use |")).skip(2);
    let cells: Vec<Vec<&str>> =
        table.map(|line| line.trim_end_matches('|').split('|').map(str::trim).collect()).collect();
    let names: Vec<&str> = cells.iter().map(|cells| in_backticks(cells[0])[0]).collect();
    let row = |(index, cells): (usize, &Vec<&str>)| {
        let may = cells[2];
        let (before, after) = may.split_once(" but ").unwrap_or((may, ""));
        let all: &[&str] = match before {
            before if before.starts_with("everything") => &names,
            before if before.contains("all above") => &names[..index],
            before if before.starts_with("nothing") || before.starts_with('`') => &[],
            other => panic!("src/lib.rs: {}: what does {other:?} allow?", names[index]),
        };
        let named = in_backticks(before);
        for name in named.iter().chain(&in_backticks(after)) {
            assert!(names.contains(name), "src/lib.rs: {}: there is no row {name}", names[index]);
        }
        let mut allowed: BTreeSet<&str> = all.iter().copied().chain(named).chain([names[index]]).collect();
        allowed.retain(|name| !in_backticks(after).contains(name));
        (names[index].to_owned(), allowed.into_iter().map(str::to_owned).collect())
    };
    cells.iter().enumerate().map(row).collect()
}

fn in_backticks(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

fn read(path: impl AsRef<Path>) -> String {
    let path = repository().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Rust without comments and without what stands in quotes.
fn code_of(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let after_word = code.ends_with(|last: char| last.is_alphanumeric() || last == '_');
        let raw = (rest.starts_with('r') && !after_word)
            .then(|| rest[1..].chars().take_while(|&c| c == '#').count())
            .filter(|&hashes| rest[1 + hashes..].starts_with('"'));
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(hashes) = raw {
            let end = format!("\"{}", "#".repeat(hashes));
            let begin = 2 + hashes;
            rest[begin..].find(&end).map_or(rest.len(), |at| begin + at + end.len())
        } else if first == '"' {
            1 + quoted(&rest[1..], '"')
        } else if first == '\'' && (rest[1..].starts_with('\\') || rest[1..].chars().nth(1) == Some('\'')) {
            1 + quoted(&rest[1..], '\'')
        } else {
            code.push(first);
            first.len_utf8()
        };
        rest = &rest[skipped..];
    }
    code
}

/// How long a quoted text is, with the quote at its end.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Code without the items that are for tests only, and the modules among them that are files of their own.
fn without_tests(code: &str) -> (String, Vec<String>) {
    const ATTRIBUTE: &str = "#[cfg(test)]";
    let (mut kept, mut files, mut rest) = (String::new(), Vec::new(), code);
    while let Some(at) = rest.find(ATTRIBUTE) {
        kept.push_str(&rest[..at]);
        let item = &rest[at + ATTRIBUTE.len()..];
        let open = item.find(['{', ';']).unwrap_or(item.len());
        let end = if item[open..].starts_with('{') {
            let mut depth = 0_usize;
            let close = item[open..].find(|c| {
                depth = depth + usize::from(c == '{') - usize::from(c == '}');
                depth == 0
            });
            open + close.expect("braces in pairs") + 1
        } else {
            let name = item[..open].trim().rsplit(' ').next().unwrap_or_default();
            if item[..open].contains("mod ") {
                files.push(name.to_owned());
            }
            // A list in braces may stand in a `use`.
            (open + 1).min(item.len())
        };
        rest = &item[end..];
    }
    kept.push_str(rest);
    (kept, files)
}

/// A file of Rust: the path of its module, and its code.
struct Module {
    file: String,
    path: Vec<String>,
    code: String,
}

/// All modules below a folder that are not for tests only.
fn modules(root: &str) -> Vec<Module> {
    let mut all = Vec::new();
    let mut of_tests = BTreeSet::new();
    let mut folders = vec![repository().join(root)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("list folder") {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let below = path.strip_prefix(repository().join(root)).expect("below").with_extension("");
                let mut name: Vec<String> = below.iter().map(|part| part.to_string_lossy().into_owned()).collect();
                if name.last().is_some_and(|last| last == "mod" || last == "lib" || last == "main") {
                    name.pop();
                }
                let (code, files) = without_tests(&code_of(&read(&path)));
                of_tests.extend(files.into_iter().map(|file| [&name[..], &[file]].concat()));
                let file = path.strip_prefix(repository()).expect("below").display().to_string();
                all.push(Module { file, path: name, code });
            }
        }
    }
    all.retain(|module| !(1..=module.path.len()).any(|length| of_tests.contains(&module.path[..length])));
    assert!(!all.is_empty(), "{root} has no modules");
    all
}

/// The first names of all paths in some code that begin with `root`, those in braces too.
fn first_names(code: &str, root: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices(root) {
        if code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_') {
            continue;
        }
        let rest = code[at + root.len()..].trim_start();
        let Some(list) = rest.strip_prefix('{') else {
            names.insert(identifier(rest));
            continue;
        };
        let (mut depth, mut begins) = (0, true);
        for (at, c) in list.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => begins = true,
                c if begins && !c.is_whitespace() => {
                    names.insert(identifier(&list[at..]));
                    begins = false;
                }
                _ => {}
            }
        }
    }
    names
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The rows that a module of this library uses: by `crate::`, by as many `super::` as lead there, or by a crate's name.
fn used(module: &Module, table: &[(String, BTreeSet<String>)]) -> BTreeSet<String> {
    let mut found = first_names(&module.code, "crate::");
    for ups in module.path.len().max(1)..module.path.len() + 4 {
        found.extend(first_names(&module.code, &"super::".repeat(ups)));
    }
    for (name, package) in [("config", "hydra_compose"), ("repro_burn", "repro_burn"), ("repro_ranks", "repro_ranks")] {
        let mentions = !first_names(&module.code, &format!("{package}::")).is_empty();
        if mentions || module.code.contains(&format!("use {package}")) {
            found.insert(name.to_owned());
        }
    }
    found.retain(|name| table.iter().any(|(row, _)| row == name));
    found
}

#[test]
fn every_module_uses_those_only_that_the_table_allows() {
    let table = table();
    let allowed: BTreeMap<&str, &BTreeSet<String>> = table.iter().map(|(name, may)| (name.as_str(), may)).collect();
    let mut wrong = Vec::new();
    let mut imports = 0;
    for module in modules("src") {
        // lib.rs declares them all.
        let Some(first) = module.path.first() else { continue };
        let Some(may) = allowed.get(first.as_str()) else {
            wrong.push(format!("{}: the table in src/lib.rs has no row {first}", module.file));
            continue;
        };
        let mut used = used(&module, &table);
        if first == "bin" {
            // Another crate: it names the library.
            used = first_names(&module.code, "spectramind::");
            used.retain(|name| allowed.contains_key(name.as_str()));
        }
        imports += used.len();
        wrong.extend(used.difference(may).map(|other| format!("{}: {first} may not use {other}", module.file)));
    }
    for module in modules("verifier/src") {
        let used = first_names(&module.code, "spectramind::");
        imports += used.len();
        let may = allowed["verifier"];
        let strange = used.iter().filter(|name| allowed.contains_key(name.as_str()) && !may.contains(*name));
        wrong.extend(strange.map(|other| format!("{}: the verifier may not use {other}", module.file)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(imports > 200, "{imports} imports were seen");
}

#[test]
fn the_library_neither_prints_nor_reads_environment_or_clock() {
    let words = [
        "print!",
        "println!",
        "eprint!",
        "eprintln!",
        "dbg!",
        "env::var",
        "env::vars",
        "var_os(",
        "vars_os(",
        "Instant::now",
        "SystemTime::now",
        "Timestamp::now",
        "Zoned::now",
        "env::current_dir",
    ];
    let found = |module: &Module| words.into_iter().find(|word| module.code.contains(word));
    let mut wrong = Vec::new();
    let mut outside = 0;
    for module in modules("src") {
        let Some(word) = found(&module) else { continue };
        // For tests on one system only: `cfg(all(test, unix))`.
        if module.path.last().is_some_and(|last| last == "tests") {
            continue;
        }
        match module.path.first().map(String::as_str) {
            Some("cli" | "bin") => outside += 1,
            // How long a program of somebody else's runs is what it is there to measure.
            Some("process") if word == "Instant::now" => {}
            _ => wrong.push(format!("{}: {word}", module.file)),
        }
    }
    assert!(wrong.is_empty(), "only cli prints, or reads environment or clock:\n{}", wrong.join("\n"));
    assert!(outside > 2, "the words are those that cli prints and reads by: {outside}");
}

#[test]
fn the_table_has_a_row_for_every_module_and_no_other() {
    let code = code_of(&read("src/lib.rs"));
    let mut modules: BTreeSet<String> = code
        .lines()
        .filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod "))
        .map(|name| name.trim_end_matches(';').to_owned())
        .collect();
    modules.extend(["config", "repro_burn", "repro_ranks", "bin", "verifier"].map(str::to_owned));
    let rows: Vec<String> = table().into_iter().map(|(name, _)| name).collect();
    assert_eq!(rows.iter().cloned().collect::<BTreeSet<_>>(), modules);
    assert_eq!(rows.len(), modules.len(), "a row twice");
}

#[test]
fn a_row_says_what_its_words_say() {
    let text = "//! | module | what it is | may use |\n//! |---|---|---|\n//! | [`a`] | first | nothing |\n\
        //! | `b` (feature) | second | `a` |\n//! | [`c`] | third | all above but `b` |\n//! | `d` | fourth | everything but `c` |\n";
    let of = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let rows: Vec<_> = rows(text).into_iter().map(|(_, may)| may).collect();
    assert_eq!(rows, [of(&["a"]), of(&["a", "b"]), of(&["a", "c"]), of(&["a", "b", "d"])]);
}

#[test]
fn imports_are_seen_wherever_they_stand_and_not_in_comments_texts_and_tests() {
    let text = "//! crate::x\nuse crate::{a::{b, c}, d};\nfn f(c: char) -> bool { c == '\"' && crate::e::g(\"crate::y\", r#\"\" crate::z\"#) }\n\
        fn h<'a>(x: &'a u8) {}\nuse super::super::i::j;\n#[cfg(test)]\nmod tests {\n use crate::k;\n}\n#[cfg(test)]\nmod more;\n";
    let (code, files) = without_tests(&code_of(text));
    let of = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(first_names(&code, "crate::"), of(&["a", "d", "e"]));
    assert_eq!(first_names(&code, "super::super::"), of(&["i"]));
    assert_eq!(files, ["more"]);
}

#[test]
fn the_crates_know_nothing_of_ours() {
    let packages = ["hydra_compose", "repro_burn", "repro_ranks", "spectramind"];
    for package in std::fs::read_dir(repository().join("crates")).expect("list crates") {
        let package = package.expect("entry").file_name().into_string().expect("UTF-8");
        let own = package.replace('-', "_");
        for module in modules(&format!("crates/{package}/src")) {
            for other in packages.iter().filter(|other| **other != own) {
                let names = first_names(&module.code, &format!("{other}::"));
                assert!(names.is_empty(), "{}: {other}::{names:?}", module.file);
            }
        }
        let manifest = read(format!("crates/{package}/Cargo.toml"));
        assert!(!manifest.contains("path = \"..") && !manifest.contains("spectramind"), "{package} depends on ours");
    }
}

/// The crates that a package links, by name.
fn linked(arguments: &[&str]) -> BTreeSet<String> {
    let mut command = Command::new(env!("CARGO"));
    command
        .args(["tree", "--edges", "normal", "--prefix", "none", "--offline", "--locked", "--package"])
        .args(arguments);
    let output = command.current_dir(repository()).output().expect("cargo runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().filter_map(|line| line.split(' ').next()).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// Those of some crates that a package links: each name is a crate, or with a dash at its end the beginning of many.
fn linked_of(arguments: &[&str], asked: &[&str]) -> Vec<String> {
    let matches = |name: &str| {
        asked.iter().any(|asked| if asked.ends_with('-') { name.starts_with(asked) } else { name == *asked })
    };
    linked(arguments).into_iter().filter(|name| matches(name)).collect()
}

const ENGINE: [&str; 7] = ["burn", "burn-", "cubecl", "cubecl-", "gemm", "parquet", "safetensors"];
const SIGNING: [&str; 3] = ["ed25519-dalek", "curve25519-dalek", "pkcs8"];
const GIT: [&str; 2] = ["gix", "gix-"];
const GPU: [&str; 8] =
    ["burn-cubecl", "burn-cuda", "burn-wgpu", "cubecl", "cubecl-wgpu", "cubecl-cuda", "cudarc", "wgpu"];
const NOTHING: [String; 0] = [];

#[test]
fn the_composer_is_light() {
    let all = linked(&["hydra-compose"]);
    assert!(all.len() < 40, "{} crates: {all:?}", all.len());
    let heavy = [&ENGINE[..], &SIGNING, &GIT, &["clap", "tokio"]].concat();
    assert_eq!(linked_of(&["hydra-compose"], &heavy), NOTHING);
}

#[test]
fn the_numerics_bring_no_files_keys_or_git() {
    let foreign = [&SIGNING[..], &GIT, &["parquet", "clap", "hydra-compose"]].concat();
    assert_eq!(linked_of(&["repro-burn"], &foreign), NOTHING);
    assert_eq!(linked_of(&["repro-burn"], &["burn-flex"]), ["burn-flex"], "the check would see one");
}

#[test]
fn the_verifier_without_replay_contains_no_tensor_engine() {
    assert_eq!(linked_of(&["spectramind-verify"], &ENGINE), NOTHING);
    let replay = linked_of(&["spectramind-verify", "--features", "replay"], &ENGINE);
    assert!(replay.contains(&"burn".to_owned()), "the check would see an engine: {replay:?}");
}

#[test]
fn the_library_without_features_has_no_engine_no_git_and_no_command_line() {
    let arguments = ["spectramind", "--no-default-features"];
    assert_eq!(linked_of(&arguments, &[&ENGINE[..], &["gix", "clap", "anyhow"]].concat()), NOTHING);
}

#[test]
fn the_default_build_has_no_gpu_crates() {
    assert_eq!(linked_of(&["spectramind"], &GPU), NOTHING);
    assert_eq!(linked_of(&["spectramind-verify", "--features", "replay"], &GPU), NOTHING);
    let with = linked_of(&["spectramind", "--features", "wgpu,cuda"], &GPU);
    assert!(with.contains(&"cubecl-wgpu".to_owned()) && with.contains(&"cudarc".to_owned()), "{with:?}");
}
