//! `tinderbox doctor`

use serde_json::json;
use tinderbox_base::units::plural;
use tinderbox_base::{Error, Result};

use super::Invocation;
use super::output::{print, print_json, print_styled};
use crate::doctor::{Finding, Verdict, examine};

/// Says whether this container or workstation is ready to train, and what to fix.
///
/// # Errors
/// If something would make a training fail, or stdout cannot be written.
pub fn run(invocation: &Invocation) -> Result<()> {
    let findings = examine(&invocation.folders);
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let (problems, warnings) = (count(Verdict::Fail), count(Verdict::Warn));
    if invocation.json {
        print_json(&json!({ "ready": problems == 0, "checks": findings }))?;
    } else {
        print_styled(&screen(&findings))?;
    }
    let counted = [(problems, "problem", "problems"), (warnings, "warning", "warnings")];
    let counted: Vec<String> = counted
        .into_iter()
        .filter(|(n, ..)| *n > 0)
        .map(|(n, one, many)| plural(n, one, many))
        .collect();
    if problems > 0 {
        return Err(Error::environment("not ready to train")
            .cause(counted.join(", "))
            .hint("below each `fail` above is what to do"));
    }
    if invocation.json {
        return Ok(());
    }
    let counted =
        if counted.is_empty() { String::new() } else { format!(", {}", counted.join(", ")) };
    print(&format!("ready to train{counted}\n"))
}

/// A line a finding, and what to do below it.
fn screen(findings: &[Finding]) -> String {
    let width = findings.iter().map(|finding| finding.subject.len()).max().unwrap_or(0);
    findings.iter().fold(String::new(), |text, Finding { verdict, subject, message, fix }| {
        let (word, style) = match verdict {
            Verdict::Ok => ("ok", anstyle::AnsiColor::Green),
            Verdict::Warn => ("warn", anstyle::AnsiColor::Yellow),
            Verdict::Fail => ("fail", anstyle::AnsiColor::Red),
        };
        let style = style.on_default();
        let fix =
            fix.as_ref().map_or(String::new(), |fix| format!("{:6}{:width$}  {fix}\n", "", ""));
        format!("{text}{style}{word:4}{style:#}  {subject:width$}  {message}\n{fix}")
    })
}
