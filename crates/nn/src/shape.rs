//! The shape check: what goes in and out of each block, how much it weighs and costs. A spec can
//! come from a file, so nothing in it is trusted.

use std::collections::HashMap;

use tinderbox_base::{Error, Result};

use crate::ops::Pool;
use crate::spec::{Block, Conv, LayerKind, Spec};

/// Limits on what a spec may ask for: far above any sensible network, far below an overflow.
const MOST_BLOCKS: usize = 10_000;
const MOST_CHANNELS: usize = 1 << 20;
const MOST_SIDE: usize = 1 << 14;
const MOST_PARAMETERS: u64 = 1 << 32;
const MOST_VALUES: usize = 1 << 30;

/// Memory of the program itself.
const PROGRAM: u64 = 15_000_000;

const TOO_MANY: &str = "too many";

/// One block's sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockShape {
    /// `[C, H, W]` of what the layer reads.
    pub input: [usize; 3],
    /// `[C, H, W]` of what the block answers.
    pub output: [usize; 3],
    /// Trained numbers, those of the norm included.
    pub parameters: u64,
    /// Floating-point operations of the layer for one image: two for each multiply-add.
    pub flops: u64,
    /// Values of one image that a training step keeps from the forward to the backward pass.
    pub kept: usize,
}

/// The sizes of every block of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shapes {
    /// In the order of the spec's blocks.
    pub blocks: Vec<BlockShape>,
    /// For each block, the indices of the block that it reads (none: the images) and adds.
    pub sources: Vec<(Option<usize>, Option<usize>)>,
}

impl Shapes {
    /// Trained numbers of the whole network.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        self.blocks.iter().map(|block| block.parameters).sum()
    }

    /// Floating-point operations of one image's forward pass.
    #[must_use]
    pub fn flops(&self) -> u64 {
        self.blocks.iter().map(|block| block.flops).sum()
    }

    /// Bytes that training on the CPU needs, about: what a step keeps of a batch, the gradients of
    /// the largest block, the weights with their gradients and averages, and the program.
    #[must_use]
    pub fn training_bytes(&self, batch: usize) -> u64 {
        let values = |[c, h, w]: [usize; 3]| (c * h * w) as u64;
        let kept: u64 = self.blocks.iter().map(|block| block.kept as u64).sum();
        let gradients = |block: &BlockShape| values(block.input) + 2 * values(block.output);
        let largest = self.blocks.iter().map(gradients).max().unwrap_or(0);
        let values = batch as u64 * (kept + largest) + 4 * self.parameters();
        // An eighth more: a block of memory is up to that much larger than what it is for.
        values * 4 * 9 / 8 + PROGRAM
    }
}

/// Checks that the blocks of `spec` fit each other, and says their sizes.
///
/// # Errors
/// If they do not: the error names the first block that does not fit.
pub fn check(spec: &Spec) -> Result<Shapes> {
    let bad = |cause: String| {
        Error::input(format!("the model `{}` does not fit", spec.name)).cause(cause)
    };
    let [channels, height, width] = spec.input;
    if channels == 0
        || channels > MOST_CHANNELS
        || !(1..=MOST_SIDE).contains(&height.min(width))
        || height.max(width) > MOST_SIDE
    {
        return Err(bad(format!("images of {width}x{height} pixels, {channels} channels")));
    }
    if spec.blocks.is_empty() || spec.blocks.len() > MOST_BLOCKS {
        return Err(bad(format!("{} blocks", spec.blocks.len())));
    }
    let mut shapes = Shapes { blocks: Vec::new(), sources: Vec::new() };
    let mut index = HashMap::new();
    for (i, block) in spec.blocks.iter().enumerate() {
        let in_block = |cause: String| {
            bad(format!("block `{}`: {cause}", block.name)).hint(format!(
                "the images are {width}x{height} pixels: try {} `--size` or another `--model`",
                if cause.starts_with(TOO_MANY) { "a smaller" } else { "a larger" },
            ))
        };
        let place = |name: &str| {
            let at = index.get(name).copied();
            at.ok_or_else(|| in_block(format!("no block `{name}` before it")))
        };
        let from = match &block.from {
            Some(name) => Some(place(name)?),
            None => i.checked_sub(1),
        };
        let add = block.add.as_deref().map(place).transpose()?;
        let input = from.map_or(spec.input, |at| shapes.blocks[at].output);
        let added = add.map(|at| shapes.blocks[at].output);
        shapes.blocks.push(block_shape(block, input, added).map_err(in_block)?);
        shapes.sources.push((from, add));
        if index.insert(block.name.as_str(), i).is_some() {
            return Err(in_block("its name stands twice".to_owned()));
        }
        if shapes.parameters() > MOST_PARAMETERS {
            return Err(in_block(format!("{TOO_MANY} parameters")));
        }
    }
    match shapes.blocks.last().map(|block| block.output) {
        Some(output) if output == [spec.classes, 1, 1] => Ok(shapes),
        Some([c, h, w]) => {
            Err(bad(format!("the last block answers {c}x{h}x{w}, not {} classes", spec.classes)))
        }
        None => Err(bad("no blocks".to_owned())),
    }
}

fn block_shape(
    block: &Block,
    input: [usize; 3],
    added: Option<[usize; 3]>,
) -> std::result::Result<BlockShape, String> {
    let (output, weights, bias) = match &block.layer {
        LayerKind::Conv(conv) => (conv_output(conv, input)?, conv_weights(conv, input), conv.bias),
        LayerKind::Linear(linear) => {
            let features = within(linear.features, MOST_CHANNELS, "features")?;
            ([features, 1, 1], bounded(input)? as u64 * features as u64, linear.bias)
        }
    };
    bounded(output)?;
    if added.is_some_and(|added| added != output) {
        return Err(format!("adds {added:?} to {output:?}"));
    }
    if !(0.0..1.0).contains(&block.dropout) {
        return Err(format!("dropout {}", block.dropout));
    }
    if let Some(norm) = &block.norm
        && !(norm.epsilon > 0.0 && norm.epsilon < 1.0 && (0.0..=1.0).contains(&norm.momentum))
    {
        return Err("norm with an epsilon or momentum out of range".to_owned());
    }
    let after = pooled(block.pool, output)?;
    let values = |[c, h, w]: [usize; 3]| c * h * w;
    // A norm keeps its input; its output follows from it, unless something was added or pooled.
    let keeps_output = block.norm.is_none() || added.is_some() || block.pool.is_some();
    let kept = if block.norm.is_some() { values(output) } else { 0 }
        + if keeps_output { values(after) } else { 0 };
    let extra = u64::from(bias) + if block.norm.is_some() { 2 } else { 0 };
    Ok(BlockShape {
        input,
        output: after,
        kept,
        parameters: weights + extra * output[0] as u64,
        flops: 2 * weights * (output[1] * output[2]) as u64,
    })
}

/// How many values an image has there: no layer may make one that fills the memory.
fn bounded(shape: [usize; 3]) -> std::result::Result<usize, String> {
    let values = shape.iter().try_fold(1usize, |values, &side| values.checked_mul(side));
    values.filter(|&values| values <= MOST_VALUES).ok_or_else(|| format!("{TOO_MANY} values"))
}

fn within(value: usize, most: usize, what: &str) -> std::result::Result<usize, String> {
    if (1..=most).contains(&value) { Ok(value) } else { Err(format!("{value} {what}")) }
}

fn conv_weights(conv: &Conv, input: [usize; 3]) -> u64 {
    (input[0] / conv.groups) as u64 * conv.channels as u64 * (conv.kernel * conv.kernel) as u64
}

fn conv_output(
    conv: &Conv,
    [channels, h, w]: [usize; 3],
) -> std::result::Result<[usize; 3], String> {
    let out = within(conv.channels, MOST_CHANNELS, "channels")?;
    if conv.groups == 0 || channels % conv.groups != 0 || out % conv.groups != 0 {
        return Err(format!("{} groups over {channels} and {out} channels", conv.groups));
    }
    let window = |side| windows(side, conv.kernel, conv.stride, conv.padding);
    Ok([out, window(h)?, window(w)?])
}

fn pooled(pool: Option<Pool>, [c, h, w]: [usize; 3]) -> std::result::Result<[usize; 3], String> {
    match pool {
        None => Ok([c, h, w]),
        Some(Pool::GlobalAverage) => Ok([c, 1, 1]),
        Some(Pool::Max { kernel, stride, padding }) if padding < kernel => {
            let window = |side| windows(side, kernel, stride, padding);
            Ok([c, window(h)?, window(w)?])
        }
        Some(Pool::Max { padding, .. }) => Err(format!("pool with padding {padding}")),
    }
}

/// How many windows fit along a side.
fn windows(
    side: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
) -> std::result::Result<usize, String> {
    within(kernel, 64, "as kernel size")?;
    within(stride, 64, "as stride")?;
    if padding > 64 {
        return Err(format!("padding {padding}"));
    }
    let padded = side + 2 * padding;
    if padded < kernel {
        return Err(format!("a window of {kernel} does not fit into {padded} pixels"));
    }
    Ok((padded - kernel) / stride + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ZOO, spec};

    fn parameters(name: &str, input: [usize; 3], classes: usize) -> u64 {
        check(&spec(name, input, classes).unwrap()).unwrap().parameters()
    }

    /// torchvision 0.30: `sum(p.numel() for p in resnet18().parameters())` and so on; with the
    /// small stem the first convolution is replaced by `Conv2d(C, 64, 3, 1, 1, bias=False)`.
    #[test]
    fn parameter_counts_are_torchvisions() {
        assert_eq!(parameters("resnet18", [3, 224, 224], 1000), 11_689_512);
        assert_eq!(parameters("resnet18", [3, 32, 32], 10), 11_173_962);
        assert_eq!(parameters("mobilenet_v2", [3, 224, 224], 1000), 3_504_872);
        assert_eq!(parameters("mobilenet_v2", [3, 32, 32], 10), 2_236_682);
    }

    #[test]
    fn small_networks_have_the_known_counts() {
        assert_eq!(parameters("cnn", [1, 28, 28], 10), 34_826);
        assert_eq!(parameters("lenet", [3, 32, 32], 10), 62_006);
        assert_eq!(parameters("mlp", [3, 32, 32], 10), 3072 * 512 + 512 + 512 * 256 + 256 + 2570);
    }

    /// `tinderbox bench --only training`, two threads, AVX-512: MB at the most.
    #[test]
    fn the_memory_of_training_is_known_within_a_third() {
        for (name, input, batch, measured) in [
            ("cnn", [1, 28, 28], 128, 26),
            ("cnn", [1, 28, 28], 1024, 90),
            ("lenet", [3, 32, 32], 128, 21),
            ("mlp", [3, 32, 32], 128, 44),
            ("resnet18", [3, 32, 32], 128, 905),
            ("resnet18", [3, 128, 128], 32, 526),
            ("resnet18", [3, 224, 224], 16, 668),
            ("mobilenet_v2", [3, 32, 32], 128, 1305),
            ("mobilenet_v2", [3, 128, 128], 32, 522),
            ("mobilenet_v2", [3, 224, 224], 16, 790),
        ] {
            let shapes = check(&spec(name, input, 10).unwrap()).unwrap();
            let ratio = shapes.training_bytes(batch) as f64 / (f64::from(measured) * 1e6);
            assert!((0.75..1.33).contains(&ratio), "{name} {input:?}: {ratio}");
        }
    }

    #[test]
    fn every_network_fits_images_of_many_sizes() {
        for entry in ZOO {
            for (c, h, w) in [(1, 28, 28), (3, 32, 32), (3, 96, 96), (3, 224, 224), (1, 40, 17)] {
                let spec = spec(entry.name, [c, h, w], 7).unwrap();
                let shapes = check(&spec).unwrap_or_else(|e| panic!("{} {h}x{w}: {e}", entry.name));
                assert_eq!(shapes.blocks.last().unwrap().output, [7, 1, 1]);
            }
        }
    }

    #[test]
    fn a_network_that_does_not_fit_is_named() {
        let error = check(&spec("lenet", [1, 8, 8], 10).unwrap()).unwrap_err().to_string();
        assert!(error.contains("conv2"), "{error}");
        let mut broken = spec("cnn", [1, 28, 28], 10).unwrap();
        broken.blocks[1].name = "conv1".to_owned();
        assert!(check(&broken).is_err());
        broken.blocks[1].name = "conv2".to_owned();
        broken.blocks[1].from = Some("nowhere".to_owned());
        assert!(check(&broken).unwrap_err().to_string().contains("nowhere"));
    }
}
