//! `TransactionOps`: reads of several tensors at once, through this backend's own reads.

use burn_backend::ops::TransactionOps;

use super::backend::Repro;
use super::kernels::Kernels;
use super::table::backend_ops;

backend_ops! {
    /// How each method of `TransactionOps` is treated.
    TRANSACTION: TransactionOps {
        exact {}
        replaced {}
        composed { tr_execute }
        refused {}
        refused_below {}
    }
}
