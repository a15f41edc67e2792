//! Samples of a plane between its elements, and their gradients: what a deformable convolution has under its kernel.
//!
//! A sample is at a row y and a column x, both f32. If y ≤ −1, y ≥ height, x ≤ −1, x ≥ width or one is NaN, both become
//! −2, where nothing is. Of each, the low neighbour is its floor, the far weight f is the position less the low
//! neighbour, the near weight n is 1 − f. Of the four corners, in the order low-low, low-high, high-low, high-high (row,
//! column), those outside of the plane are +0. Every operation below is rounded.

/// A sample's four corners.
pub struct Sample {
    /// Where they are in the plane; none outside of it.
    pub at: [Option<usize>; 4],
    /// What each counts: the product of a row's and a column's weight.
    pub weights: [f32; 4],
    corners: [f32; 4],
    /// Weights of the low row and column.
    near: [f32; 2],
    /// Weights of the high ones.
    far: [f32; 2],
}

impl Sample {
    /// The corners around `position`, row and column, in a plane of `size`.
    ///
    /// # Panics
    /// When the plane is not of that size.
    pub fn new(plane: &[f32], size: [usize; 2], position: [f32; 2]) -> Self {
        assert_eq!(plane.len(), size[0] * size[1], "a plane that is sampled");
        let inside = (0..2).all(|axis| position[axis] > -1.0 && position[axis] < size[axis] as f32);
        let position = if inside { position } else { [-2.0; 2] };
        let low = position.map(f32::floor);
        let far = [position[0] - low[0], position[1] - low[1]];
        let near = far.map(|far| 1.0 - far);
        let place = |row: f32, column: f32| {
            let within = row >= 0.0 && row < size[0] as f32 && column >= 0.0 && column < size[1] as f32;
            within.then(|| row as usize * size[1] + column as usize)
        };
        let (high_row, high_column) = (low[0] + 1.0, low[1] + 1.0);
        let at =
            [place(low[0], low[1]), place(low[0], high_column), place(high_row, low[1]), place(high_row, high_column)];
        let weights = [near[0] * near[1], near[0] * far[1], far[0] * near[1], far[0] * far[1]];
        Self { at, weights, corners: at.map(|at| at.map_or(0.0, |at| plane[at])), near, far }
    }

    /// w₀·c₀ + w₁·c₁ + w₂·c₂ + w₃·c₃, the sums from the left.
    pub fn value(&self) -> f32 {
        let product = |corner: usize| self.weights[corner] * self.corners[corner];
        ((product(0) + product(1)) + product(2)) + product(3)
    }

    /// How the value changes with the row, n·(c₂ − c₀) + f·(c₃ − c₁) with the column's weights, and with the column,
    /// n·(c₁ − c₀) + f·(c₃ − c₂) with the row's.
    pub fn slopes(&self) -> [f32; 2] {
        let Self { near, far, corners: [c0, c1, c2, c3], .. } = self;
        [near[1] * (c2 - c0) + far[1] * (c3 - c1), near[0] * (c1 - c0) + far[0] * (c3 - c2)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLANE: [f32; 6] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0];

    fn value(y: f32, x: f32) -> f32 {
        Sample::new(&PLANE, [2, 3], [y, x]).value()
    }

    #[test]
    fn a_sample_is_between_its_neighbours_and_fades_out_over_the_edge() {
        assert_eq!(value(1.0, 2.0), 32.0);
        assert_eq!(value(0.5, 0.0), 4.5);
        assert_eq!(value(0.0, 1.25), 2.5);
        assert_eq!(value(-0.5, 0.0), 0.5);
        assert_eq!(value(1.75, 2.5), 4.0);
        for (y, x) in [(-1.0, 0.0), (2.0, 0.0), (0.0, 3.0), (f32::NAN, 1.0), (0.0, f32::INFINITY), (-1e30, 1e30)] {
            assert_eq!(value(y, x).to_bits(), 0, "{y}, {x}");
        }
    }

    #[test]
    fn the_slopes_are_those_of_the_value() {
        let [row, column] = Sample::new(&PLANE, [2, 3], [0.25, 1.5]).slopes();
        assert_eq!(row, (value(0.5, 1.5) - value(0.0, 1.5)) / 0.5);
        assert_eq!(column, (value(0.25, 1.75) - value(0.25, 1.25)) / 0.5);
    }
}
