//! What the program is started in: clock, locale, terminal.

use std::io::IsTerminal;

use tinderbox_base::env;

use super::Finding;

/// A date before this program was written is wrong (2026-01-01).
const EARLIEST: f64 = 1_767_225_600.0;

/// Clock, locale and terminal.
pub fn check() -> [Finding; 3] {
    [clock(), locale(), terminal()]
}

/// Only records hold times; but a wrong clock makes them useless.
fn clock() -> Finding {
    let now = env::timestamp();
    if env::unix_seconds() < EARLIEST {
        return Finding::warn("clock", format!("it says {now}, which is past"))
            .fix("set the host's clock: the times in events.jsonl and run.toml are taken from it");
    }
    Finding::ok("clock", now)
}

fn locale() -> Finding {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(env::var);
    match set {
        None => Finding::ok("locale", "none set; all text is UTF-8"),
        Some(locale) if is_utf8(&locale) => Finding::ok("locale", locale),
        Some(locale) => {
            Finding::warn("locale", format!("`{locale}` is not UTF-8, and all text here is"))
                .fix("set LANG=C.UTF-8, or names of classes may look wrong")
        }
    }
}

fn is_utf8(locale: &str) -> bool {
    let name = locale.to_lowercase();
    name.ends_with("utf-8") || name.ends_with("utf8") || name == "c" || name == "posix"
}

fn terminal() -> Finding {
    let shown = if std::io::stderr().is_terminal() {
        "progress is drawn"
    } else {
        "none: progress comes as plain lines"
    };
    Finding::ok("terminal", shown)
}
