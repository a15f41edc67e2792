//! A Merkle log of RFC 6962's shape over BLAKE3: append, root, inclusion and consistency proofs.
//!
//! Leaf hash = BLAKE3(0x00 ‖ data), node hash = BLAKE3(0x01 ‖ left ‖ right), the root of an empty log is BLAKE3 of
//! nothing; a log of n > 1 leaves splits at the largest power of two below n (RFC 6962 §2.1, with BLAKE3 for SHA-256).

use crate::digest::Blake3Digest;

/// Hash of one leaf's bytes.
pub fn leaf_hash(data: &[u8]) -> Blake3Digest {
    let mut hasher = blake3::Hasher::new();
    // The prefixes keep a leaf from being passed off as a node (second preimage).
    hasher.update(&[0]).update(data);
    Blake3Digest::from_bytes(*hasher.finalize().as_bytes())
}

fn node_hash(left: &Blake3Digest, right: &Blake3Digest) -> Blake3Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[1]).update(left.as_bytes()).update(right.as_bytes());
    Blake3Digest::from_bytes(*hasher.finalize().as_bytes())
}

/// The largest power of two strictly below `count`, which must be at least 2.
fn split(count: usize) -> usize {
    1 << (usize::BITS - 1 - (count - 1).leading_zeros())
}

/// An append-only log of leaf hashes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MerkleLog {
    leaves: Vec<Blake3Digest>,
}

impl MerkleLog {
    /// An empty log.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a leaf and returns its hash.
    pub fn append(&mut self, data: &[u8]) -> Blake3Digest {
        let hash = leaf_hash(data);
        self.leaves.push(hash);
        hash
    }

    /// Number of leaves.
    pub fn len(&self) -> usize {
        self.leaves.len()
    }

    /// Whether there is no leaf.
    pub fn is_empty(&self) -> bool {
        self.leaves.is_empty()
    }

    /// The root over all leaves.
    pub fn root(&self) -> Blake3Digest {
        root(&self.leaves)
    }

    /// The audit path of leaf `index`, from the leaf up; `None` when there is no such leaf.
    pub fn inclusion_proof(&self, index: usize) -> Option<Vec<Blake3Digest>> {
        (index < self.len()).then(|| path(index, &self.leaves))
    }

    /// Proof that the log of the first `old` leaves is a prefix of this one; `None` when `old` is 0 or too large.
    pub fn consistency_proof(&self, old: usize) -> Option<Vec<Blake3Digest>> {
        (0 < old && old <= self.len()).then(|| subproof(old, &self.leaves, true))
    }
}

fn root(leaves: &[Blake3Digest]) -> Blake3Digest {
    match leaves {
        [] => Blake3Digest::from_bytes(*blake3::hash(b"").as_bytes()),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node_hash(&root(left), &root(right))
        }
    }
}

fn path(index: usize, leaves: &[Blake3Digest]) -> Vec<Blake3Digest> {
    if leaves.len() <= 1 {
        return Vec::new();
    }
    let middle = split(leaves.len());
    let (left, right) = leaves.split_at(middle);
    let (mut proof, sibling) =
        if index < middle { (path(index, left), root(right)) } else { (path(index - middle, right), root(left)) };
    proof.push(sibling);
    proof
}

fn subproof(old: usize, leaves: &[Blake3Digest], whole: bool) -> Vec<Blake3Digest> {
    if old == leaves.len() {
        return if whole { Vec::new() } else { vec![root(leaves)] };
    }
    let middle = split(leaves.len());
    let (left, right) = leaves.split_at(middle);
    let (mut proof, sibling) = if old <= middle {
        (subproof(old, left, whole), root(right))
    } else {
        (subproof(old - middle, right, false), root(left))
    };
    proof.push(sibling);
    proof
}

/// Whether `proof` shows that the leaf with hash `leaf` is number `index` of the `size` leaves under `root`.
pub fn verify_inclusion(
    leaf: &Blake3Digest,
    index: usize,
    size: usize,
    proof: &[Blake3Digest],
    root: &Blake3Digest,
) -> bool {
    // RFC 9162 §2.1.3.2.
    if index >= size {
        return false;
    }
    let (mut fn_, mut sn, mut hash) = (index, size - 1, *leaf);
    for sibling in proof {
        if sn == 0 {
            return false;
        }
        if fn_ & 1 == 1 || fn_ == sn {
            hash = node_hash(sibling, &hash);
            while fn_ & 1 == 0 && fn_ != 0 {
                fn_ >>= 1;
                sn >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        fn_ >>= 1;
        sn >>= 1;
    }
    sn == 0 && hash == *root
}

/// Whether `proof` shows that the log of `old_size` leaves under `old_root` is a prefix of the log of `new_size`
/// leaves under `new_root`.
pub fn verify_consistency(
    old_size: usize,
    old_root: &Blake3Digest,
    new_size: usize,
    new_root: &Blake3Digest,
    proof: &[Blake3Digest],
) -> bool {
    // RFC 9162 §2.1.4.2.
    if old_size == 0 || old_size > new_size {
        return false;
    }
    if old_size == new_size {
        return proof.is_empty() && old_root == new_root;
    }
    let mut hashes = proof.iter();
    let seed = if old_size.is_power_of_two() { Some(old_root) } else { hashes.next() };
    let Some(&seed) = seed else { return false };
    let (mut fn_, mut sn) = (old_size - 1, new_size - 1);
    while fn_ & 1 == 1 {
        fn_ >>= 1;
        sn >>= 1;
    }
    let (mut old, mut new) = (seed, seed);
    for sibling in hashes {
        if sn == 0 {
            return false;
        }
        if fn_ & 1 == 1 || fn_ == sn {
            old = node_hash(sibling, &old);
            new = node_hash(sibling, &new);
            while fn_ & 1 == 0 && fn_ != 0 {
                fn_ >>= 1;
                sn >>= 1;
            }
        } else {
            new = node_hash(&new, sibling);
        }
        fn_ >>= 1;
        sn >>= 1;
    }
    sn == 0 && old == *old_root && new == *new_root
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(count: usize) -> MerkleLog {
        let mut log = MerkleLog::new();
        for index in 0..count {
            log.append(format!("leaf {index}").as_bytes());
        }
        log
    }

    #[test]
    fn every_leaf_of_every_small_log_is_provably_included_and_no_other_is() {
        for size in 1..34 {
            let log = log(size);
            for index in 0..size {
                let proof = log.inclusion_proof(index).expect("index < size");
                let leaf = leaf_hash(format!("leaf {index}").as_bytes());
                assert!(verify_inclusion(&leaf, index, size, &proof, &log.root()));
                assert!(!verify_inclusion(&leaf_hash(b"other"), index, size, &proof, &log.root()));
                assert!(!verify_inclusion(&leaf, (index + 1) % size, size, &proof, &log.root()) || size == 1);
            }
            assert_eq!(log.inclusion_proof(size), None);
        }
    }

    #[test]
    fn every_prefix_is_provably_consistent_and_a_changed_history_is_not() {
        for size in 1..34 {
            let new = log(size);
            for old_size in 1..=size {
                let old = log(old_size);
                let proof = new.consistency_proof(old_size).expect("0 < old <= size");
                assert!(verify_consistency(old_size, &old.root(), size, &new.root(), &proof));
                let forged = leaf_hash(b"forged");
                assert!(!verify_consistency(old_size, &forged, size, &new.root(), &proof));
                assert!(!verify_consistency(old_size, &old.root(), size, &forged, &proof));
            }
        }
    }

    #[test]
    fn a_leaf_is_never_a_node() {
        let two = log(2);
        let mut forged = Vec::new();
        forged.extend_from_slice(leaf_hash(b"leaf 0").as_bytes());
        forged.extend_from_slice(leaf_hash(b"leaf 1").as_bytes());
        assert_ne!(leaf_hash(&forged), two.root());
    }
}
