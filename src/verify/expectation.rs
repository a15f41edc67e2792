//! Which run the checker asked for: a good signature on an old manifest must not pass for another run.

use super::{Check, VerifiedRun};

/// What the checker expects to be signed. Nothing of it comes from the manifest: whoever asks knows what they asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expectation {
    /// The run's id.
    pub run: Option<String>,
    /// The challenge it was made for.
    pub challenge: Option<String>,
    /// The nonce that the checker handed out for it.
    pub nonce: Option<String>,
}

impl VerifiedRun {
    /// The run, if it is the one expected; otherwise the `signature` check fails by every difference.
    ///
    /// The comparison is exact: no case folding, no trimming, and an absent value equals nothing.
    pub fn expect(self, expected: &Expectation, signature: &mut Check) -> Option<Self> {
        let claim = &self.claim().run;
        let pairs = [
            ("run id", &expected.run, Some(&claim.id)),
            ("challenge", &expected.challenge, claim.challenge.as_ref()),
            ("nonce", &expected.nonce, claim.nonce.as_ref()),
        ];
        let asked = || pairs.iter().filter_map(|(what, expected, got)| Some((what, expected.as_ref()?, got)));
        let mut is_expected = true;
        for (what, expected, got) in asked() {
            if *got != Some(expected) {
                let got = got.map_or("none".to_owned(), |got| format!("{got:?}"));
                let finding = format!("{what}: expected {expected:?}, got {got}");
                signature.fail_at(&self.root.join(super::MANIFEST), finding);
                is_expected = false;
            }
        }
        match asked().map(|(what, ..)| *what).collect::<Vec<_>>() {
            none if none.is_empty() => signature.note(
                "no run id, challenge or nonce was expected: an old manifest of another run would pass here as well"
                    .into(),
            ),
            asked if is_expected => signature.note(format!("{} as expected", asked.join(", "))),
            _ => {}
        }
        is_expected.then_some(self)
    }
}
