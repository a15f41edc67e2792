//! The remotes of a repository, without what could let somebody in.

use gix::Repository;
use gix::bstr::{BStr, BString, ByteSlice};
use gix::url::Scheme;

use super::printable;
use crate::provenance::git::RemoteRecord;

/// Most remotes that a record names.
const MAX_REMOTES: usize = 32;

/// The remotes of the repository's own configuration, sorted by name, the first [`MAX_REMOTES`]. Where a remote has
/// several URLs, each counts.
pub(super) fn remotes(repository: &Repository) -> Vec<RemoteRecord> {
    let config = repository.config_snapshot();
    let sections = config.plumbing().sections_by_name("remote").into_iter().flatten();
    let mut remotes: Vec<_> = sections
        .filter_map(|section| Some((printable(section.header().subsection_name()?), section.values("url"))))
        .flat_map(|(name, urls)| urls.into_iter().map(move |url| (name.clone(), url)))
        .map(|(name, url)| RemoteRecord { name, url: without_credentials(url.as_bstr()) })
        .collect();
    remotes.sort_by(|left, right| (&left.name, &left.url).cmp(&(&right.name, &right.url)));
    remotes.truncate(MAX_REMOTES);
    remotes
}

/// The URL without user, password, query and fragment; `None` for what cannot be read as one, and for a command or the
/// address of a remote helper, which can hold a secret anywhere. `user@host:path` keeps its user, who has no password.
fn without_credentials(url: &BStr) -> Option<String> {
    let mut url = gix::url::parse(url).ok()?;
    match url.scheme {
        Scheme::Ext | Scheme::Helper(_) | Scheme::HelperUrl(_) => return None,
        // `user:password@host:path`: git takes `user` for the host and the rest for the path.
        Scheme::Ssh if url.serialize_alternative_form => {
            return (!url.path.contains(&b'@')).then(|| printable(url.to_bstring().as_bstr()));
        }
        Scheme::Ssh | Scheme::Git | Scheme::Http | Scheme::Https => {
            url.set_user(None);
            url.set_password(None);
        }
        Scheme::File => {}
    }
    let whole: BString = url.to_bstring();
    let end = if url.host.is_some() { whole.find_byteset(b"?#").unwrap_or(whole.len()) } else { whole.len() };
    Some(printable(whole[..end].as_bstr()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_lets_somebody_in_is_kept() {
        for (url, expected) in [
            ("https://example.org/a.git", Some("https://example.org/a.git")),
            ("https://token@example.org/a.git", Some("https://example.org/a.git")),
            ("https://user:secret@example.org:8443/a.git", Some("https://example.org:8443/a.git")),
            ("https://user:p%40ss@example.org/a.git", Some("https://example.org/a.git")),
            ("https://x-access-token:secret@example.org/a", Some("https://example.org/a")),
            ("https://example.org/a.git?private_token=secret", Some("https://example.org/a.git")),
            ("https://example.org/a.git#secret", Some("https://example.org/a.git")),
            ("http://user@example.org/a", Some("http://example.org/a")),
            ("ssh://git:secret@example.org:2222/a.git", Some("ssh://example.org:2222/a.git")),
            ("git://example.org/a.git", Some("git://example.org/a.git")),
            ("git@example.org:team/a.git", Some("git@example.org:team/a.git")),
            ("user:secret@example.org:team/a.git", None),
            ("example.org:team/a.git", Some("example.org:team/a.git")),
            ("/srv/git/a.git", Some("/srv/git/a.git")),
            ("../a?b#c", Some("../a?b#c")),
            ("file:///srv/git/a.git", Some("file:///srv/git/a.git")),
            ("ext::sh -c 'login secret'", None),
            ("helper::https://token@example.org/a", None),
            ("s3://key:secret@bucket/a", None),
            ("https://user:secret@example.org:port/a", None),
            ("", None),
        ] {
            let got = without_credentials(url.into());
            assert_eq!(got.as_deref(), expected, "{url}");
            assert!(!got.unwrap_or_default().contains("secret"), "{url}");
        }
    }
}
