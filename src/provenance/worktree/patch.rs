//! Uncommitted changes in git's patch format, as `git apply --binary` takes it: git-diff(1), "Generating patch text".
//!
//! Text as unified hunks, everything with a NUL as `GIT binary patch` literals, which git accepts only when the ids of
//! both sides are right. Nothing is left to `git apply`'s guesses: names are quoted as git quotes them, ids are whole.

use std::io::{self, Write};

use gix::diff::blob::unified_diff::{ConsumeHunk, ContextSize, DiffLineKind, HunkHeader};
use gix::diff::blob::{Algorithm, InternedInput, UnifiedDiff, diff_with_slider_heuristics};
use gix::objs::tree::EntryKind;
use gix::{ObjectId, zlib};

/// One side of a change.
#[derive(Clone, Copy)]
pub(super) struct Side<'a> {
    /// File, executable file or symlink.
    pub(super) kind: EntryKind,
    /// Id of the content as a blob.
    pub(super) id: ObjectId,
    /// The content; of a symlink, its target.
    pub(super) content: &'a [u8],
}

/// The change of the file at `path`; `None` is a side without it. Empty for no change.
///
/// # Errors
/// Only those of `zlib`, which has none for what is in memory.
pub(super) fn section(path: &[u8], old: Option<Side<'_>>, new: Option<Side<'_>>) -> io::Result<Vec<u8>> {
    match (old, new) {
        // Git has no change from a file to a symlink: the one goes and the other comes.
        (Some(old), Some(new)) if is_link(old) != is_link(new) => {
            Ok([section(path, Some(old), None)?, section(path, None, Some(new))?].concat())
        }
        (None, None) => Ok(Vec::new()),
        (Some(old), Some(new)) if (old.kind, old.id) == (new.kind, new.id) => Ok(Vec::new()),
        _ => {
            let mut out = Vec::new();
            change(&mut out, path, old, new)?;
            Ok(out)
        }
    }
}

fn is_link(side: Side<'_>) -> bool {
    side.kind == EntryKind::Link
}

fn change(out: &mut Vec<u8>, path: &[u8], old: Option<Side<'_>>, new: Option<Side<'_>>) -> io::Result<()> {
    let (a, b) = (quoted(b"a/", path), quoted(b"b/", path));
    let mode = |side: Side<'_>| format!("{:06o}", side.kind as u16);
    line(out, &[b"diff --git ", &a, b" ", &b]);
    let mut kept_mode = String::new();
    match (old, new) {
        (Some(old), None) => line(out, &[b"deleted file mode ", mode(old).as_bytes()]),
        (None, Some(new)) => line(out, &[b"new file mode ", mode(new).as_bytes()]),
        (Some(old), Some(new)) if old.kind != new.kind => {
            line(out, &[b"old mode ", mode(old).as_bytes()]);
            line(out, &[b"new mode ", mode(new).as_bytes()]);
        }
        (Some(old), _) => kept_mode = format!(" {}", mode(old)),
        (None, None) => {}
    }
    let kind = [old, new].into_iter().flatten().map(|side| side.id.kind()).next();
    let id = |side: Option<Side<'_>>| side.map(|side| side.id).or(kind.map(ObjectId::null)).map(|id| id.to_string());
    let (old_id, new_id) = (id(old).unwrap_or_default(), id(new).unwrap_or_default());
    if old_id == new_id {
        return Ok(());
    }
    line(out, &[b"index ", old_id.as_bytes(), b"..", new_id.as_bytes(), kept_mode.as_bytes()]);
    let before = old.map_or(&[][..], |side| side.content);
    let after = new.map_or(&[][..], |side| side.content);
    if before.contains(&0) || after.contains(&0) {
        line(out, &[b"GIT binary patch"]);
        literal(out, after)?;
        return literal(out, before);
    }
    if before.is_empty() && after.is_empty() {
        return Ok(());
    }
    // Where a name has a blank, a tab says where it ends.
    let end: &[u8] = if path.contains(&b' ') { b"\t" } else { b"" };
    let name = |side: Option<Side<'_>>, name: &[u8]| match side {
        Some(_) => [name, if name.starts_with(b"\"") { b"" } else { end }].concat(),
        None => b"/dev/null".to_vec(),
    };
    line(out, &[b"--- ", &name(old, &a)]);
    line(out, &[b"+++ ", &name(new, &b)]);
    let input = InternedInput::new(before, after);
    let diff = diff_with_slider_heuristics(Algorithm::Histogram, &input);
    UnifiedDiff::new(&diff, &input, Hunks(out), ContextSize::default()).consume()
}

/// Writes hunks, the missing end of a last line told.
struct Hunks<'a>(&'a mut Vec<u8>);

impl ConsumeHunk for Hunks<'_> {
    type Out = ();

    fn consume_hunk(&mut self, header: HunkHeader, lines: &[(DiffLineKind, &[u8])]) -> io::Result<()> {
        // Of no lines git names the line before them.
        let start = |start: u32, length: u32| if length == 0 { start - 1 } else { start };
        let HunkHeader { before_hunk_start, before_hunk_len, after_hunk_start, after_hunk_len } = header;
        let before = start(before_hunk_start, before_hunk_len);
        let after = start(after_hunk_start, after_hunk_len);
        writeln!(self.0, "@@ -{before},{before_hunk_len} +{after},{after_hunk_len} @@")?;
        for (kind, line) in lines {
            self.0.push(kind.to_prefix() as u8);
            self.0.extend_from_slice(line);
            if !line.ends_with(b"\n") {
                self.0.extend_from_slice(b"\n\\ No newline at end of file\n");
            }
        }
        Ok(())
    }

    fn finish(self) {}
}

fn line(out: &mut Vec<u8>, parts: &[&[u8]]) {
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out.push(b'\n');
}

/// A name as git writes it: quoted as in C when it has a quote, a backslash, or what is no printable ASCII.
fn quoted(prefix: &[u8], path: &[u8]) -> Vec<u8> {
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
    if path.iter().all(is_plain) {
        return [prefix, path].concat();
    }
    let mut quoted = [b"\"", prefix].concat();
    for byte in path {
        match byte {
            b'"' | b'\\' => quoted.extend([b'\\', *byte]),
            byte if is_plain(byte) => quoted.push(*byte),
            byte => quoted.extend(format!("\\{byte:03o}").bytes()),
        }
    }
    quoted.push(b'"');
    quoted
}

/// The bytes deflated, in lines of at most 52 bytes, each with its length and in base 85.
fn literal(out: &mut Vec<u8>, bytes: &[u8]) -> io::Result<()> {
    line(out, &[b"literal ", bytes.len().to_string().as_bytes()]);
    let mut deflate = zlib::stream::deflate::Write::new(Vec::new(), zlib::Compression::DEFAULT);
    deflate.write_all(bytes)?;
    deflate.flush()?;
    for chunk in deflate.into_inner().chunks(52) {
        let length = chunk.len() as u8;
        out.push(if length <= 26 { b'A' + length - 1 } else { b'a' + length - 27 });
        chunk.chunks(4).for_each(|group| out.extend(base85(group)));
        out.push(b'\n');
    }
    out.push(b'\n');
    Ok(())
}

/// Up to four bytes, big-endian and filled up with zeros, as five digits of git's base 85.
fn base85(group: &[u8]) -> [u8; 5] {
    const DIGITS: &[u8; 85] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~";
    let mut filled = [0; 4];
    filled[..group.len()].copy_from_slice(group);
    let mut number = u32::from_be_bytes(filled);
    let mut digits = [0; 5];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(number % 85) as usize];
        number /= 85;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_as_git_quotes_them() {
        for (path, expected) in [
            (&b"dir/a b"[..], &b"a/dir/a b"[..]),
            (b"a\"b", b"\"a/a\\\"b\""),
            (b"a\\b", b"\"a/a\\\\b\""),
            (b"a\nb", b"\"a/a\\012b\""),
            (b"\xff", b"\"a/\\377\""),
            ("é".as_bytes(), b"\"a/\\303\\251\""),
        ] {
            assert_eq!(quoted(b"a/", path), expected, "{}", path.escape_ascii());
        }
    }

    #[test]
    fn base_85_has_gits_digits() {
        assert_eq!(&base85(&[0, 0, 0, 0]), b"00000");
        assert_eq!(&base85(&[255, 255, 255, 255]), b"|NsC0");
        assert_eq!(&base85(&[0, 0, 0, 84]), b"0000~");
        assert_eq!(base85(&[1]), base85(&[1, 0, 0, 0]));
    }
}
