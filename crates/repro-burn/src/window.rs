//! Windows that slide over an image: the geometry that convolutions and pools share.
//!
//! An image has three spatial axes; one with fewer has leading axes of size 1. Not here: what is done with the elements
//! of a window (see [`ops`](super::ops)).

use std::ops::Range;

/// How a kernel slides along one axis.
///
/// Output o reads, through kernel position k, the input at o · stride + k · dilation − padding; outside of the input it
/// reads padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Axis {
    /// Size of the input.
    pub input: usize,
    /// Size of the kernel.
    pub kernel: usize,
    /// Distance of neighbouring outputs in the input; not 0.
    pub stride: usize,
    /// Positions before the input.
    pub padding: usize,
    /// Distance of neighbouring kernel positions in the input; not 0.
    pub dilation: usize,
    /// Size of the output.
    pub output: usize,
}

impl Axis {
    /// An axis of size 1 with nothing to slide.
    pub const NONE: Self = Self { input: 1, kernel: 1, stride: 1, padding: 0, dilation: 1, output: 1 };

    /// The input position that `output` reads through kernel position `kernel`; none in the padding.
    pub fn source(&self, output: usize, kernel: usize) -> Option<usize> {
        let position = (output * self.stride + kernel * self.dilation).checked_sub(self.padding)?;
        (position < self.input).then_some(position)
    }

    /// The outputs that read the input, not padding, through kernel position `kernel`.
    pub fn outputs(&self, kernel: usize) -> Range<usize> {
        self.inside(kernel * self.dilation, self.stride, self.output)
    }

    /// The kernel positions through which `output` reads the input, not padding.
    pub fn kernels(&self, output: usize) -> Range<usize> {
        self.inside(output * self.stride, self.dilation, self.kernel)
    }

    /// The i < `count` for which `offset` + i · `step` − padding is a position of the input.
    fn inside(&self, offset: usize, step: usize, count: usize) -> Range<usize> {
        let end = (self.input + self.padding).saturating_sub(offset).div_ceil(step).min(count);
        self.padding.saturating_sub(offset).div_ceil(step).min(end)..end
    }
}

/// A kernel that slides over an image of three axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    /// Depth, height and width.
    pub axes: [Axis; 3],
}

impl Window {
    /// Elements of an image of one channel.
    pub fn inputs(&self) -> usize {
        self.product(|axis| axis.input)
    }

    /// Kernel positions.
    pub fn kernels(&self) -> usize {
        self.product(|axis| axis.kernel)
    }

    /// Positions of the window.
    pub fn outputs(&self) -> usize {
        self.product(|axis| axis.output)
    }

    /// Kernel position number `at`, in row-major order, along each axis.
    pub fn kernel(&self, at: usize) -> [usize; 3] {
        let [_, height, width] = self.axes.map(|axis| axis.kernel);
        [at / (height * width), at / width % height, at % width]
    }

    /// Whether each output is the input at its place.
    pub fn is_pointwise(&self) -> bool {
        let pointwise = |axis: &Axis| Axis { input: 1, output: 1, dilation: 1, ..*axis } == Axis::NONE;
        self.axes.iter().all(|axis| pointwise(axis) && axis.input == axis.output)
    }

    fn product(&self, size: impl Fn(&Axis) -> usize) -> usize {
        self.axes.iter().map(size).product()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::rng::CounterRng;

    /// A window that fits, of sizes drawn from `rng` at `index`.
    pub fn random_axis(rng: CounterRng, index: u64) -> Axis {
        let draw = |k: u64, from: usize, to: usize| from + rng.u32(16 * index + k) as usize % (to - from + 1);
        let (kernel, stride, dilation) = (draw(0, 1, 4), draw(1, 1, 3), draw(2, 1, 3));
        let padding = draw(3, 0, 4);
        let extent = dilation * (kernel - 1) + 1;
        let input = draw(4, 1, 9).max(extent.saturating_sub(2 * padding));
        // One more than fits is what `ceil_mode` asks for.
        let output = (input + 2 * padding - extent) / stride + 1 + draw(5, 0, 1);
        Axis { input, kernel, stride, padding, dilation, output }
    }

    #[test]
    fn the_ranges_are_where_a_source_exists() {
        let rng = CounterRng::new(1, crate::rng::Stream::workload(3), 0);
        for axis in (0..500).map(|index| random_axis(rng, index)) {
            for kernel in 0..axis.kernel {
                let expected: Vec<_> = (0..axis.output).filter(|o| axis.source(*o, kernel).is_some()).collect();
                assert_eq!(axis.outputs(kernel).collect::<Vec<_>>(), expected, "{axis:?}");
            }
            for output in 0..axis.output {
                let expected: Vec<_> = (0..axis.kernel).filter(|k| axis.source(output, *k).is_some()).collect();
                assert_eq!(axis.kernels(output).collect::<Vec<_>>(), expected, "{axis:?}");
            }
        }
    }
}
