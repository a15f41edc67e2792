//! Composes a tree under overrides and prints it as YAML, each key with what set it.
//!
//! ```sh
//! cargo run --package hydra-compose --example compose -- configs train trainer.max_epochs=3
//! ```

use std::path::Path;
use std::process::ExitCode;

use hydra_compose::{Composer, Config, ConfigError, SearchPath};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [directory, name, overrides @ ..] = &arguments[..] else {
        eprintln!("usage: compose DIR NAME [OVERRIDE…]");
        return ExitCode::from(2);
    };
    match composed(Path::new(directory), name, overrides) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("Error: {error}");
            if let Some(hint) = error.hint() {
                eprintln!("Hint: {hint}");
            }
            ExitCode::FAILURE
        }
    }
}

/// What is printed. The environment, the directory and the time are this program's; the crate reads none of them.
fn composed(directory: &Path, name: &str, overrides: &[String]) -> Result<String, ConfigError> {
    let config = Composer::new(SearchPath::of_directory(directory))
        .env(std::env::vars().collect())
        .cwd(std::env::current_dir().unwrap_or_default())
        .now(jiff::Zoned::now())
        .compose(name, overrides)?;
    for warning in config.warnings() {
        eprintln!("Warning: {warning}");
    }
    Ok(config.resolve()?.to_yaml() + &origins(&config))
}

/// A comment for each key that holds a value: what set it, and what it was before.
fn origins(config: &Config) -> String {
    let mut text = String::new();
    for (path, key) in config.origins() {
        text += &format!("# {path}: {}", key.origin);
        for lost in key.overridden.iter().rev() {
            text += &format!(", before {} by {}", lost.value, lost.origin);
        }
        text += "\n";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_is_printed_with_what_set_each_key() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("db")).expect("a folder");
        std::fs::write(folder.path().join("app.yaml"), "defaults: [db: small, _self_]\nurl: ${db.host}:80\n")
            .expect("a file");
        std::fs::write(folder.path().join("db/small.yaml"), "host: localhost\nsize: 1\n").expect("a file");
        let text = composed(folder.path(), "app", &["db.size=2".to_owned()]).expect("a legal tree");
        let text = text.replace(&format!("{}/", folder.path().display()), "");
        let expected = "db:\n  host: localhost\n  size: 2\nurl: localhost:80\n\
            # db: db/small.yaml:1:1\n# db.host: db/small.yaml:1:1\n\
            # db.size: override db.size=2, before 1 by db/small.yaml:2:1\n# url: app.yaml:2:1\n";
        assert_eq!(text, expected);
    }
}
