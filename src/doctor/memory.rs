//! Memory that this process may use, against what a training needs.

use super::Finding;
use crate::base::files;
use crate::base::units::bytes;
use crate::model::{Shapes, check as check_shapes, spec};
use crate::ops::memory::total;

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

/// What a training step on the CPU will not fit into, said before the kernel kills it.
#[must_use]
pub fn warning(shapes: &Shapes, batch: usize) -> Option<String> {
    let need = shapes.training_bytes(batch);
    let total = total().filter(|&total| need > total)?;
    Some(format!(
        "a step needs about {}, and there are {}: try a smaller `--batch` or `--size`",
        bytes(need),
        bytes(total)
    ))
}

fn need((model, input): (&str, [usize; 3])) -> u64 {
    let shapes = spec(model, input, 10).and_then(|spec| check_shapes(&spec));
    shapes.map_or(0, |shapes| shapes.training_bytes(128))
}

/// A number of `/proc/meminfo`, in bytes.
fn read(name: &str) -> Option<u64> {
    let text = files::read_text("/proc/meminfo".as_ref()).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}
