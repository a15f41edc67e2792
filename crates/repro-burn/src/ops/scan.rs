//! Running reductions: one chain in ascending order.
//!
//! yᵢ = yᵢ₋₁ ∘ xᵢ from y₋₁ = +0 (sum), 1 (product), +∞ (min) or −∞ (max). Min and max take xᵢ if it is NaN, or is smaller
//! (larger) than yᵢ₋₁; else they keep yᵢ₋₁, so a NaN stays and of two equal values, ±0 too, the first is kept.

use super::super::kernels::Scan;

/// What the chain starts with.
#[inline(always)]
pub fn start(scan: Scan) -> f32 {
    match scan {
        Scan::Sum => 0.0,
        Scan::Product => 1.0,
        Scan::Min => f32::INFINITY,
        Scan::Max => f32::NEG_INFINITY,
    }
}

/// One step of the chain.
#[inline(always)]
pub fn step(scan: Scan, so_far: f32, x: f32) -> f32 {
    match scan {
        Scan::Sum => so_far + x,
        Scan::Product => so_far * x,
        Scan::Min => {
            if x.is_nan() || x < so_far {
                x
            } else {
                so_far
            }
        }
        Scan::Max => {
            if x.is_nan() || x > so_far {
                x
            } else {
                so_far
            }
        }
    }
}
