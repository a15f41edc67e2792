//! A shape seen from one of its dimensions.

use burn_backend::Shape;

/// The columns along one dimension of a row-major tensor.
pub struct Columns {
    /// Elements of a column.
    pub length: usize,
    /// Product of the sizes of the dimensions after it: the distance between the elements of a column.
    pub inner: usize,
    /// The shape with that dimension reduced to 1; it has an element per column.
    pub reduced: Shape,
}

impl Columns {
    /// # Panics
    /// When there is no such dimension.
    pub fn new(shape: &Shape, dim: usize) -> Self {
        assert!(dim < shape.num_dims(), "dimension {dim} of a tensor of rank {}", shape.num_dims());
        let mut reduced = shape.clone();
        reduced[dim] = 1;
        Self { length: shape[dim], inner: shape[dim + 1..].iter().product(), reduced }
    }
}
