//! The zoo: functions that return specs.

use tinderbox_base as base;
use tinderbox_base::{Error, Result};

use crate::ops::Activation::{Relu, Relu6};
use crate::ops::Pool;
use crate::spec::{Block, Conv, Spec};

/// A network of the zoo.
#[derive(Clone, Copy)]
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// One line about it.
    pub about: &'static str,
    build: fn([usize; 3], usize) -> Vec<Block>,
}

/// Every network there is.
pub const ZOO: &[Entry] = &[
    Entry { name: "mlp", about: "two hidden layers, 512 and 256 units", build: mlp },
    Entry {
        name: "lenet",
        about: "LeNet-5 with relu and max-pool (LeCun et al., 1998)",
        build: lenet,
    },
    Entry { name: "cnn", about: "Keras' simple MNIST convnet: two convolutions", build: cnn },
    Entry {
        name: "resnet18",
        about: "ResNet-18 (He et al., 2015), torchvision's",
        build: resnet18,
    },
    Entry {
        name: "mobilenet_v2",
        about: "MobileNetV2 (Sandler et al., 2018), torchvision's",
        build: mobilenet_v2,
    },
];

/// Images below this size get a stem that keeps their resolution.
const SMALL: usize = 96;

/// The spec of the network called `name` for images `[C, H, W]` and a number of classes. The spec
/// is checked where a network is built from it.
///
/// # Errors
/// If there is no such network.
pub fn spec(name: &str, input: [usize; 3], classes: usize) -> Result<Spec> {
    let entry = ZOO.iter().find(|entry| entry.name == name).ok_or_else(|| unknown(name))?;
    let blocks = (entry.build)(input, classes);
    Ok(Spec { name: name.to_owned(), input, classes, blocks })
}

/// Whether there is a network called `name`.
///
/// # Errors
/// If there is none: the error lists what there is.
pub fn check_name(name: &str) -> Result<()> {
    if ZOO.iter().any(|entry| entry.name == name) { Ok(()) } else { Err(unknown(name)) }
}

fn unknown(name: &str) -> Error {
    let names: Vec<&str> = ZOO.iter().map(|entry| entry.name).collect();
    let all = base::units::list(&names, names.len());
    Error::usage(format!("no model `{name}`")).hint(match base::nearest(name, names) {
        Some(near) => format!("did you mean `{near}`? the models are {all}"),
        None => format!("the models are {all}"),
    })
}

fn mlp(_: [usize; 3], classes: usize) -> Vec<Block> {
    vec![
        Block::linear("fc1", 512).activation(Relu),
        Block::linear("fc2", 256).activation(Relu),
        Block::linear("fc3", classes),
    ]
}

fn lenet(_: [usize; 3], classes: usize) -> Vec<Block> {
    vec![
        Block::conv("conv1", Conv::valid(6, 5)).activation(Relu).max_pool(2),
        Block::conv("conv2", Conv::valid(16, 5)).activation(Relu).max_pool(2),
        Block::linear("fc1", 120).activation(Relu),
        Block::linear("fc2", 84).activation(Relu),
        Block::linear("fc3", classes),
    ]
}

fn cnn(_: [usize; 3], classes: usize) -> Vec<Block> {
    vec![
        Block::conv("conv1", Conv::valid(32, 3)).activation(Relu).max_pool(2),
        Block::conv("conv2", Conv::valid(64, 3)).activation(Relu).max_pool(2).dropout(0.5),
        Block::linear("fc", classes),
    ]
}

fn is_small([_, height, width]: [usize; 3]) -> bool {
    height.min(width) < SMALL
}

fn resnet18(input: [usize; 3], classes: usize) -> Vec<Block> {
    let stem = if is_small(input) {
        Block::conv("conv1", Conv::same(64, 3, 1))
    } else {
        Block::conv("conv1", Conv::same(64, 7, 2)).pool(Pool::Max {
            kernel: 3,
            stride: 2,
            padding: 1,
        })
    };
    let mut blocks = vec![stem.norm("bn1").activation(Relu)];
    for (stage, channels) in [64, 128, 256, 512].into_iter().enumerate() {
        for unit in 0..2 {
            let stride = if stage > 0 && unit == 0 { 2 } else { 1 };
            basic_unit(&mut blocks, &format!("layer{}.{unit}", stage + 1), channels, stride);
        }
    }
    if let Some(last) = blocks.last_mut() {
        last.pool = Some(Pool::GlobalAverage);
    }
    blocks.push(Block::linear("fc", classes));
    blocks
}

/// Two 3x3 convolutions and the way around them, which is a 1x1 convolution where the size changes.
fn basic_unit(blocks: &mut Vec<Block>, name: &str, channels: usize, stride: usize) {
    let entry = blocks.last().map_or_else(String::new, |block| block.name.clone());
    let mut around = entry.clone();
    if stride != 1 {
        around = format!("{name}.downsample.0");
        blocks.push(
            Block::conv(around.clone(), Conv::same(channels, 1, stride))
                .norm(format!("{name}.downsample.1")),
        );
    }
    blocks.push(
        Block::conv(format!("{name}.conv1"), Conv::same(channels, 3, stride))
            .from(entry)
            .norm(format!("{name}.bn1"))
            .activation(Relu),
    );
    blocks.push(
        Block::conv(format!("{name}.conv2"), Conv::same(channels, 3, 1))
            .norm(format!("{name}.bn2"))
            .residual(around)
            .activation(Relu),
    );
}

/// Expansion, output channels, repetitions and first stride of each stage (table 2 of the paper).
const MOBILENET_STAGES: [[usize; 4]; 7] = [
    [1, 16, 1, 1],
    [6, 24, 2, 2],
    [6, 32, 3, 2],
    [6, 64, 4, 2],
    [6, 96, 3, 1],
    [6, 160, 3, 2],
    [6, 320, 1, 1],
];

fn mobilenet_v2(input: [usize; 3], classes: usize) -> Vec<Block> {
    let small = is_small(input);
    let stem = Conv::same(32, 3, if small { 1 } else { 2 });
    let mut blocks = vec![Block::conv("features.0.0", stem).norm("features.0.1").activation(Relu6)];
    let (mut width, mut index) = (32, 1);
    for (stage, [expansion, channels, repeats, stride]) in MOBILENET_STAGES.into_iter().enumerate()
    {
        for unit in 0..repeats {
            let first_strided = small && stage == 1;
            let stride = if unit == 0 && !first_strided { stride } else { 1 };
            let bottleneck = Bottleneck { width, expansion, channels, stride };
            bottleneck.push(&mut blocks, &format!("features.{index}.conv"));
            (width, index) = (channels, index + 1);
        }
    }
    blocks.push(
        Block::conv("features.18.0", Conv::same(1280, 1, 1))
            .norm("features.18.1")
            .activation(Relu6)
            .pool(Pool::GlobalAverage)
            .dropout(0.2),
    );
    blocks.push(Block::linear("classifier.1", classes));
    blocks
}

/// An inverted residual: expand by a 1x1 convolution, filter each channel alone, project back.
struct Bottleneck {
    width: usize,
    expansion: usize,
    channels: usize,
    stride: usize,
}

impl Bottleneck {
    fn push(&self, blocks: &mut Vec<Block>, name: &str) {
        let entry = blocks.last().map_or_else(String::new, |block| block.name.clone());
        let hidden = self.width * self.expansion;
        let mut part = 0;
        if self.expansion != 1 {
            blocks.push(
                Block::conv(format!("{name}.0.0"), Conv::same(hidden, 1, 1))
                    .norm(format!("{name}.0.1"))
                    .activation(Relu6),
            );
            part = 1;
        }
        let depthwise = Conv { groups: hidden, ..Conv::same(hidden, 3, self.stride) };
        blocks.push(
            Block::conv(format!("{name}.{part}.0"), depthwise)
                .norm(format!("{name}.{part}.1"))
                .activation(Relu6),
        );
        let project = Block::conv(format!("{name}.{}", part + 1), Conv::same(self.channels, 1, 1))
            .norm(format!("{name}.{}", part + 2));
        let residual = self.stride == 1 && self.width == self.channels;
        blocks.push(if residual { project.residual(entry) } else { project });
    }
}
