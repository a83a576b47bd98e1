//! Memory that this process may use, against what a training needs.

use tinderbox_base::env::{kibibytes, proc_field};
use tinderbox_base::units::bytes;
use tinderbox_base::{Error, Result};
use tinderbox_nn::memory::total;
use tinderbox_nn::{Shapes, check as check_shapes, spec};

use super::Finding;

/// A prediction is at most one part in so many too high.
const PREDICTION: u64 = 4;

/// Free memory, and the limit of a container where there is one.
pub fn check() -> Finding {
    let host = read("MemTotal:");
    let limit = total().filter(|&total| host.is_some_and(|host| total < host));
    let free = limit.or_else(|| read("MemAvailable:")).or_else(total);
    let Some(free) = free else {
        return Finding::ok("memory", "how much there is is not known here");
    };
    let what = match (limit, host) {
        (Some(_), _) => "is the limit of the container".to_owned(),
        (None, Some(host)) => format!("free of {}", bytes(host)),
        (None, None) => "in this machine".to_owned(),
    };
    let [small, large] = [("cnn", [1, 28, 28]), ("mobilenet_v2", [3, 128, 128])].map(need);
    let message = format!(
        "{} {what}; batches of 128 need about {} with `cnn`, {} with `mobilenet_v2` at 128 pixels",
        bytes(free),
        bytes(small),
        bytes(large)
    );
    match free {
        _ if free < small => {
            Finding::fail("memory", message).fix("allow the container more, as in --memory 512m")
        }
        _ if free < large => Finding::warn("memory", message)
            .fix("for photos: more memory, a smaller --batch or --size"),
        _ => Finding::ok("memory", message),
    }
}

/// What a training step on the CPU may not fit into, said before the kernel kills it.
///
/// # Errors
/// If it does not fit, however the prediction errs.
pub fn warning(shapes: &Shapes, images: usize) -> Result<Option<String>> {
    let need = shapes.training_bytes(images);
    let Some(total) = total().filter(|&total| need > total) else { return Ok(None) };
    let what = format!("a step needs about {}, and there are {}", bytes(need), bytes(total));
    if need - need / PREDICTION > total {
        return Err(Error::environment("too little memory")
            .cause(what)
            .hint("use a smaller `--size`, `--batch auto` or a `--micro-batch`, or allow the container more"));
    }
    Ok(Some(format!("{what}: try `--micro-batch auto`, or a smaller `--batch` or `--size`")))
}

fn need((model, input): (&str, [usize; 3])) -> u64 {
    let shapes = spec(model, input, 10).and_then(|spec| check_shapes(&spec));
    shapes.map_or(0, |shapes| shapes.training_bytes(128))
}

/// A number of `/proc/meminfo`, in bytes.
fn read(name: &str) -> Option<u64> {
    kibibytes(&proc_field("/proc/meminfo", name)?)
}
