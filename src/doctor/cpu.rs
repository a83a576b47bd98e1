//! Cores that this process may use, and which kernels its CPU selects.

use tinderbox_base::env::{cores, proc_field};
use tinderbox_base::files;
use tinderbox_base::units::plural;
use tinderbox_nn::device::instruction_set;

use super::Finding;

/// Cores, what keeps the others away, and vector instructions.
pub fn check() -> Finding {
    let granted = cores();
    let online = files::read_text("/sys/devices/system/cpu/online".as_ref());
    let online = online.ok().map(|text| count(&text));
    let allowed = proc_field("/proc/self/status", "Cpus_allowed_list:").map(|list| count(&list));
    let of = online.filter(|&online| online > granted).map_or(String::new(), |online| {
        let why = match allowed {
            Some(allowed) if allowed <= granted => "by its CPU set",
            _ => "by its quota",
        };
        format!(" of {online}, {why}")
    });
    let set = instruction_set();
    let message = format!("{}{of}, {set}", plural(granted, "core", "cores"));
    if set == "SSE2" {
        return Finding::warn("cpu", message).fix(
            "this CPU, or the virtual machine, has no AVX2: training is several times slower",
        );
    }
    Finding::ok("cpu", message)
}

/// How many numbers a list like `0-3,8` names.
fn count(list: &str) -> usize {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.parse::<usize>().ok()?, last.parse::<usize>().ok()?);
        Some((last + 1).saturating_sub(first))
    };
    list.trim().split(',').filter_map(range).sum()
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn lists_of_cores_are_counted() {
        assert_eq!(count("0-3,8\n"), 5);
        assert_eq!(count("0"), 1);
        assert_eq!(count("7-3"), 0);
        assert_eq!(count(""), 0);
    }
}
