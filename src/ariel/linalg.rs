//! Small dense linear algebra in float64, in a fixed order of sums.

/// A symmetric positive definite matrix, factorised as L Lᵀ.
#[derive(Debug, Clone)]
pub struct Cholesky {
    size: usize,
    /// Row by row; above the diagonal is nothing of meaning.
    lower: Vec<f64>,
}

impl Cholesky {
    /// Factorises `matrix`, `[size, size]`; `None` when it is not positive definite.
    pub fn of(mut matrix: Vec<f64>, size: usize) -> Option<Self> {
        assert_eq!(matrix.len(), size * size, "a square matrix");
        for row in 0..size {
            let (above, below) = matrix.split_at_mut(row * size);
            let this = &mut below[..size];
            for column in 0..=row {
                let mut value = this[column];
                if column < row {
                    let other = &above[column * size..column * size + column + 1];
                    for (a, b) in this[..column].iter().zip(other) {
                        value -= a * b;
                    }
                    this[column] = value / other[column];
                } else {
                    for a in &this[..column] {
                        value -= a * a;
                    }
                    if !(value > 0.0 && value.is_finite()) {
                        return None;
                    }
                    this[column] = value.sqrt();
                }
            }
        }
        Some(Self { size, lower: matrix })
    }

    /// Solves A x = b in place.
    pub fn solve(&self, b: &mut [f64]) {
        self.solve_lower(b);
        for row in (0..self.size).rev() {
            b[row] /= self.lower[row * self.size + row];
            let value = b[row];
            for (column, below) in b[..row].iter_mut().enumerate() {
                *below -= self.lower[row * self.size + column] * value;
            }
        }
    }

    /// Solves L x = b in place.
    pub fn solve_lower(&self, b: &mut [f64]) {
        for row in 0..self.size {
            let mut value = b[row];
            let line = &self.lower[row * self.size..];
            for (a, x) in line[..row].iter().zip(&*b) {
                value -= a * x;
            }
            b[row] = value / line[row];
        }
    }

    /// The inverse, `[size, size]`.
    pub fn inverse(&self) -> Vec<f64> {
        let mut inverse = vec![0.0; self.size * self.size];
        for (index, row) in inverse.chunks_exact_mut(self.size).enumerate() {
            row[index] = 1.0;
            self.solve(row);
        }
        inverse
    }
}

/// Eigenvalues, largest first, and their unit vectors, of a symmetric matrix `[size, size]`: cyclic Jacobi rotations.
pub fn symmetric_eigen(mut matrix: Vec<f64>, size: usize) -> Vec<(f64, Vec<f64>)> {
    let mut vectors = vec![0.0; size * size];
    (0..size).for_each(|index| vectors[index * size + index] = 1.0);
    for _ in 0..60 {
        let mut off = 0.0;
        let mut diagonal = 0.0;
        for row in 0..size {
            diagonal += matrix[row * size + row] * matrix[row * size + row];
            for column in row + 1..size {
                off += matrix[row * size + column] * matrix[row * size + column];
            }
        }
        if off <= 1e-26 * diagonal {
            break;
        }
        for p in 0..size {
            for q in p + 1..size {
                let apq = matrix[p * size + q];
                if apq == 0.0 {
                    continue;
                }
                let theta = (matrix[q * size + q] - matrix[p * size + p]) / (2.0 * apq);
                let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
                let c = 1.0 / (t * t + 1.0).sqrt();
                let s = t * c;
                let rotate = |values: &mut [f64], p: usize, q: usize| {
                    (values[p], values[q]) = (c * values[p] - s * values[q], s * values[p] + c * values[q]);
                };
                for i in 0..size {
                    rotate(&mut matrix, i * size + p, i * size + q);
                }
                for i in 0..size {
                    rotate(&mut matrix, p * size + i, q * size + i);
                    rotate(&mut vectors, p * size + i, q * size + i);
                }
            }
        }
    }
    let mut pairs: Vec<(f64, Vec<f64>)> = (0..size)
        .map(|index| (matrix[index * size + index], vectors[index * size..(index + 1) * size].to_vec()))
        .collect();
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    /// B Bᵀ + I of some B.
    fn positive(size: usize) -> Vec<f64> {
        let b = |i: usize, j: usize| ((7 * i + 3 * j) % 11) as f64 / 5.0 - 1.0;
        let mut matrix = vec![0.0; size * size];
        for i in 0..size {
            for j in 0..size {
                let sum: f64 = (0..size).map(|k| b(i, k) * b(j, k)).sum();
                matrix[i * size + j] = sum + f64::from(u8::from(i == j));
            }
        }
        matrix
    }

    fn times(matrix: &[f64], x: &[f64]) -> Vec<f64> {
        matrix.chunks_exact(x.len()).map(|row| row.iter().zip(x).map(|(a, x)| a * x).sum()).collect()
    }

    #[test]
    fn a_solution_solves_and_an_inverse_inverts() {
        let matrix = positive(6);
        let b: Vec<f64> = (0..6).map(|i| f64::from(i) - 2.5).collect();
        let cholesky = Cholesky::of(matrix.clone(), 6).expect("positive");
        let mut x = b.clone();
        cholesky.solve(&mut x);
        assert!(times(&matrix, &x).iter().zip(&b).all(|(got, want)| (got - want).abs() < 1e-12), "{x:?}");
        let inverse = cholesky.inverse();
        let again = times(&inverse, &b);
        assert!(again.iter().zip(&x).all(|(got, want)| (got - want).abs() < 1e-12));
    }

    #[test]
    fn what_is_not_positive_definite_is_told() {
        assert!(Cholesky::of(vec![1.0, 2.0, 2.0, 1.0], 2).is_none());
        assert!(Cholesky::of(vec![f64::NAN], 1).is_none());
    }

    #[test]
    fn eigenvectors_are_only_stretched_and_come_largest_first() {
        let matrix = positive(5);
        let pairs = symmetric_eigen(matrix.clone(), 5);
        assert!(pairs.windows(2).all(|pair| pair[0].0 >= pair[1].0));
        for (value, vector) in &pairs {
            let stretched = times(&matrix, vector);
            assert!(stretched.iter().zip(vector).all(|(s, v)| (s - value * v).abs() < 1e-10), "{value}");
        }
        let trace: f64 = (0..5).map(|i| matrix[i * 6]).sum();
        assert!((pairs.iter().map(|pair| pair.0).sum::<f64>() - trace).abs() < 1e-10);
    }
}
