//! Tables of weights: which positions of an axis make a position of another one.
//!
//! Interpolation and average pooling are such tables, one per axis; their gradients are the transposed tables. A table
//! is made on the host, in integers and f64, so every device works with the same f32 weights.

/// For each output position of an axis, the input positions that it is made of, and their weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Taps {
    /// Size of the axis that is read.
    pub inputs: usize,
    /// Output o has the taps from `starts[o]` up to `starts[o + 1]`; one longer than the axis that is made.
    pub starts: Vec<u32>,
    /// Input position of each tap, below `inputs`.
    pub sources: Vec<u32>,
    /// Weight of each tap.
    pub weights: Vec<f32>,
}

impl Taps {
    /// A table with no output yet.
    pub fn new(inputs: usize) -> Self {
        Self { inputs, starts: vec![0], sources: Vec::new(), weights: Vec::new() }
    }

    /// Appends an output. Taps of weight zero are left out: a position that takes no part does not spread its NaN.
    ///
    /// # Panics
    /// When a source is outside of the axis, or the table is larger than 2³² taps.
    pub fn push(&mut self, taps: impl IntoIterator<Item = (usize, f32)>) {
        for (source, weight) in taps {
            assert!(source < self.inputs, "tap {source} of an axis of {}", self.inputs);
            if weight != 0.0 {
                self.sources.push(u32::try_from(source).expect("an axis is shorter than 2³²"));
                self.weights.push(weight);
            }
        }
        self.starts.push(u32::try_from(self.sources.len()).expect("a table is shorter than 2³²"));
    }

    /// Size of the axis that is made.
    pub fn outputs(&self) -> usize {
        self.starts.len() - 1
    }

    /// Input positions and weights of `output`, in order.
    #[inline(always)]
    pub fn of(&self, output: usize) -> impl Iterator<Item = (usize, f32)> {
        let taps = self.starts[output] as usize..self.starts[output + 1] as usize;
        self.sources[taps.clone()].iter().map(|source| *source as usize).zip(self.weights[taps].iter().copied())
    }

    /// The adjoint: from outputs to inputs, the taps of each in ascending order of the output.
    pub fn transposed(&self) -> Self {
        let mut lists = vec![Vec::new(); self.inputs];
        for output in 0..self.outputs() {
            for (source, weight) in self.of(output) {
                lists[source].push((output, weight));
            }
        }
        let mut transposed = Self::new(self.outputs());
        for list in lists {
            transposed.push(list);
        }
        transposed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transpose_of_the_transpose_is_the_table() {
        let mut taps = Taps::new(4);
        taps.push([(0, 1.0), (1, 0.0), (3, 2.0)]);
        taps.push([]);
        taps.push([(3, 0.5), (3, 0.25)]);
        let transposed = taps.transposed();
        assert_eq!(transposed.outputs(), 4);
        assert_eq!(transposed.of(3).collect::<Vec<_>>(), [(0, 2.0), (2, 0.5), (2, 0.25)]);
        assert_eq!(transposed.transposed(), taps);
    }
}
