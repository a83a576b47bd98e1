//! Everything that is no convolution.

/// Dense layers.
mod linear {
    use tinderbox_kernels::conv::{Activation, Finish};
    use tinderbox_kernels::linear::{self, LinearShape};

    use crate::cases::floats;
    use crate::report::Work;

    type Shape = LinearShape;

    /// What the kernels read and write.
    struct Data {
        /// `[n, inputs]`
        x: Vec<f32>,
        /// `[inputs, outputs]`
        weights: Vec<f32>,
        /// `[outputs]`
        bias: Vec<f32>,
        /// `[n, outputs]`
        y: Vec<f32>,
        /// `[n, inputs]`
        dx: Vec<f32>,
        /// `[inputs, outputs]`
        dw: Vec<f32>,
    }

    impl Data {
        fn new(&LinearShape { n, inputs, outputs }: &Shape) -> Self {
            Self {
                x: floats(n * inputs),
                weights: floats(inputs * outputs),
                bias: floats(outputs),
                y: floats(n * outputs),
                dx: vec![0.0; n * inputs],
                dw: vec![0.0; inputs * outputs],
            }
        }
    }

    kernels! {
        linear_forward: shapes(), operations, |isa, shape, d| {
            let (bias, activation) = (Some(&d.bias[..]), Activation::Relu);
            let finish = Finish { bias, residual: None, activation, memo: None };
            linear::forward(isa, shape, &d.x, &d.weights, finish, &mut d.y);
        };
        linear_data: shapes(), operations, |isa, shape, d| {
            linear::backward_data(isa, shape, &d.y, &d.weights, &mut d.dx);
        };
        linear_weights: shapes(), operations, |isa, shape, d| {
            linear::backward_weights(isa, shape, &d.x, &d.y, &mut d.dw);
        };
    }

    fn operations(shape: &Shape) -> Work {
        Work::Operations(2 * shape.n * shape.inputs * shape.outputs)
    }

    fn shapes() -> (Vec<Shape>, fn(&Shape) -> String) {
        let sizes = [
            (128, 3072, 512),
            (128, 512, 256),
            (128, 256, 10),
            (128, 1600, 10),
            (16, 3072, 512),
            (64, 1280, 200),
            (1024, 400, 120),
        ];
        let shape = |(n, inputs, outputs)| LinearShape { n, inputs, outputs };
        (sizes.map(shape).to_vec(), |s| format!("{} {}-{}", s.n, s.inputs, s.outputs))
    }
}

/// Batch normalisation and pooling: rows of channels.
mod rows {
    use tinderbox_kernels::conv::Activation;
    use tinderbox_kernels::norm::{Apply, Backward, apply, backward, statistics};
    use tinderbox_kernels::pool::{PoolShape, average_forward, max_backward, max_forward};

    use crate::cases::floats;
    use crate::report::Work;

    /// Images, height and width, channels.
    type Shape = [usize; 3];

    /// What the kernels read and write.
    struct Data {
        /// `[n, h, w, channels]`
        x: Vec<f32>,
        /// `[n, h, w, channels]`
        y: Vec<f32>,
        /// `[n, h / 2, w / 2, channels]`
        pooled: Vec<f32>,
        /// `[n, h / 2, w / 2, channels]`
        slots: Vec<u8>,
        /// Four times `[channels]`.
        channels: [Vec<f32>; 4],
    }

    impl Data {
        fn new(&[n, size, channels]: &Shape) -> Self {
            let len = n * size * size * channels;
            let pooled = n * (size / 2) * (size / 2) * channels;
            Self {
                x: floats(len),
                y: floats(len),
                pooled: floats(pooled),
                slots: vec![0; pooled],
                channels: [(); 4].map(|()| floats(channels)),
            }
        }
    }

    kernels! {
        norm_statistics: shapes(), |s| moved(s, 4), |isa, &[.., channels], d| {
            let [mean, variance, ..] = &mut d.channels;
            statistics(isa, &d.x, channels, mean, variance);
        };
        norm_apply: shapes(), |s| moved(s, 8), |isa, _, d| {
            let [scale, shift, ..] = &d.channels;
            let activation = Activation::Relu;
            apply(isa, Apply { x: &d.x, scale, shift, add: None, activation }, &mut d.y);
        };
        norm_backward: shapes(), |s| moved(s, 20), |isa, _, d| {
            let [mean, inv_std, dgamma, dbeta] = &mut d.channels;
            let (x, activation) = (&d.x[..], Activation::Relu);
            let (scale, shift, gamma) = (&inv_std[..], &mean[..], &inv_std[..]);
            let args = Backward { x, z: None, scale, shift, activation, mean, inv_std, gamma };
            backward(isa, args, &mut d.y, None, dgamma, dbeta);
        };
        max_pool: shapes(), |s| moved(s, 5), |isa, shape, d| {
            max_forward(isa, &halving(shape), &d.x, &mut d.pooled, Some(&mut d.slots));
        };
        max_pool_back: shapes(), |s| moved(s, 5), |isa, shape, d| {
            max_backward(isa, &halving(shape), &d.pooled, &d.slots, &mut d.y);
        };
        average_pool: shapes(), |s| moved(s, 5), |isa, shape, d| {
            average_forward(isa, &halving(shape), &d.x, &mut d.pooled);
        };
    }

    /// So many bytes for each float of an image.
    fn moved([n, size, channels]: &Shape, bytes: usize) -> Work {
        Work::Bytes(n * size * size * channels * bytes)
    }

    fn halving(&[n, size, channels]: &Shape) -> PoolShape {
        PoolShape { n, input: [size; 2], channels, kernel: 2, stride: 2, padding: 0 }
    }

    fn shapes() -> (Vec<Shape>, fn(&Shape) -> String) {
        let shapes = [[128, 32, 64], [64, 56, 24], [128, 14, 96], [32, 8, 1280], [64, 8, 67]];
        (shapes.to_vec(), |[n, size, channels]| format!("{n}x{size}x{size}x{channels}"))
    }
}

/// Optimizer steps: a parameter after the other.
mod optimizer {
    use tinderbox_kernels::optimizer::{Adam, Sgd, adam, sgd};

    use crate::cases::floats;
    use crate::report::Work;

    /// Parameters.
    type Shape = usize;

    /// What the kernels read and write, each `[parameters]`.
    struct Data {
        param: Vec<f32>,
        gradient: Vec<f32>,
        first: Vec<f32>,
        second: Vec<f32>,
    }

    impl Data {
        #[allow(clippy::trivially_copy_pass_by_ref)] // as the other kernels' shapes
        fn new(&len: &Shape) -> Self {
            let [param, gradient, first] = [(); 3].map(|()| floats(len));
            Self { param, gradient, first, second: vec![0.5; len] }
        }
    }

    kernels! {
        adam_step: shapes(), |len| Work::Bytes(28 * len), |isa, _, d| {
            let moments = [&mut d.first[..], &mut d.second[..]];
            adam(isa, &STEP, &mut d.param, &d.gradient, moments);
        };
        sgd_step: shapes(), |len| Work::Bytes(20 * len), |isa, _, d| {
            sgd(isa, &SLIDE, &mut d.param, &d.gradient, &mut d.first);
        };
    }

    /// Small steps, so that thousands of them stay among usual numbers.
    const STEP: Adam = Adam {
        scale: 1.0,
        shrink: 1.0,
        decay: 0.0,
        beta1: 0.9,
        rest1: 0.1,
        beta2: 0.999,
        rest2: 0.001,
        correction: 1.0,
        epsilon: 1e-8,
        rate: 1e-6,
        fresh: false,
    };
    const SLIDE: Sgd = Sgd { scale: 1.0, decay: 0.0, momentum: 0.9, rate: 1e-6, fresh: false };

    fn shapes() -> (Vec<Shape>, fn(&Shape) -> String) {
        (vec![35_000, 1_700_000, 11_200_000], |len| format!("{len}"))
    }
}
