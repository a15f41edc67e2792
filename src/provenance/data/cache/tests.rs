//! What is remembered, what is not, and files that are no cache.

use std::fs;

use tempfile::TempDir;

use super::super::{HashedData, ReadData};
use super::*;
use crate::provenance::md5::Md5Kind;

/// A data set, the folder of a cache, and a time at which the data are old.
fn old_data() -> (TempDir, TempDir, SystemTime) {
    let data = tempfile::tempdir().expect("a temporary directory");
    fs::create_dir(data.path().join("sub")).expect("a folder");
    fs::write(data.path().join("a"), "one").expect("a file");
    fs::write(data.path().join("sub/b"), "two\r\n").expect("a file");
    (data, tempfile::tempdir().expect("a temporary directory"), SystemTime::now() + Duration::from_secs(60))
}

fn hashed(data: &Path, cache: &DigestCache, kinds: Md5Kinds) -> HashedData {
    HashedData::remembered(data, |_| kinds, cache).expect("acceptable data")
}

fn open(folder: &Path, now: SystemTime) -> DigestCache {
    let (cache, fault) = DigestCache::open(folder, now);
    assert!(fault.is_none(), "{fault:?}");
    cache
}

/// Remembers the data set and returns what was found.
fn remember(data: &Path, folder: &Path, now: SystemTime, kinds: Md5Kinds) -> HashedData {
    let cache = open(folder, now);
    let found = hashed(data, &cache, kinds);
    cache.save().expect("written");
    found
}

const ALL: Md5Kinds = Md5Kinds { bytes: true, dos2unix: true };

/// Rewrites the cache file with another first BLAKE3 digit of every entry, and a right digest of the whole.
fn poison(folder: &Path) {
    let mut entries = load(&folder.join(FILE)).expect("a cache");
    entries.values_mut().for_each(|content| content.blake3 = Blake3Digest::from_bytes([7; 32]));
    fs::write(folder.join(FILE), written(entries.iter())).expect("written");
}

#[test]
fn what_was_read_is_remembered_with_its_md5s() {
    let (data, folder, now) = old_data();
    let first = remember(data.path(), folder.path(), now, ALL);
    assert_eq!(first, HashedData::from(ReadData::of_tree_with(data.path(), |_| ALL).expect("acceptable data")));
    let cache = open(folder.path(), now);
    assert_eq!(hashed(data.path(), &cache, ALL), first);
    assert!(cache.fresh.lock().expect("no panic").is_empty(), "nothing was read");
    let few = hashed(data.path(), &cache, Md5Kinds::only(Md5Kind::Bytes));
    assert_eq!(few.md5("a", Md5Kind::Dos2Unix), None, "what is asked for does not depend on what is remembered");
}

#[test]
fn a_file_whose_md5_is_not_remembered_is_read() {
    let (data, folder, now) = old_data();
    remember(data.path(), folder.path(), now, Md5Kinds::NONE);
    let cache = open(folder.path(), now);
    assert!(hashed(data.path(), &cache, ALL).md5("sub/b", Md5Kind::Dos2Unix).is_some());
    assert_eq!(cache.fresh.lock().expect("no panic").len(), 2);
}

#[test]
fn a_file_that_was_written_just_now_is_not_remembered() {
    let (data, folder, _) = old_data();
    remember(data.path(), folder.path(), SystemTime::now(), Md5Kinds::NONE);
    assert!(!folder.path().join(FILE).exists());
}

#[test]
fn a_change_with_the_same_size_and_time_of_writing_is_seen() {
    let (data, folder, now) = old_data();
    let first = remember(data.path(), folder.path(), now, Md5Kinds::NONE);
    let path = data.path().join("a");
    let written = fs::metadata(&path).and_then(|found| found.modified()).expect("a time");
    fs::write(&path, "two").expect("written");
    File::options().write(true).open(&path).and_then(|file| file.set_modified(written)).expect("the old time");
    let second = remember(data.path(), folder.path(), now, Md5Kinds::NONE);
    assert_ne!(first.manifest().files()[0].blake3, second.manifest().files()[0].blake3);
}

#[test]
fn a_poisoned_cache_does_not_survive_reading() {
    let (data, folder, now) = old_data();
    remember(data.path(), folder.path(), now, Md5Kinds::NONE);
    poison(folder.path());
    let believed = hashed(data.path(), &open(folder.path(), now), Md5Kinds::NONE);
    let read = ReadData::of_tree(data.path()).expect("acceptable data");
    assert_eq!(believed.manifest().compare(&read).len(), 2, "the check at the end of a run");
}

#[test]
fn a_file_that_is_no_cache_is_ignored_as_a_whole_and_replaced() {
    let (data, folder, now) = old_data();
    let first = remember(data.path(), folder.path(), now, ALL);
    let path = folder.path().join(FILE);
    let good = fs::read(&path).expect("a cache");
    let mut flipped = good.clone();
    *flipped.last_mut().expect("not empty") ^= 1;
    let truncated = good[..good.len() - 1].to_vec();
    let body = "1 2 3 4 5 6\n";
    let foreign = format!("{MAGIC} {}\n{body}", blake3::hash(body.as_bytes()));
    for wrong in [flipped, truncated, foreign.into_bytes(), b"\xff\xfe".to_vec(), Vec::new()] {
        fs::write(&path, &wrong).expect("written");
        let (cache, fault) = DigestCache::open(folder.path(), now);
        assert!(matches!(fault, Some(CacheFault::Shape { .. })), "{wrong:?}");
        assert_eq!(hashed(data.path(), &cache, ALL), first);
        cache.save().expect("written");
        assert_eq!(fs::read(&path).expect("a cache"), good);
    }
}

#[test]
fn a_cache_that_is_a_named_pipe_is_never_opened() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let made = std::process::Command::new("mkfifo").arg(folder.path().join(FILE)).status().expect("mkfifo runs");
    assert!(made.success());
    let (_, fault) = DigestCache::open(folder.path(), SystemTime::now());
    assert!(matches!(fault, Some(CacheFault::Shape { .. })));
}

#[test]
fn runs_at_once_leave_a_whole_cache_with_what_each_found_there() {
    let (data, folder, now) = old_data();
    let (other, _, _) = old_data();
    // Both open it before either has written.
    let caches = [open(folder.path(), now), open(folder.path(), now)];
    for (cache, root) in caches.into_iter().zip([data.path(), other.path()]) {
        hashed(root, &cache, Md5Kinds::NONE);
        cache.save().expect("written");
    }
    assert_eq!(open(folder.path(), now).known.len(), 4);
}
