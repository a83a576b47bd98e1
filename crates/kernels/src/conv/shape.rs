//! The sizes of a convolution.

/// The sizes of a convolution. Images are `[n, h, w, ci]` and `[n, oh, ow, co]`, weights
/// `[co, ci / groups, kh, kw]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvShape {
    /// Images.
    pub n: usize,
    /// Rows and columns of an input image.
    pub input: [usize; 2],
    /// Channels of an input image.
    pub ci: usize,
    /// Channels of an output image.
    pub co: usize,
    /// Rows and columns of the kernel.
    pub kernel: [usize; 2],
    /// Step of the window along rows and columns.
    pub stride: [usize; 2],
    /// Zeros before and after, along rows and along columns.
    pub padding: [[usize; 2]; 2],
    /// Distance of the kernel's taps along rows and columns.
    pub dilation: [usize; 2],
    /// Groups of channels that do not see each other.
    pub groups: usize,
}

impl ConvShape {
    /// Checks what every kernel relies on.
    ///
    /// # Panics
    /// If a size is zero where it must not be, the groups do not divide the channels, or the kernel
    /// is larger than the padded image.
    pub fn check(&self) {
        let Self { n: _, input: _, ci, co, kernel, stride, padding: _, dilation, groups } = *self;
        assert!(groups > 0 && ci > 0 && co > 0, "no channels: {self:?}");
        assert!(ci.is_multiple_of(groups) && co.is_multiple_of(groups), "uneven groups: {self:?}");
        for axis in 0..2 {
            assert!(kernel[axis] > 0 && stride[axis] > 0 && dilation[axis] > 0, "{self:?}");
            assert!(self.reach(axis) <= self.padded(axis), "no place for the kernel: {self:?}");
        }
    }

    /// Rows (axis 0) or columns (axis 1) that a kernel spans.
    #[must_use]
    pub fn reach(&self, axis: usize) -> usize {
        (self.kernel[axis] - 1) * self.dilation[axis] + 1
    }

    /// Rows (axis 0) or columns (axis 1) of a padded input image.
    #[must_use]
    pub fn padded(&self, axis: usize) -> usize {
        self.input[axis] + self.padding[axis][0] + self.padding[axis][1]
    }

    /// Rows and columns of an output image.
    #[must_use]
    pub fn output(&self) -> [usize; 2] {
        [0, 1].map(|axis| (self.padded(axis) - self.reach(axis)) / self.stride[axis] + 1)
    }

    /// Floats of all input images.
    #[must_use]
    pub fn input_len(&self) -> usize {
        self.n * self.input[0] * self.input[1] * self.ci
    }

    /// Floats of all output images.
    #[must_use]
    pub fn output_len(&self) -> usize {
        let [oh, ow] = self.output();
        self.n * oh * ow * self.co
    }

    /// Floats of the weights.
    #[must_use]
    pub fn weights_len(&self) -> usize {
        self.co * (self.ci / self.groups) * self.kernel[0] * self.kernel[1]
    }

    /// Multiplications of a direct computation, forward; each backward pass has as many.
    #[must_use]
    pub fn multiplications(&self) -> usize {
        let [oh, ow] = self.output();
        self.n * oh * ow * self.weights_len()
    }
}

/// What is applied to each output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    #[default]
    None,
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, 0), 6)`.
    Relu6,
}

impl Activation {
    /// The smallest and the largest value it lets through.
    #[must_use]
    pub fn bounds(self) -> (f32, f32) {
        match self {
            Self::None => (f32::NEG_INFINITY, f32::INFINITY),
            Self::Relu => (0.0, f32::INFINITY),
            Self::Relu6 => (0.0, 6.0),
        }
    }

    /// The activation of one value; NaN stays NaN.
    #[must_use]
    pub fn apply(self, x: f32) -> f32 {
        let (low, high) = self.bounds();
        if x < low {
            low
        } else if x > high {
            high
        } else {
            x
        }
    }

    /// Whether a gradient passes where the activation answered `y`: strictly between the bounds, as
    /// PyTorch has it.
    #[must_use]
    pub fn passes(self, y: f32) -> bool {
        let (low, high) = self.bounds();
        y > low && y < high
    }
}
