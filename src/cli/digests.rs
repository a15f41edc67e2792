//! The user's cache of digests, so that unchanged data are not read at the start of every run.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use etcetera::{BaseStrategy, choose_base_strategy};

use crate::failure::Failure;
use crate::provenance::data::DigestCache;

/// The user's cache, if it is wanted and there is a place for it. A cache that cannot be used is a warning, never a failure.
pub struct Digests {
    opened: Option<(PathBuf, DigestCache)>,
    /// Whether it was said that it cannot be kept: once is enough.
    is_refused: AtomicBool,
}

impl Digests {
    /// Opens it.
    pub fn open(wanted: bool) -> Self {
        let folder = wanted.then(choose_base_strategy).and_then(|place| place.ok()).map(|place| place.cache_dir());
        let opened = folder.map(|folder| {
            let (cache, fault) = DigestCache::open(&folder.join("spectramind"), SystemTime::now());
            if let Some(fault) = fault {
                eprintln!("Warning: {}: it is ignored, and written anew", Failure::from(fault));
            }
            (folder, cache)
        });
        Self { opened, is_refused: AtomicBool::new(false) }
    }

    /// The cache.
    pub fn cache(&self) -> Option<&DigestCache> {
        self.opened.as_ref().map(|(_, cache)| cache)
    }

    /// Keeps what was learnt so far.
    pub fn save(&self) {
        if let Some((folder, cache)) = &self.opened
            && let Err(error) = cache.save()
            && !self.is_refused.swap(true, Ordering::Relaxed)
        {
            eprintln!("Warning: the cache of digests in {} cannot be written: {error}", folder.display());
        }
    }
}

/// What was learnt is kept whatever comes of the work.
impl Drop for Digests {
    fn drop(&mut self) {
        self.save();
    }
}
