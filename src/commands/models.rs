//! `tinderbox models`

use serde_json::json;
use tinderbox_base::Result;
use tinderbox_base::settings::check_range;
use tinderbox_base::units::{count, thousands};
use tinderbox_nn::spec::{Block, LayerKind};
use tinderbox_nn::{Pool, Shapes, Spec, ZOO, check, spec};

use super::Invocation;
use super::output::{Rows, print, print_json};

/// What one model is shown for.
#[derive(Clone, Debug)]
pub struct Options {
    /// One model; none for the list.
    pub name: Option<String>,
    /// Height and width of an image.
    pub size: usize,
    /// Channels of an image.
    pub channels: usize,
    /// Classes.
    pub classes: usize,
}

/// Lists the zoo, or one model's blocks.
///
/// # Errors
/// If there is no such model, or it does not fit the images.
pub fn run(invocation: &Invocation, options: &Options) -> Result<()> {
    check_range("size", options.size, 1, 4096)?;
    check_range("channels", options.channels, 1, 4096)?;
    check_range("classes", options.classes, 1, 1 << 20)?;
    let input = [options.channels, options.size, options.size];
    match &options.name {
        Some(name) => one(invocation, &spec(name, input, options.classes)?),
        None => list(invocation, input, options.classes),
    }
}

fn list(invocation: &Invocation, input: [usize; 3], classes: usize) -> Result<()> {
    let mut rows = Rows::new(&["MODEL", ">PARAMETERS", ">FLOP", "ABOUT"]);
    let mut objects = Vec::new();
    for entry in ZOO {
        // A network that does not fit images of this size is still there.
        let shapes = check(&spec(entry.name, input, classes)?).ok();
        let (parameters, flops) = shapes.map(|s| (s.parameters(), s.flops())).unzip();
        let show = |n: Option<u64>, form: fn(u64) -> String| n.map_or("-".to_owned(), form);
        rows.row([
            entry.name.to_owned(),
            show(parameters, thousands),
            show(flops, count),
            entry.about.to_owned(),
        ]);
        objects.push(json!({ "name": entry.name, "about": entry.about, "parameters": parameters, "flops": flops }));
    }
    if invocation.json {
        return print_json(&json!({ "input": input, "classes": classes, "models": objects }));
    }
    let [c, h, w] = input;
    print(&format!("{}for {w}x{h} images of {c} channels and {classes} classes\n", rows.text()))
}

fn one(invocation: &Invocation, spec: &Spec) -> Result<()> {
    let shapes = check(spec)?;
    if invocation.json {
        return print_json(&json!({
            "spec": spec,
            "parameters": shapes.parameters(),
            "flops": shapes.flops(),
        }));
    }
    let mut rows = Rows::new(&["BLOCK", "WHAT", ">OUTPUT", ">PARAMETERS", ">FLOP"]);
    for (block, shape) in spec.blocks.iter().zip(&shapes.blocks) {
        let [c, h, w] = shape.output;
        let output = if h == 1 && w == 1 { c.to_string() } else { format!("{c}x{h}x{w}") };
        rows.row([
            block.name.clone(),
            describe(block),
            output,
            thousands(shape.parameters),
            count(shape.flops),
        ]);
    }
    print(&format!("{}{}", rows.text(), total(&shapes)))
}

fn total(shapes: &Shapes) -> String {
    format!(
        "{} parameters, {}FLOP an image\n",
        thousands(shapes.parameters()),
        count(shapes.flops())
    )
}

fn describe(block: &Block) -> String {
    let mut parts = vec![match &block.layer {
        LayerKind::Conv(conv) => {
            let stride =
                if conv.stride > 1 { format!(" stride {}", conv.stride) } else { String::new() };
            let kind = if conv.groups > 1 { "depthwise" } else { "conv" };
            format!("{kind} {0}x{0}{stride}", conv.kernel)
        }
        LayerKind::Linear(_) => "dense".to_owned(),
    }];
    parts.extend(block.norm.as_ref().map(|_| "norm".to_owned()));
    parts.extend(block.add.as_ref().map(|source| format!("add {source}")));
    parts.extend(block.activation.map(|a| format!("{a:?}").to_lowercase()));
    parts.extend(block.pool.map(|pool| match pool {
        Pool::Max { kernel, .. } => format!("max-pool {kernel}"),
        Pool::GlobalAverage => "average".to_owned(),
    }));
    if block.dropout > 0.0 {
        parts.push(format!("dropout {}", block.dropout));
    }
    parts.join(", ")
}
