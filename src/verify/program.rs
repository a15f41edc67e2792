//! The program that trained: was it built from the sources that the record names, and is this verifier?

use super::{Check, VerifiedRun};
use crate::provenance::environment::BuiltFrom;

/// Where the sources of the program that trained are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgramPlace {
    /// In the recorded repository: the program has to be built from the recorded commit.
    Recorded,
    /// Elsewhere, as with an installed program: it has to be the one that this verifier was built with.
    Installed,
}

impl VerifiedRun {
    /// Compares three commits: the recorded one, the one that the trainer's program says it was built from, and the one
    /// that this program was built from, `own`.
    pub fn check_program(&self, place: ProgramPlace, own: Option<&BuiltFrom>) -> Check {
        let mut check = Check::new("program");
        let claim = self.claim();
        let environment = &claim.environment;
        let theirs = environment.built_from.as_ref();
        let recorded = claim.git.as_ref();
        check.note(format!("recorded commit: {}", recorded.map_or("none", |git| git.commit.as_str())));
        check.note(format!("the trainer's program says that it was built from {}", named(theirs)));
        check.note(format!("this verifier was built from {}", named(own)));
        let Some(theirs) = theirs else {
            check.not_checked("the trainer's program does not say what it was built from".into());
            return check;
        };
        let is_own = own.is_some_and(|own| own.commit == theirs.commit);
        if own == Some(theirs) && environment.cargo_lock != BuiltFrom::own_cargo_lock() {
            let (expected, got) = (BuiltFrom::own_cargo_lock(), environment.cargo_lock);
            check.fail(format!(
                "Cargo.lock of commit {}: expected BLAKE3 {expected}, as here, got {got}",
                theirs.commit
            ));
        }
        match place {
            ProgramPlace::Recorded => {
                let Some(git) = recorded else {
                    check.not_checked(
                        "the run was made outside a git repository: there is no commit to compare with".into(),
                    );
                    return check;
                };
                if git.commit != theirs.commit {
                    check.not_checked(
                        "the recorded commit is not the one that the program was built from, so the sources that were checked \
                         are not those of what trained; for a program that was installed: --program installed"
                            .into(),
                    );
                } else if git.clean && !theirs.clean {
                    check.not_checked(
                        "the recorded work tree is clean and the program was built from changed sources: what trained is not in \
                         the recorded commit"
                            .into(),
                    );
                } else if is_own && git.clean && theirs.clean && own == Some(theirs) {
                    check.note("all three are one: a replay here computes from the recorded sources".into());
                } else if is_own {
                    check.note(
                        "all three are one commit, with uncommitted changes: nothing shows that they are the same"
                            .into(),
                    );
                } else {
                    check.note(
                        "the first two are one, and this verifier is another program: a replay here shows that the results do \
                         not depend on which"
                            .into(),
                    );
                }
            }
            ProgramPlace::Installed if is_own => {
                check.note(
                    "the last two are one: a replay here computes with the same program. The recorded commit holds the configs \
                     and says nothing of the program"
                        .into(),
                );
            }
            ProgramPlace::Installed => check.not_checked(format!(
                "this verifier is not the program that trained: expected one built from {}, got one from {}",
                theirs.commit,
                named(own)
            )),
        }
        check
    }
}

fn named(built: Option<&BuiltFrom>) -> String {
    match built {
        Some(BuiltFrom { commit, clean: true }) => commit.to_string(),
        Some(BuiltFrom { commit, clean: false }) => format!("{commit} with uncommitted changes"),
        None => "an unknown commit".to_owned(),
    }
}
