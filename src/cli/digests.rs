//! The user's cache of digests, so that unchanged data are not read at the start of every run.

use std::time::SystemTime;

use crate::failure::{Failure, Result};
use crate::provenance::data::DigestCache;
use etcetera::{BaseStrategy, choose_base_strategy};

/// Does the work with the user's cache, if it is wanted and there is a place for it, and keeps what it learnt, whatever
/// comes of the work. A cache that cannot be used is a warning, never a failure.
pub fn with_cache<T>(wanted: bool, work: impl FnOnce(Option<&DigestCache>) -> Result<T>) -> Result<T> {
    let Some(folder) = wanted.then(choose_base_strategy).and_then(Result::ok).map(|place| place.cache_dir()) else {
        return work(None);
    };
    let (cache, fault) = DigestCache::open(&folder.join("spectramind"), SystemTime::now());
    if let Some(fault) = fault {
        eprintln!("Warning: {}: it is ignored, and written anew", Failure::from(fault));
    }
    let done = work(Some(&cache));
    if let Err(error) = cache.save() {
        eprintln!("Warning: the cache of digests in {} cannot be written: {error}", folder.display());
    }
    done
}
